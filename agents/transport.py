"""Faust's Kafka transport as we need it: idempotent producers, and the embedded broker's ways."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Generator, Mapping
from typing import Any

import aiokafka
from faust.transport.drivers import aiokafka as driver

EMBEDDED_FETCH_WAIT_MS = 20
"""The embedded broker answers a fetch at the end of a log after half of this; Faust's 1,500 ms would show."""
EMBEDDED_FETCH_BYTES = 64 * 1024
"""It searches a partition from its beginning for each fetch: rather few large ones."""


class IdempotentProducer(driver.Producer):
    """A retried batch is written once."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Consumer(driver.Consumer):
    """Delivers a message to its stream without starting four tasks for it, which is most of what Faust costs."""

    async def wait_first(self, *waitables: Any, timeout: Any = None) -> Any:
        """As Faust's own, but a coroutine that need not wait (a queue with room) is run on the spot."""
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
    return await _go_on(coroutine, waits_for)


@types.coroutine
def _go_on(coroutine: Any, waits_for: Any) -> Generator[Any, Any, Any]:
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


class EmbeddedThread(driver.AIOKafkaConsumerThread):
    """A consumer of the embedded broker, which differs from Kafka in two ways that Faust cannot bear."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = EMBEDDED_FETCH_WAIT_MS
        consumer._fetch_min_bytes = EMBEDDED_FETCH_BYTES
        return consumer

    async def _highwaters(self, partitions: list[Any]) -> Mapping[Any, int]:
        """The embedded broker takes the last batch for one record; tables would be recovered short."""
        ends = await super()._highwaters(partitions)
        bootstrap = self._ensure_consumer()._client._bootstrap_servers
        return await log_ends(bootstrap, dict(ends))


class EmbeddedConsumer(Consumer):
    """Uses that thread."""

    def _new_consumer_thread(self) -> EmbeddedThread:
        return EmbeddedThread(self, loop=self.loop, beacon=self.beacon)


class EmbeddedTransport(driver.Transport):
    """Towards the embedded broker, which knows no idempotent producers."""

    Consumer = EmbeddedConsumer


async def log_ends(bootstrap: Any, reported: dict[Any, int]) -> dict[Any, int]:
    """The true ends of logs whose ``reported`` ends may lie within their last batch: a fetch there tells.

    Raises TimeoutError when the broker does not answer within 10 s.
    """
    behind = {aiokafka.TopicPartition(tp.topic, tp.partition): end for tp, end in reported.items() if end}
    if not behind:
        return reported
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=EMBEDDED_FETCH_WAIT_MS
    )
    await consumer.start()
    try:
        consumer.assign(list(behind))
        for tp, end in behind.items():
            consumer.seek(tp, end - 1)
        ends: dict[Any, int] = {}
        async with asyncio.timeout(10):
            while len(ends) < len(behind):
                await consumer.getmany(timeout_ms=100)
                ends = {tp: mark for tp in behind if (mark := consumer.highwater(tp)) is not None}
    finally:
        await consumer.stop()
    return {
        tp: max(end, ends.get(aiokafka.TopicPartition(tp.topic, tp.partition), 0)) for tp, end in reported.items()
    }
