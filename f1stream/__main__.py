"""``python -m f1stream``."""

from f1stream.cli import main

main()
