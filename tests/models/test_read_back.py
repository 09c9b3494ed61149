"""Whatever we write we can read back."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from f1stream import topics
from models import (
    CarUpdate,
    DeadLetter,
    Frame,
    Lap,
    Message,
    Packet,
    Season,
    SessionHeader,
    SessionResult,
    Track,
    Updates,
)
from tests.support.generated import values

READ: dict[Any, Any] = {
    Packet: topics.decode_packet, Lap: topics.decode_lap, Message: topics.decode_message,
    Updates: topics.decode_updates, DeadLetter: topics.decode_dead_letter, Season: topics.decode_marts,
    SessionResult: topics.decode_marts, Frame: lambda value: topics.decode_frames(value)[0],
    SessionHeader: lambda value: topics.decode_frames(value)[0],
}  # fmt: skip
NAMES = ["packet", "lap", "message", "updates", "dead letter", "season", "result", "frame", "head"]
few = settings(
    max_examples=60,
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=list(HealthCheck),
)


def in_step(told: Any, model: Any) -> Any:
    """What several fields say together: columns of one length, times in order, entries that differ, a lap's line."""
    if model in (Packet, CarUpdate):
        columns = [name for name, value in told.items() if isinstance(value, list) and name != "laps"]
        n = min(len(told[name]) for name in columns)
        told = {name: value[:n] if name in columns else value for name, value in told.items()}
        times = "t" if model is CarUpdate else "session_time_ms"
        told[times] = sorted(told[times])
        if model is Packet:
            told["until_ms"] = max([told["until_ms"], *told[times]])
        else:
            told["last_seq"] = max(told["first_seq"], told["last_seq"])
    elif isinstance(told, dict) and told.get("kind") == "entries":
        told["entries"] = list({entry["driver_number"]: entry for entry in told["entries"]}.values())
    elif isinstance(told, dict) and "entries" in told and model is Updates:
        told["entries"] = [in_step(entry, CarUpdate) for entry in told["entries"]]
    return told


@pytest.mark.parametrize("model", READ, ids=NAMES)
def test_what_is_written_is_read_back(model: Any) -> None:
    adapter = TypeAdapter(model)
    accepted = 0

    @few
    @given(st.data())
    def each(data: st.DataObject) -> None:
        nonlocal accepted
        told = in_step(data.draw(values(model)), model)
        try:
            record = adapter.validate_python(told)
        except ValidationError as error:
            assert told.get("kind") == Track.model_fields["kind"].default, error
            return  # points at random are seldom a lap
        accepted += 1
        value = topics.encode_frames([record]) if model in (Frame, SessionHeader) else topics.encode(record)
        assert READ[model](value) == record

    each()
    assert accepted > 20
