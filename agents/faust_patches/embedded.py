"""Transport for the embedded broker: no idempotent producers, and workarounds for two differences from Kafka."""

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
"""URL scheme of the embedded broker."""
BUSY_MS = 10
"""Milliseconds that a fetch may take while records arrive: the broker always takes half of them."""
FETCH_BYTES = 64 * 1024
"""Minimum bytes of a fetch. The broker scans the partition from its beginning each time: fetch few, large ones."""


class EmbeddedConsumerThread(ConsumerThread):
    """Fetches shorter and more, and asks for the end of a log so that the broker answers correctly."""

    busy_ms = BUSY_MS

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        """Change how much a fetch waits for, which Faust hard-codes."""
        client = super()._create_worker_consumer(transport)
        client._fetch_min_bytes = FETCH_BYTES
        return client

    async def _highwaters(self, partitions: list[Any]) -> Mapping[Any, int]:
        """Ends of logs. The broker counts the last batch as one record, so that table recovery would stop short."""
        ends: Mapping[Any, int] = await end_offsets(settings(), partitions)
        return ends


class EmbeddedConsumer(Consumer):
    """Fetches in ``EmbeddedConsumerThread``."""

    thread_type = EmbeddedConsumerThread


class EmbeddedTransport(driver.Transport):
    """Uses a producer that is not idempotent, and ``EmbeddedConsumer``."""

    Producer = Producer
    Consumer = EmbeddedConsumer
