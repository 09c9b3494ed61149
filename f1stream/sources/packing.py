"""Turns a session into the records of a run, with headers, in the order in which they become known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from f1stream import topics
from f1stream.sources.session import Session
from f1stream.topics import RecordHeaders
from models import Entries, Lap, Message, Packet, SessionEnd, SessionInfo
from models.bounds import MOST_SOURCE
from models.frame import FRAME_MS


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record with its topic, key and headers."""

    topic: str
    key: bytes
    headers: RecordHeaders
    record: Packet | Lap | Message


class RecordBuilder:
    """Builds the records of a run; numbers them by topic and key in the order in which they are published."""

    def __init__(self, session_key: str, epoch: int, t0_utc_ms: int, source: str) -> None:
        self.session_key, self._epoch, self._t0_utc_ms = session_key, epoch, t0_utc_ms
        self._source = source[:MOST_SOURCE]
        self._seqs: Counter[tuple[str, bytes]] = Counter()

    def fact(self, emitted_ms: int, record: Lap | Message) -> OutgoingRecord:
        """The record of a message or lap that becomes known at session time ``emitted_ms``."""
        if isinstance(record, Lap):
            return self._record(topics.LAPS, topics.car_key(self.session_key, record.driver_number), emitted_ms,
                                   record)  # fmt: skip
        return self._record(topics.MESSAGES, self.session_key.encode(), emitted_ms, record)

    def packet(self, packet: Packet) -> OutgoingRecord:
        """The record of a packet; its headers count the laps and messages published before it."""
        key = topics.car_key(self.session_key, packet.driver_number)
        laps, messages = self._seqs[topics.LAPS, key], self._seqs[topics.MESSAGES, self.session_key.encode()]
        return self._record(topics.TELEMETRY, key, packet.until_ms, packet, laps, messages)

    def _record(
        self,
        topic: str,
        key: bytes,
        emitted_ms: int,
        record: Packet | Lap | Message,
        laps: int = 0,
        messages: int = 0,
    ) -> OutgoingRecord:
        seq = self._seqs[topic, key]
        self._seqs[topic, key] = seq + 1
        headers = RecordHeaders(self._epoch, seq, emitted_ms, laps, messages, self._t0_utc_ms, self._source)
        return OutgoingRecord(topic, key, headers, record)


def pack(
    session: Session, epoch: int, packet_ms: int, from_ms: int | None = None, to_ms: int | None = None
) -> Iterator[OutgoingRecord]:
    """The session's records from ``from_ms`` to ``to_ms`` (session clock), by ``emitted_ms``.

    At the same instant messages come first, then laps, then packets. Facts from before ``from_ms`` are published
    first, at ``from_ms``. The run ends, for every car, on a frame.
    """
    info = next(message for message in session.messages if isinstance(message, SessionInfo))
    begin = info.start_ms if from_ms is None else from_ms
    end = -(-min(session.end_ms, to_ms or session.end_ms) // FRAME_MS) * FRAME_MS
    entered = _entered(session, begin)
    facts = _facts(session, info.model_copy(update={"start_ms": begin}), begin, end)
    next_fact = next(facts, None)
    builder = RecordBuilder(session.session_key, epoch, session.t0_utc_ms, info.source)
    instants = [begin, *range(begin + packet_ms, end, packet_ms), end]
    # One search per car for all packets: a search per packet would cost more than everything else here.
    cuts = {
        number: columns["session_time_ms"].searchsorted(np.array(instants), side="right").tolist()
        for number, columns in session.telemetry.items()
    }
    nullable = {
        number: {name for name, column in columns.items() if column.dtype.kind == "f" and np.isnan(column).any()}
        for number, columns in session.telemetry.items()
    }
    for nth, until in enumerate(instants[1:]):
        while next_fact is not None and next_fact[0] <= until:
            yield builder.fact(*next_fact)
            next_fact = next(facts, None)
        for number, columns in session.telemetry.items():
            if entered.get(number, begin) >= until:
                continue
            first, last = cuts[number][nth : nth + 2]
            packet = Packet(
                driver_number=number,
                until_ms=until,
                **{
                    name: _with_none(column[first:last]) if name in nullable[number] else column[first:last].tolist()
                    for name, column in columns.items()
                },
            )
            yield builder.packet(packet)


def _with_none(values: npt.NDArray[Any]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _entered(session: Session, begin: int) -> dict[str, int]:
    """By car, the session time (ms) at which its entry is published; its packets begin after that."""
    entered: dict[str, int] = {}
    for message in session.messages:
        if isinstance(message, Entries):
            for entry in message.entries:
                entered.setdefault(entry.driver_number, max(message.session_time_ms, begin))
    return {number: at for number, at in entered.items() if at > begin}


def _facts(session: Session, info: SessionInfo, begin: int, end: int) -> Iterator[tuple[int, Lap | Message]]:
    """Messages and laps with the session time (ms) at which they are published."""
    messages = [info, *(message for message in session.messages if not isinstance(message, SessionInfo))]
    facts: list[tuple[int, int, Lap | Message]] = [
        *((max(message.session_time_ms, begin), 0, message) for message in messages),
        *((max(known_ms, begin), 1, lap) for known_ms, lap in session.laps_as_known()),
        (end, 2, SessionEnd(session_time_ms=end)),
    ]
    facts.sort(key=lambda fact: fact[:2])
    for emitted_ms, _, record in facts:
        if emitted_ms <= end:
            yield emitted_ms, record
