"""Decoding of the records that the page's server reads. Every function raises ``BadRecord`` with the reason."""

from __future__ import annotations

from typing import Any

import orjson

from f1stream import topics
from f1stream.topics import BadRecord
from models import Lap, Message, Season, SessionHeader, SessionResult
from web.history import Fact
from web.tape_store import FramesRecord


def decode_frames_record(
    key: bytes | None, headers: topics.Headers, value: bytes | None, arrived_ms: int
) -> FramesRecord:
    """A record of topic ``frames`` by its key and headers; the tape decodes its frames."""
    session_key = topics.session_key_of(key)
    if not value:
        raise BadRecord("the value is empty")
    found = dict(headers)
    try:
        kind = found["kind"].decode()
        run_id, seq = _number(found["epoch"]), _number(found["seq"])
        if kind == "damaged":
            topics.decode_damaged(value)
            return FramesRecord(session_key, "damaged", run_id, seq, frozenset(), value, arrived_ms)
        if kind == "head":
            _check_head(value)
            return FramesRecord(session_key, "head", run_id, seq, frozenset(), value, arrived_ms)
        count = _number(found["count"])
        keys = frozenset(_number(number) for number in found["keys"].split(b",") if number)
    except KeyError as missing:
        raise BadRecord(f"header {missing} is missing") from None
    except (TypeError, AttributeError):
        raise BadRecord("a header is null") from None
    if kind != "frames":
        raise BadRecord(f"kind is {kind!r}, none of head, frames and damaged")
    if value.count(b"\n") + 1 != count:
        raise BadRecord(f"the value does not have the {count} lines of its header 'count'")
    return FramesRecord(session_key, "frames", run_id, seq, keys, value, arrived_ms)


def _number(value: bytes) -> int:
    number = int(value)
    if not 0 <= number <= topics.MOST:
        raise BadRecord("a header is not a number of 64 bits")
    return number


def _check_head(value: bytes) -> None:
    """Every answer about a session needs its head, so it is decoded once before it is stored."""
    if not isinstance(topics.decode_frames(value)[0], SessionHeader):
        raise BadRecord("kind is head, but the value is a frame")


def decode_fact(topic: str, message: Any) -> Fact:
    """A consumer record of topic ``laps`` or ``messages``."""
    headers = topics.RecordHeaders.decode(message.headers, message.timestamp / 1000)
    key, value = message.key, message.value
    of_car = topic == topics.LAPS
    session_key = topics.session_of(key)[0] if of_car else topics.session_key_of(key)
    record: Lap | Message = topics.decode_lap(value) if of_car else topics.decode_message(value)
    return Fact(session_key, headers.run_id, topic, key or b"", headers.seq, headers.emitted_ms, record)


def decode_marts_record(key: bytes | None, value: bytes | None) -> SessionResult | Season:
    """A record of topic ``marts``."""
    record = topics.decode_marts(value)
    if key != topics.marts_key(record):
        raise BadRecord(f"the key is {key!r}, but the value is for {topics.marts_key(record)!r}")
    try:
        orjson.dumps(record.model_dump())
    except orjson.JSONEncodeError as error:
        raise BadRecord(f"it cannot be written as JSON: {error}") from None
    return record
