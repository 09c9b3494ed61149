"""Faust's Kafka transport as we need it: idempotent producers, and the embedded broker's ways."""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from itertools import count
from typing import Any

import aiokafka
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.exiting import exit_process
from f1stream.kafka import log_ends
from f1stream.settings import settings

EMBEDDED_FETCH_WAIT_MS = 20
"""The embedded broker answers a fetch at the end of a log after half of this; Faust's 1,500 ms would show."""
EMBEDDED_FETCH_BYTES = 64 * 1024
"""It searches a partition from its beginning for each fetch: rather few large ones."""


class Producer(driver.Producer):
    """Faust's producer with two gaps mended."""

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """As Faust's own, returning when the topic's partitions are known; and they stay known.

        A table asks for a key's partition on the spot. A broker may not know yet what it has just made, and the
        client forgets what it was not told to follow once it follows one topic: the first worker on a new one ended.
        """
        await super().create_topic(topic, *args, **kwargs)
        client = self._ensure_producer().client
        await client.add_topic(topic)
        while client.cluster.partitions_for_topic(topic) is None:
            await client._wait_on_metadata(topic)

    async def send(self, topic: str, *args: Any, **kwargs: Any) -> Any:
        """As Faust's own, once the topic's partitions are known.

        Of two requests for metadata the older can be answered last; then the client has forgotten the newer topic.
        """
        client = self._ensure_producer()
        while client.client.cluster.partitions_for_topic(topic) is None:
            await client.partitions_for(topic)
        return await super().send(topic, *args, **kwargs)


class IdempotentProducer(Producer):
    """A retried batch is written once."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Thread(driver.AIOKafkaConsumerThread):
    """Reads from the broker, and knows from which position records were fetched."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places: dict[Any, int] = {}
        """By partition, which of all settings of a position was its last; empty when they are assigned anew."""
        self.places_at_fetch: dict[Any, int] = {}
        """The same when the latest records were taken from the fetcher."""
        self._settings = count()
        self._generation: Any = None
        """Of the assignment; None while they are being assigned anew."""

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """As Faust's own."""
        self._generation = None
        self.places.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """As Faust's own."""
        self._generation = generation_id
        self.places.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(*args, **kwargs)
        self.places_at_fetch = self.places.copy()
        return records

    async def committed(self) -> dict[Any, int | None]:
        """What the group has committed, by partition of the topics that are read (None: nothing)."""
        known: dict[Any, int | None] = await self.call_thread(self._committed)
        return known

    async def _committed(self) -> dict[Any, int | None]:
        consumer = self._ensure_consumer()
        tps = [TP(*tp) for tp in consumer.assignment() if not self.consumer._is_changelog_tp(tp)]
        return {tp: await consumer.committed(tp) for tp in tps}

    async def move(self, positions: Mapping[Any, int | None], generation: Any) -> None:
        """Set partitions' positions (None: the beginning).

        Raises IllegalStateError when they are not ours any more, or not since ``generation``.
        """
        await self.call_thread(self._move, positions, generation)

    async def _move(self, positions: Mapping[Any, int | None], generation: Any) -> None:
        consumer = self._ensure_consumer()
        begins = await consumer.beginning_offsets([tp for tp, offset in positions.items() if not offset])
        if self._generation != generation:
            raise IllegalStateError("The partitions are being assigned anew.")
        for tp, offset in positions.items():  # without a pause: no fetch may come between
            consumer.seek(tp, offset or begins[tp])
            self.places[tp] = next(self._settings)

    async def _seek_wait(self, consumer: Any, partitions: Mapping[Any, int]) -> None:
        for tp in partitions:  # Faust's own sets their positions before it waits for anything
            self.places[tp] = next(self._settings)
        await super()._seek_wait(consumer, partitions)


class Consumer(driver.Consumer):
    """Faust's consumer with four gaps mended, and made to cost less."""

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """As Faust's own, but what was never committed goes to its beginning, and what the app knows better further
        back; all at once.
        """
        generation = self.app.tables.recovery._generation_id  # that for which it has recovered them
        committed = await self._thread.committed()
        positions = {**committed, **await self.app.earlier_positions(committed)}
        await self._thread.move(positions, generation)
        for tp, offset in positions.items():
            self._read_offset[tp] = self._committed_offset[tp] = offset or None

    def _filter_committable_offsets(self, tps: Iterable[Any]) -> dict[Any, int]:
        """As Faust's own; nothing of partitions that are being assigned anew.

        What is acknowledged after they were revoked may lie in a table only after their new owner has recovered it;
        but the client commits it as a member of the new generation, and the broker takes it: a hole for the owner.
        """
        ours = [tp for tp in tps if tp in self._thread.places]
        committable: dict[Any, int] = super()._filter_committable_offsets(ours)
        return committable

    async def _wait_next_records(self, timeout: float) -> Any:
        """As Faust's own; nothing while partitions are being assigned anew: Faust would set their positions."""
        records, active = await super()._wait_next_records(timeout)
        return (records if self.flow_active else None), active

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Nothing: Faust's look for stuck partitions ends the worker when it meets one whose position is being set.

        ``agents.health`` looks for them, and only tells.
        """

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        """As Faust's own, without records from before their partition's position was set.

        Faust sets it last of all after a rebalance, when it may have begun to deliver: records from the client's
        own position, of which it has dropped the first; and it asks for the generation after it has waited for
        records, so those of the old position look like the new one's. Delivered, either leaves out what is before.
        """
        thread = self._thread
        async for tp, message in super().getmany(timeout):
            place = thread.places.get(tp)
            if place is None or place != thread.places_at_fetch.get(tp):
                continue
            read = self._read_offset[tp]
            if read is not None and message.offset < read:
                exit_process(
                    f"{tp.topic}[{tp.partition}] was read to {read} and goes on at {message.offset}: "
                    "the topic was deleted and created anew."
                )
            yield tp, message

    async def wait_first(self, *waitables: Any, timeout: Any = None) -> Any:
        """As Faust's own, but a coroutine that need not wait (a queue with room) is run on the spot.

        Faust starts four tasks for each message, which is most of what it costs.
        """
        first, *others = waitables
        if inspect.iscoroutine(first) and not self.suspend_flow.is_set():
            try:
                waits_for = first.send(None)
            except StopIteration:
                for other in others:
                    other.close()
                return None
            first = _rest(first, waits_for)
        return await super().wait_first(first, *others, timeout=timeout)


async def _rest(coroutine: Any, waits_for: Any) -> Any:
    return await _go_on(coroutine, waits_for)  # type: ignore[misc]


@types.coroutine
def _go_on(coroutine: Any, waits_for: Any) -> Generator[Any, Any, Any]:  # awaitable by its decorator
    """The rest of a coroutine that has been run up to its first wait."""
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:
            waits_for = coroutine.throw(error)
        else:
            try:
                waits_for = coroutine.send(sent)
            except StopIteration as stop:
                return stop.value


class Transport(driver.Transport):
    """Towards Apache Kafka."""

    Producer = IdempotentProducer
    Consumer = Consumer


class EmbeddedThread(Thread):
    """A consumer of the embedded broker, which differs from Kafka in two ways that Faust cannot bear."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = EMBEDDED_FETCH_WAIT_MS
        consumer._fetch_min_bytes = EMBEDDED_FETCH_BYTES
        return consumer

    async def _highwaters(self, partitions: list[Any]) -> Mapping[Any, int]:
        """The embedded broker takes the last batch for one record; tables would be recovered short."""
        ends: Mapping[Any, int] = await log_ends(settings(), partitions)
        return ends


class EmbeddedConsumer(Consumer):
    """Uses that thread."""

    def _new_consumer_thread(self) -> EmbeddedThread:
        return EmbeddedThread(self, loop=self.loop, beacon=self.beacon)


class EmbeddedTransport(driver.Transport):
    """Towards the embedded broker, which knows no idempotent producers."""

    Producer = Producer
    Consumer = EmbeddedConsumer
