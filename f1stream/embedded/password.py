"""The password of the embedded warehouse: random, created at the first start, in a file only its owner can read.

Every process with the same F1STREAM_HOME reads it, in a second terminal too; other users cannot.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from f1stream.private_folder import private_folder

FILE = "warehouse-password"
BYTES = 32
"""Random bytes in the password."""


def load_or_create_password(home: Path) -> str:
    """The password in ``home``; created when there is none.

    Processes that create it at the same time agree on the first one: a hard link fails when the file exists. Raises
    OSError.
    """
    file = home / FILE
    with suppress(FileNotFoundError):
        return file.read_text().strip()
    private_folder(home)
    with tempfile.NamedTemporaryFile("w", dir=home, prefix=f".{FILE}-") as made:  # mode 0600
        made.write(secrets.token_urlsafe(BYTES))
        made.flush()
        with suppress(FileExistsError):
            os.link(made.name, file)
    return file.read_text().strip()
