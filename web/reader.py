"""Tails the topics that the page shows, from their beginnings and without a consumer group.

Frames go onto the tapes and marts to the results. Laps and messages go into the histories, samples to the telemetry:
they have a connection of their own, so that their bulk does not stand in the way of the frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from f1stream import topics
from f1stream.logs import key_fields
from f1stream.process_health import StallDetector
from f1stream.settings import Settings
from models import Lap, Message, Season, SessionHeader, SessionResult
from web.feed import Feed
from web.history import Fact
from web.sample_store import read_packet
from web.tape_store import FramesRecord, TapeStore

log = logging.getLogger(__name__)

SHOWN = (topics.FRAMES, topics.MARTS)
"""What makes the picture: the server is caught up when these are read."""
TOLD = (topics.LAPS, topics.MESSAGES, topics.TELEMETRY)
"""What can come a little later."""
Batches = dict[TopicPartition, list[Any]]

POLL_MS = 50
"""How long the broker may hold a fetch of what is shown; the embedded one takes half of that whatever comes."""
TOLD_POLL_MS = 1000
"""Likewise of the rest: every fetch asks for all partitions, and that costs the embedded broker most."""
FETCH_BYTES = 8_000_000
PARTITION_FETCH_BYTES = 2_000_000
POLL_RECORDS = 500
CHECK_S = 2.0
"""The broker is asked for its log's ends this often: an idle consumer does not notice a lost broker."""
ANSWER_S = 3.0
BACKOFF_S = (0.5, 1.0, 2.0, 4.0)
REFUSALS = 200
"""Sessions whose bad records are logged apart."""


class StreamReader(Feed):
    """A feed from Kafka."""

    def __init__(self, tapes: TapeStore, settings: Settings) -> None:
        super().__init__(tapes)
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._shown = TopicTail(SHOWN, POLL_MS, settings, self._take, self._look)
        self._rest = TopicTail(TOLD, TOLD_POLL_MS, settings, self._take, self._look_at_rest)

    async def start(self) -> None:
        """Start reading in the background; a broker that is away is waited for."""
        self._shown.start()
        self._rest.start()

    async def stop(self) -> None:
        """Stop reading and close the connections."""
        await asyncio.gather(self._shown.stop(), self._rest.stop())

    def _look(self) -> None:
        """The connection has changed: everybody is to know."""
        tail = self._shown
        self.connected, self.caught_up = tail.connected, tail.caught_up
        self._look_at_rest()
        self.notify()

    def _look_at_rest(self) -> None:
        self.lags = {**self._rest.lags, **self._shown.lags}
        self.stuck = self._shown.stuck or self._rest.stuck

    def _take(self, batches: Batches) -> None:
        now_ms = int(time.time() * 1000)
        # Frames last: the facts that a frame shows are there when the frame is.
        for partition, batch in sorted(batches.items(), key=lambda told: told[0].topic == topics.FRAMES):
            for message in batch:
                # What lay in the topic before we came is as old as Kafka says, not as new as our reading.
                arrived_ms = now_ms if self.caught_up else min(now_ms, message.timestamp)
                try:
                    self._keep(partition.topic, message, arrived_ms)
                except Exception as error:
                    self._refused(partition, message, error)
        self.tapes.make_room()  # laps and samples take some too, whether or not frames come

    def _keep(self, topic: str, message: Any, arrived_ms: int) -> None:
        """Put one record where it belongs. Raises ValueError (``topics.BadRecord``) when it cannot be shown."""
        if topic == topics.MARTS:
            self.add_marts([read_marts(message.key, message.value)])
        elif topic == topics.FRAMES:
            record = read_record(message.key, message.headers, message.value, arrived_ms)
            of_time(record.epoch, message.timestamp)
            self.add_frames([record])
        elif topic == topics.TELEMETRY:
            headers = topics.RecordHeaders.decode(message.headers, message.timestamp / 1000)
            self.add_packet(read_packet(message.key or b"", headers, message.value))
        else:
            self.add_facts([read_fact(topic, message)])

    def _refused(self, partition: TopicPartition, message: Any, error: Exception) -> None:
        """Count a record that cannot be shown. Of a topic and session only the 1st, 10th, 100th … is in the log."""
        self.bad_records += 1
        named = key_fields(message.key)
        which = (partition.topic, named.get("session", ""))
        if which not in self._refusals and len(self._refusals) >= REFUSALS:
            which = (partition.topic, "")
        self._refusals[which] += 1
        times = self._refusals[which]
        if str(times).strip("0") == "1":
            log.warning(
                "%s partition %d offset %d cannot be shown: %s%s",
                partition.topic,
                partition.partition,
                message.offset,
                error,
                "" if times == 1 else f" (the {times}th of this session)",
                extra=named,
                # An expected error is a sentence; of any other the traceback is wanted.
                exc_info=None if isinstance(error, topics.BadRecord) else error,
            )


class TopicTail:
    """Reads topics. It reconnects for as long as it is not stopped, and goes on where it was.

    ``take`` gets what is read; ``look`` is called when what it says of itself (``connected`` and the next three) has
    changed.
    """

    def __init__(
        self,
        names: Sequence[str],
        poll_ms: int,
        settings: Settings,
        take: Callable[[Batches], None],
        look: Callable[[], None],
    ) -> None:
        self.connected = self.caught_up = False
        self.lags: dict[tuple[str, int], int] = {}
        self.stuck: str | None = None
        self._stalls = StallDetector("read")
        self._names = tuple(names)
        self._told = " and ".join(names)
        self._poll_ms = poll_ms
        self._settings = settings
        self._take = take
        self._look = look
        self._positions: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._answered = False
        """Whether the present connection got as far as the topics."""

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run(), name=f"reader of {self._told}")

    async def stop(self) -> None:
        """Stop and close the connection."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        while not _cancelled():
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError, asyncio.CancelledError) as error:
                # A lost broker can reach us as a cancellation inside aiokafka, and ours can reach us as an
                # error of the connection: only the task itself knows whether it is to end.
                if _cancelled():
                    return
                # One line for each outage: a broker that is away for an hour must not fill the log.
                log.log(
                    logging.DEBUG if failures else logging.WARNING,
                    "reading topics %s from %s failed (%s: %s); trying again",
                    self._told,
                    ", ".join(self._settings.bootstrap),
                    type(error).__name__,
                    error,
                )
            except Exception:
                log.exception("reading topics %s failed; trying again", self._told)
            failures = 0 if self._answered else failures + 1
            self._say(connected=False)
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])

    def _say(self, *, connected: bool) -> None:
        self._answered = self.connected = connected
        self._look()

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=self._poll_ms,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            metadata_max_age_ms=30_000,
            **self._settings.kafka_client(),
        )
        check: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(ANSWER_S * 2):
                await consumer.start()
            partitions = await self._partitions(consumer)
            await self._resume(consumer, partitions)
            log.info("reading topics %s, %d partitions", self._told, len(partitions))
            self._say(connected=True)
            check = asyncio.create_task(self._check(consumer, partitions))
            while not check.done():
                batches = await consumer.getmany(timeout_ms=1000, max_records=POLL_RECORDS)
                self._take(batches)
                for partition, batch in batches.items():
                    if batch:
                        self._positions[partition] = batch[-1].offset + 1
            await check
        finally:
            self.connected = False  # at once: closing a connection to a lost broker takes its time
            self._look()
            if check:
                check.cancel()
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_S):
                    await consumer.stop()

    async def _partitions(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """Every partition of the topics, assigned to this consumer, once all topics exist.

        Subscribing before would make the broker create them by itself, with partitions of its own choice.
        """
        told = False
        while True:
            async with asyncio.timeout(ANSWER_S):
                missing = [name for name in self._names if name not in await consumer.topics()]
            if not missing:
                break
            if not told:
                log.info("waiting for topics %s; `f1stream topics` creates them", " and ".join(missing))
                told = True
            self.connected = True  # to a broker on which nothing has been raced yet
            self._look()
            await asyncio.sleep(BACKOFF_S[0])
        consumer.subscribe(list(self._names))
        async with asyncio.timeout(ANSWER_S):
            # Metadata may bring one topic before the other; aiokafka has no event for it.
            while {each.topic for each in consumer.assignment()} != set(self._names):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return sorted(consumer.assignment())

    async def _resume(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """Go on where the last connection ended, if the log still reaches there.

        A topic that was created anew is shorter: it is read from its beginning; the tapes drop repeats, and
        results take the place of the same results.
        """
        async with asyncio.timeout(ANSWER_S):
            first = await consumer.beginning_offsets(partitions)
            end = await consumer.end_offsets(partitions)
        for partition in partitions:
            position = self._positions.get(partition, 0)
            inside = first[partition] <= position <= end[partition]
            self._positions[partition] = position if inside else first[partition]
            consumer.seek(partition, self._positions[partition])

    async def _check(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """Ask for the log's ends again and again; raises when the broker does not answer."""
        while True:
            async with asyncio.timeout(ANSWER_S):
                ends = await consumer.end_offsets(partitions)
            positions = {each: self._positions.get(each, 0) for each in partitions}
            self.lags = {(each.topic, each.partition): max(0, ends[each] - at) for each, at in positions.items()}
            now = time.monotonic()
            told = [
                self._stalls.stuck(each.topic, each.partition, ends[each], at, now) for each, at in positions.items()
            ]
            self.stuck = next(filter(None, told), None)
            if not self.caught_up and not any(self.lags.values()):
                self.caught_up = True
            self._look()
            await asyncio.sleep(CHECK_S if self.caught_up else CHECK_S / 20)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def read_record(key: bytes | None, headers: topics.Headers, value: bytes | None, arrived_ms: int) -> FramesRecord:
    """A record of topic ``frames`` by its key and headers, its value unread.

    Raises ValueError (``topics.BadRecord``) with the reason as a sentence.
    """
    session_key = topics.session_key_of(key)
    if not value:
        raise topics.BadRecord("the value is empty")
    found = dict(headers)
    try:
        kind = found["kind"].decode()
        epoch, seq = _number(found["epoch"]), _number(found["seq"])
        if kind == "damaged":
            topics.decode_damaged(value)
            return FramesRecord(session_key, "damaged", epoch, seq, frozenset(), value, arrived_ms)
        if kind == "head":
            read_head(value)
            return FramesRecord(session_key, "head", epoch, seq, frozenset(), value, arrived_ms)
        count = _number(found["count"])
        keys = frozenset(_number(number) for number in found["keys"].split(b",") if number)
    except KeyError as missing:
        raise topics.BadRecord(f"header {missing} is missing") from None
    except (TypeError, AttributeError):
        raise topics.BadRecord("a header is null") from None
    if kind != "frames":
        raise topics.BadRecord(f"kind is {kind!r}, none of head, frames and damaged")
    if value.count(b"\n") + 1 != count:
        raise topics.BadRecord(f"the value has not the {count} lines that its headers say")
    return FramesRecord(session_key, "frames", epoch, seq, keys, value, arrived_ms)


def _number(value: bytes) -> int:
    number = int(value)
    if not 0 <= number <= topics.MOST:
        raise topics.BadRecord("a header is not a number of 64 bits")
    return number


def read_head(value: bytes) -> None:
    """Raises ``topics.BadRecord`` for a value that is no head: every answer about a session needs its head."""
    if not isinstance(topics.decode_frames(value)[0], SessionHeader):
        raise topics.BadRecord("kind is head, but the value is a frame")


def of_time(epoch: int, published_ms: int) -> None:
    """Raises ``topics.BadRecord`` when a run id lies ahead of its frames (Unix ms): see ``RecordHeaders.decode``."""
    if epoch > published_ms + topics.MAX_AHEAD_MS:
        raise topics.BadRecord(f"run id {epoch} lies more than an hour after the record was published")


def read_fact(topic: str, message: Any) -> Fact:
    """A record of topic ``laps`` or ``messages``. Raises ValueError (``topics.BadRecord``), as a sentence."""
    headers = topics.RecordHeaders.decode(message.headers, message.timestamp / 1000)
    key, value = message.key, message.value
    of_car = topic == topics.LAPS
    session_key = topics.session_of(key)[0] if of_car else topics.session_key_of(key)
    record: Lap | Message = topics.decode_lap(value) if of_car else topics.decode_message(value)
    return Fact(session_key, headers.run_id, topic, key or b"", headers.seq, headers.emitted_ms, record)


def read_marts(key: bytes | None, value: bytes | None) -> SessionResult | Season:
    """A record of topic ``marts``. Raises ValueError (``topics.BadRecord``) with the reason as a sentence."""
    record = topics.decode_marts(value)
    if key != topics.marts_key(record):
        raise topics.BadRecord(f"the key is {key!r}, but the value is for {topics.marts_key(record)!r}")
    try:
        orjson.dumps(record.model_dump())
    except orjson.JSONEncodeError as error:
        raise topics.BadRecord(f"it cannot be written as JSON: {error}") from None
    return record
