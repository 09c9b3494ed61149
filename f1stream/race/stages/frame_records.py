"""Encodes the output of the session stage as records of topic ``frames``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from f1stream import topics
from f1stream.metrics import FRAMES
from f1stream.processing.outputs import Output
from f1stream.topics import RunDamaged
from models import DamageNotice, Frame, SessionHeader

FRAMES_PER_RECORD = 50
"""Most frames in one record."""
RECORD_BYTES = 500_000
"""Largest record; further frames go into the next one. A broker accepts 1 MB by default."""


def frame_records(key: bytes, run_id: int, made: Iterable[SessionHeader | Frame]) -> Iterator[Output]:
    """Session headers and frames as records, consecutive frames together. Raises RunDamaged for one too large."""
    group: list[Frame] = []
    values: list[bytes] = []
    size = 0

    def close() -> Iterator[Output]:
        nonlocal size
        if group:
            yield Output(topics.FRAMES, key, b"\n".join(values), topics.frame_headers(run_id, group))
            FRAMES.inc(len(group))
            group.clear()
            values.clear()
            size = 0

    for each in made:
        value = topics.encode_frames([each])
        if len(value) > RECORD_BYTES:
            yield from close()
            raise RunDamaged(f"a {each.kind} frame at {each.t} ms has {len(value)} bytes, more than {RECORD_BYTES}")
        if isinstance(each, SessionHeader):
            yield from close()
            yield Output(topics.FRAMES, key, value, topics.session_headers(run_id, each))
            continue
        if len(group) == FRAMES_PER_RECORD or size + len(value) > RECORD_BYTES:
            yield from close()
        group.append(each)
        values.append(value)
        size += len(value) + 1
    yield from close()


def damaged_record(key: bytes, session_key: str, run_id: int, reason: str) -> Output:
    """The notice for viewers that the run is damaged."""
    record = DamageNotice(session_key=session_key, epoch=run_id, reason=reason)
    return Output(topics.FRAMES, key, topics.encode(record), topics.damaged_headers(run_id))
