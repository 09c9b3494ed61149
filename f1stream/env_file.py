"""The ``.env`` of the folder that a command is started in, and when it must not be read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

ENV_FILE = ".env"
LIVE_URL, TOKEN, TOKEN_FILE = (f"F1STREAM_{name}" for name in ("LIVE_URL", "F1TV_TOKEN", "F1TV_TOKEN_FILE"))


def reason_to_refuse(file: Path, environment: Mapping[str, str]) -> str:
    """Why ``file`` must not be read, as a sentence; empty if it may be read, or does not exist.

    The folder may come from another person: its file cannot redirect a token that it does not contain itself.
    """
    try:
        owners, mode = {file.lstat().st_uid, file.stat().st_uid}, file.stat().st_mode
    except FileNotFoundError:
        return ""
    if owners - {os.getuid(), 0} or mode & 0o002:
        who = "belongs to another user" if owners - {os.getuid(), 0} else "can be written by every user"
        return f"{file.absolute()} {who}, and is not read: remove it, or start f1stream in another folder."
    try:
        defined = {name.upper() for name, value in dotenv_values(file).items() if value}
    except (OSError, UnicodeDecodeError) as error:
        return f"{file.name} in this folder cannot be read: {error}."
    set_outside = {name.upper() for name, value in environment.items() if value}
    if LIVE_URL in defined - set_outside and (TOKEN_FILE in defined or {TOKEN, TOKEN_FILE} & set_outside):
        return (
            f"{file.absolute()} sets {LIVE_URL}, where a token would go that is not in this file: set both in the "
            f"environment, or {TOKEN} in the file too."
        )
    return ""
