"""The password of the embedded warehouse: random, made at the first start, and kept in a file of the user's own.

Every process with the same F1STREAM_HOME knows it, a second terminal's too, and nobody else does.
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
"""Of randomness."""


def load_or_create_password(home: Path) -> str:
    """The password that ``home`` keeps; made when there is none yet.

    Several processes that make one at the same time agree on the first. Raises OSError.
    """
    file = home / FILE
    with suppress(FileNotFoundError):
        return file.read_text().strip()
    private_folder(home)
    with tempfile.NamedTemporaryFile("w", dir=home, prefix=f".{FILE}-") as made:  # nobody else may read it (0600)
        made.write(secrets.token_urlsafe(BYTES))
        made.flush()
        with suppress(FileExistsError):
            os.link(made.name, file)
    return file.read_text().strip()
