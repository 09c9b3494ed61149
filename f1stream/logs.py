"""Logging: text lines for people, or one JSON object a line for a log collector."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

from f1stream.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(message)s"
FIELDS = {"levelname": "level", "name": "logger", "exc_info": "exception"}
"""JSON field by attribute of the log record; ``time`` (UTC) and ``message`` are added."""
LIBRARIES = {
    "aiokafka": "WARNING",
    "agents": "WARNING",  # Faust services that we extend; our own loggers are "f1stream"
    "apscheduler": "ERROR",
    "botocore": "WARNING",  # Snowflake's connector uses it; at DEBUG it logs the AWS role's token
    "faust": "WARNING",
    "mode": "WARNING",
    "snowflake": "ERROR",
}
"""Levels of noisy libraries: some log a line for each message."""

LOG_BYTES = 10_000_000
"""Bytes. A larger log file is rotated; one older file is kept."""


def rotate_log(log: Path) -> None:
    """Copy a log file larger than ``LOG_BYTES`` to ``NAME.old.log`` and truncate it. Call periodically.

    The file is truncated in place because it may be another process's output, which must be opened for appending.
    Lines written during the copy may be lost. Raises OSError when the disk is full.
    """
    if log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".old.log"))
        os.truncate(log, 0)


def configure(process: str, settings: Settings) -> None:
    """Log to stderr, as ``settings`` say; ``process`` is this process's name in the JSON."""
    handler = logging.StreamHandler()
    if settings.log_format == "json":
        handler.setFormatter(
            JsonFormatter(
                ["levelname", "name", "message"], timestamp="time", rename_fields=FIELDS,
                static_fields={"process": process}, json_ensure_ascii=False,
            )
        )  # fmt: skip
        sys.excepthook = _uncaught
    else:
        handler.setFormatter(logging.Formatter(TEXT))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name, level in LIBRARIES.items():
        logging.getLogger(name).setLevel(level)


def key_fields(key: bytes | None) -> dict[str, str]:
    """The session and car of a Kafka record's key, as fields of a log record: ``session``, ``driver``.

    >>> log.warning("…", extra=key_fields(message.key))
    """
    session, _, driver = (key or b"").decode(errors="replace").partition(":")
    return {name: value for name, value in (("session", session), ("driver", driver)) if value}


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("f1stream").critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))
