"""Every record that is written can be read back."""

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


def in_step(fields: Any, model: Any) -> Any:
    """Make fields consistent: columns of one length, times in order, different entries, a track of a lap's length."""
    if model in (Packet, CarUpdate):
        columns = [name for name, value in fields.items() if isinstance(value, list) and name != "laps"]
        n = min(len(fields[name]) for name in columns)
        fields = {name: value[:n] if name in columns else value for name, value in fields.items()}
        times = "t" if model is CarUpdate else "session_time_ms"
        fields[times] = sorted(fields[times])
        if model is Packet:
            fields["until_ms"] = max([fields["until_ms"], *fields[times]])
        else:
            fields["last_seq"] = max(fields["first_seq"], fields["last_seq"])
    elif isinstance(fields, dict) and fields.get("kind") == "entries":
        fields["entries"] = list({entry["driver_number"]: entry for entry in fields["entries"]}.values())
    elif isinstance(fields, dict) and "entries" in fields and model is Updates:
        fields["entries"] = [in_step(entry, CarUpdate) for entry in fields["entries"]]
    return fields


@pytest.mark.parametrize("model", READ, ids=NAMES)
def test_what_is_written_is_read_back(model: Any) -> None:
    adapter = TypeAdapter(model)
    accepted = 0

    @few
    @given(st.data())
    def each(data: st.DataObject) -> None:
        nonlocal accepted
        fields = in_step(data.draw(values(model)), model)
        try:
            record = adapter.validate_python(fields)
        except ValidationError as error:
            assert fields.get("kind") == Track.model_fields["kind"].default, error
            return  # random points are seldom a lap
        accepted += 1
        value = topics.encode_frames([record]) if model in (Frame, SessionHeader) else topics.encode(record)
        assert READ[model](value) == record

    each()
    assert accepted > 20
