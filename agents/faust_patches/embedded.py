"""Towards the embedded broker: no idempotent producers, and two differences from Kafka that break Faust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiokafka
from faust.transport.drivers import aiokafka as driver

from agents.faust_patches.consumer import Consumer
from agents.faust_patches.consumer_thread import ConsumerThread
from agents.faust_patches.producer import Producer
from f1stream.kafka import end_offsets
from f1stream.settings import settings

SCHEME = "f1stream-embedded"
"""Of URLs of the embedded broker."""
FETCH_WAIT_MS = 20
"""The embedded broker answers a fetch at the end of a log after half of this; Faust's 1,500 ms would be a delay."""
FETCH_BYTES = 64 * 1024
"""Least bytes of a fetch. The broker scans a partition from its beginning for each: rather few, large ones."""


class EmbeddedConsumerThread(ConsumerThread):
    """Fetches as suits that broker, and asks it for the ends of logs in a way that it answers correctly."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        """Faust hard-codes how long a fetch waits."""
        client = super()._create_worker_consumer(transport)
        client._fetch_max_wait_ms = FETCH_WAIT_MS
        client._fetch_min_bytes = FETCH_BYTES
        return client

    async def _highwaters(self, partitions: list[Any]) -> Mapping[Any, int]:
        """The broker counts the last batch as one record: a table's recovery would stop before its end."""
        ends: Mapping[Any, int] = await end_offsets(settings(), partitions)
        return ends


class EmbeddedConsumer(Consumer):
    """Reads by that thread."""

    thread_type = EmbeddedConsumerThread


class EmbeddedTransport(driver.Transport):
    """A producer that is not idempotent, and that consumer."""

    Producer = Producer
    Consumer = EmbeddedConsumer
