"""Publishes a session to the topics, at its own pace or faster."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from f1stream import topics
from f1stream.kafka import producer_for, unreachable
from f1stream.settings import Settings
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session, SourceError
from models import Packet

BATCH_BYTES = 512 * 1024
"""The greatest batch of the producer."""
BY_THE_BROKER = 1
"""Kafka's code for a record whose timestamp the broker has set."""
BULK_LINGER_MS = 100
"""At full speed, to fill batches: every broker is faster with large ones, and the embedded one needs them."""
SEND_AHEAD = 5_000
"""Unacknowledged records; with more, publishing waits for the broker."""


@dataclass
class Pace:
    """Session time runs at ``speed`` times the wall clock, or as fast as possible (None)."""

    speed: float | None
    _began: float = field(default_factory=time.monotonic)
    _from_ms: int | None = None

    async def until(self, session_ms: int) -> None:
        """Wait until session time ``session_ms``."""
        if self.speed is None:
            return
        if self._from_ms is None:
            self._began, self._from_ms = time.monotonic(), session_ms
        ahead = (session_ms - self._from_ms) / 1000 / self.speed - (time.monotonic() - self._began)
        if ahead > 0:
            await asyncio.sleep(ahead)


@dataclass
class RunCounts:
    """The number of records published in one run."""

    session_key: str
    epoch: int
    records: int = 0
    samples: int = 0
    packets: int = 0
    laps: int = 0
    messages: int = 0
    seconds: float = 0.0

    def add(self, item: OutgoingRecord) -> None:
        """Count a record."""
        self.records += 1
        if isinstance(item.record, Packet):
            self.packets += 1
            self.samples += len(item.record.session_time_ms)
        elif item.topic == topics.LAPS:
            self.laps += 1
        else:
            self.messages += 1

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for ``--counts``."""
        return asdict(self)


def packet_ms_for(speed: float | None) -> int:
    """Packet length, ms: short near real time, so that the page moves smoothly, else longer and so cheaper."""
    if speed is None:
        return 10_000
    return 250 if speed <= 10 else 1_000


def too_large(item: OutgoingRecord, size: int) -> SourceError:
    """The error for a record above the topics' size limit."""
    kind = getattr(item.record, "kind", type(item.record).__name__.lower())
    hint = "Publish shorter packets (--packet-ms)" if item.topic == topics.TELEMETRY else "Look at it in the source"
    return SourceError(
        f"A record of {item.key.decode()} in {item.topic} ({kind}, at session time {item.headers.emitted_ms} ms) has "
        f"{size:,} bytes, more than the {topics.MAX_VALUE_BYTES:,} that a record may have: the run ends before it. "
        f"{hint}."
    )


class Outbox:
    """Sends records, at most SEND_AHEAD of them unacknowledged, and counts them."""

    def __init__(self, producer: AIOKafkaProducer, counts: RunCounts) -> None:
        self._producer, self._counts = producer, counts
        self._sent: deque[asyncio.Future[RecordMetadata]] = deque()

    async def put(self, item: OutgoingRecord) -> None:
        """Send a record; wait while too many are unacknowledged.

        Raises SourceError for a record that is too large or a run that the workers would refuse, and KafkaError when
        an earlier record could not be sent.
        """
        value = topics.encode(item.record)
        if len(value) > topics.MAX_VALUE_BYTES:
            raise too_large(item, len(value))
        future = await self._producer.send(item.topic, value, key=item.key, headers=item.headers.encode())
        self._sent.append(future)
        self._counts.add(item)
        while self._sent and (self._sent[0].done() or len(self._sent) > SEND_AHEAD):
            self._acknowledged(await self._sent.popleft())

    async def empty(self) -> None:
        """Wait until all records are acknowledged. Raises KafkaError, and SourceError as ``put`` does."""
        while self._sent:
            self._acknowledged(await self._sent.popleft())

    def _acknowledged(self, record: RecordMetadata) -> None:
        """Check the run id, which is this machine's time, against the broker's timestamp of a record."""
        ahead_ms = self._counts.epoch - record.timestamp
        if record.timestamp_type == BY_THE_BROKER and ahead_ms > topics.MAX_AHEAD_MS:
            raise SourceError(
                f"Run {self._counts.epoch} of session {self._counts.session_key} lies {ahead_ms / 3_600_000:.1f} h "
                "after the broker's time, so the workers refuse it: set this machine's clock, and publish again."
            )


async def publish(
    session: Session,
    settings: Settings,
    *,
    speed: float | None,
    packet_ms: int | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    epoch: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> RunCounts:
    """Publish a whole run; return when every record is acknowledged.

    ``progress`` is called with the session time (ms) reached. ``epoch`` is the run id, by default the time in ms.
    Raises BrokerError when the broker cannot be reached, and SourceError when a record is too large to be sent.
    """
    counts = RunCounts(session.session_key, epoch if epoch is not None else time.time_ns() // 1_000_000)
    linger_ms = 0 if speed is not None and speed <= 10 else BULK_LINGER_MS
    producer = producer_for(settings, linger_ms=linger_ms, max_batch_size=BATCH_BYTES)
    began = time.monotonic()
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    pace = Pace(speed)
    outbox = Outbox(producer, counts)
    last = None
    try:
        for item in pack(session, counts.epoch, packet_ms or packet_ms_for(speed), from_ms, to_ms):
            if item.headers.emitted_ms != last:
                last = item.headers.emitted_ms
                progress(last)
                await pace.until(last)
            await outbox.put(item)
        await outbox.empty()
    except KafkaError as error:
        raise unreachable(settings, error) from error
    finally:
        await producer.stop()
    counts.seconds = time.monotonic() - began
    return counts
