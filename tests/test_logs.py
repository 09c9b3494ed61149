"""Logs are readable by machines, with session and driver."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from f1stream.logs import key_fields

SAYS = """
import logging
from f1stream import logs
from f1stream.settings import Settings
logs.configure("race", Settings(_env_file=None, log_format="{format}", log_level="{level}"))
log = logging.getLogger("f1stream")
log.info("hidden where only warnings are asked for")
log.warning("telemetry[%d] at %d: no JSON, Pérez", 3, 90, extra=logs.key_fields(b"9693:11"))
logging.getLogger("aiokafka.cluster").info("for nobody")
raise ValueError("the end")
"""


def lines(form: str, level: str = "INFO") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SAYS.format(format=form, level=level)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_json_logs_have_one_object_a_line_with_session_driver_and_error() -> None:
    hidden, warning, end = (json.loads(line) for line in lines("json"))
    assert hidden["level"] == "INFO"
    fields = {name: warning[name] for name in ("level", "process", "logger", "message", "session", "driver")}
    assert fields == {
        "level": "WARNING", "process": "race", "logger": "f1stream", "message": "telemetry[3] at 90: no JSON, Pérez",
        "session": "9693", "driver": "11",
    }  # fmt: skip
    at = datetime.fromisoformat(warning["time"])
    assert at.tzinfo is not None
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)
    assert (end["level"], end["message"]) == ("CRITICAL", "ValueError: the end")
    assert end["exception"].startswith("Traceback")


def test_level_is_the_least_that_is_logged() -> None:
    assert [json.loads(line)["level"] for line in lines("json", "WARNING")] == ["WARNING", "CRITICAL"]


def test_text_logs_have_time_level_and_message() -> None:
    first, warning, trace, *_ = lines("text")
    assert first.endswith("INFO hidden where only warnings are asked for")
    assert warning.endswith("WARNING telemetry[3] at 90: no JSON, Pérez")
    assert trace.startswith("Traceback")


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        (b"9693:4", {"session": "9693", "driver": "4"}),
        (b"9693", {"session": "9693"}),
        (None, {}),
        (b"\xff", {"session": "�"}),
    ],
)
def test_log_fields_of_a_record_key(key: bytes | None, fields: dict[str, str]) -> None:
    assert key_fields(key) == fields
