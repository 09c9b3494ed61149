"""What a process says while it runs: as text for people, or as one JSON object a line for whatever collects them."""

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
"""Fields of the JSON, by the attribute of a record each comes from; ``time`` (UTC) and ``message`` beside them."""
LIBRARIES = {
    "aiokafka": "WARNING",
    "agents": "WARNING",  # where Faust's services are that we extend; our own loggers there are "f1stream"
    "apscheduler": "ERROR",
    "botocore": "WARNING",  # Snowflake's connector asks AWS who we are; at DEBUG the role's token is in the log
    "faust": "WARNING",
    "mode": "WARNING",
    "snowflake": "ERROR",
}
"""They say more than anybody reads, some a line for each message."""

LOG_BYTES = 10_000_000
"""Bytes. A longer log file is rotated; one older file of each is kept."""


def rotate_log(log: Path) -> None:
    """Empty a log file that is too long, once what it says is in ``NAME.old.log``; call it again and again.

    The file stays the same one, so that a process whose output it is goes on in it: it must write by appending. What
    is written while this copies may be lost. Raises OSError where the disk takes no more.
    """
    if log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".old.log"))
        os.truncate(log, 0)


def configure(process: str, settings: Settings) -> None:
    """From now on this process logs to stderr; ``process`` is its name in the JSON."""
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
    """A Kafka record's key as fields of a log record: ``session``, and ``driver`` where it is a car's.

    >>> log.warning("…", extra=key_fields(message.key))
    """
    session, _, driver = (key or b"").decode(errors="replace").partition(":")
    return {name: value for name, value in (("session", session), ("driver", driver)) if value}


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("f1stream").critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))
