"""``python -m f1stream.child COMMAND …`` is ``f1stream COMMAND …`` as a child that ends with its parent.

For parents with threads: the child itself asks the kernel, so that nothing runs between fork and exec.
"""

from f1stream.cli import main
from f1stream.processes import terminate_with_parent

terminate_with_parent()
main()
