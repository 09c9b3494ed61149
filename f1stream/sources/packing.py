"""A session as the records of a run: packed, stamped, and in the order in which they become known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from f1stream import topics
from f1stream.sources.session import Session
from f1stream.topics import RecordHeaders
from models import Entries, Lap, Message, Packet, SessionEnd, SessionInfo
from models.bounds import MOST_SOURCE
from models.frame import FRAME_MS


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """One record on its way to a topic."""

    topic: str
    key: bytes
    headers: RecordHeaders
    record: Packet | Lap | Message


class RecordBuilder:
    """Numbers the records of a run, by topic and key, in the order in which they are published."""

    def __init__(self, session_key: str, epoch: int, t0_utc_ms: int, source: str) -> None:
        self.session_key, self._epoch, self._t0_utc_ms = session_key, epoch, t0_utc_ms
        self._source = source[:MOST_SOURCE]
        self._seqs: Counter[tuple[str, bytes]] = Counter()

    def fact(self, emitted_ms: int, record: Lap | Message) -> OutgoingRecord:
        """A message, or a lap, that becomes known at ``emitted_ms``."""
        if isinstance(record, Lap):
            return self._published(topics.LAPS, topics.car_key(self.session_key, record.driver_number), emitted_ms,
                                   record)  # fmt: skip
        return self._published(topics.MESSAGES, self.session_key.encode(), emitted_ms, record)

    def packet(self, packet: Packet) -> OutgoingRecord:
        """A packet, which names how many laps and messages were published before it."""
        key = topics.car_key(self.session_key, packet.driver_number)
        laps, messages = self._seqs[topics.LAPS, key], self._seqs[topics.MESSAGES, self.session_key.encode()]
        return self._published(topics.TELEMETRY, key, packet.until_ms, packet, laps, messages)

    def _published(
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

    At the same instant messages come first, then laps, then packets. What was known before ``from_ms`` is told
    first, at ``from_ms``. The run ends, for every car, on a frame.
    """
    info = next(message for message in session.messages if isinstance(message, SessionInfo))
    begin = info.start_ms if from_ms is None else from_ms
    end = -(-min(session.end_ms, to_ms or session.end_ms) // FRAME_MS) * FRAME_MS
    entered = _entered(session, begin)
    told = _known(session, info.model_copy(update={"start_ms": begin}), begin, end)
    next_told = next(told, None)
    builder = RecordBuilder(session.session_key, epoch, session.t0_utc_ms, info.source)
    instants = [begin, *range(begin + packet_ms, end, packet_ms), end]
    # One search a car for all packets: one a packet would cost more than everything else here.
    cuts = {
        number: columns["session_time_ms"].searchsorted(np.array(instants), side="right").tolist()
        for number, columns in session.telemetry.items()
    }
    for nth, until in enumerate(instants[1:]):
        while next_told is not None and next_told[0] <= until:
            yield builder.fact(*next_told)
            next_told = next(told, None)
        for number, columns in session.telemetry.items():
            if entered.get(number, begin) >= until:
                continue
            first, last = cuts[number][nth : nth + 2]
            packet = Packet(
                driver_number=number,
                until_ms=until,
                **{name: column[first:last].tolist() for name, column in columns.items()},
            )
            yield builder.packet(packet)


def _entered(session: Session, begin: int) -> dict[str, int]:
    """By car: when the list of entries that has it is published. Its packets begin after that."""
    entered: dict[str, int] = {}
    for message in session.messages:
        if isinstance(message, Entries):
            for entry in message.entries:
                entered.setdefault(entry.driver_number, max(message.session_time_ms, begin))
    return {number: at for number, at in entered.items() if at > begin}


def _known(session: Session, info: SessionInfo, begin: int, end: int) -> Iterator[tuple[int, Lap | Message]]:
    """Messages and laps with the instant at which they are told."""
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
