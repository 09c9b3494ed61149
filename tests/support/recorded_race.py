"""A recorded race on the page's tapes: its frames, laps, messages and samples, without Kafka."""

from __future__ import annotations

from pathlib import Path

from f1stream import topics
from f1stream.sources.packing import pack
from f1stream.sources.session_archive import read_archive
from models import Frame, SessionHeader
from tests.support.pipeline import EPOCH, run
from web.feed import Feed
from web.history import Fact
from web.sample_store import decode_packet
from web.tape_store import FramesRecord, TapeStore

PACKET_MS = 10_000
BATCH = 50
"""Frames in one record."""
SHELF_BYTES = 2**28


def recorded(folder: Path) -> Feed:
    """A recorded session as a server has it after reading all topics."""
    feed = Feed(TapeStore(SHELF_BYTES))
    feed.connected = feed.caught_up = True
    session = read_archive(folder)
    for item in pack(session, EPOCH, PACKET_MS, None, None):
        if item.topic == topics.TELEMETRY:
            feed.add_packet(decode_packet(item.key, item.headers, topics.encode(item.record)))
        else:
            key, record, headers = item.key, item.record, item.headers
            feed.add_facts(
                [Fact(session.session_key, EPOCH, item.topic, key, headers.seq, headers.emitted_ms, record)]
            )  # type: ignore[arg-type]
    feed.add_frames(list(records(session.session_key, run(session, PACKET_MS).made)))
    return feed


def records(key: str, made: list[SessionHeader | Frame]) -> list[FramesRecord]:
    """Heads and frames as records of topic ``frames``."""
    found: list[FramesRecord] = []
    batch: list[Frame] = []

    def flush() -> None:
        if batch:
            keys = frozenset(frame.t // 200 for frame in batch if frame.kind == "key")
            value = topics.encode_frames(batch)
            found.append(FramesRecord(key, "frames", EPOCH, batch[0].t // 200, keys, value, batch[-1].t))
            batch.clear()

    for each in made:
        if isinstance(each, SessionHeader):
            flush()
            found.append(
                FramesRecord(key, "head", EPOCH, each.t // 200, frozenset(), topics.encode_frames([each]), 0)
            )
        else:
            batch.append(each)
            if len(batch) == BATCH:
                flush()
    flush()
    return found
