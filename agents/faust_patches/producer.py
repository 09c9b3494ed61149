"""Producers that wait for a topic's partitions to be known; the one for Apache Kafka is idempotent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.exceptions import NotReady
from faust.transport.drivers import aiokafka as driver


class Producer(driver.Producer):
    """For a broker without idempotent producers."""

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Create a topic; returns when the client knows its partitions, and keeps them known.

        A broker may not know a topic right after creating it, and a client that follows some topics forgets the
        others. The first worker on a new topic failed because of it.
        """
        await super().create_topic(topic, *args, **kwargs)
        producer = self._ensure_producer()
        await producer.client.add_topic(topic)
        while producer.client.cluster.partitions_for_topic(topic) is None:
            await producer.partitions_for(topic)

    async def send(self, topic: str, *args: Any, **kwargs: Any) -> Any:
        """Send a record once the client knows its topic's partitions.

        If the older of two metadata requests is answered last, the client forgets the newer topic.
        """
        producer = self._ensure_producer()
        while producer.client.cluster.partitions_for_topic(topic) is None:
            await producer.partitions_for(topic)
        return await super().send(topic, *args, **kwargs)

    def partition_count(self, topic: str) -> int | None:
        """A topic's number of partitions; None if the client does not know it or has not started."""
        try:
            known = self._ensure_producer().client.cluster.partitions_for_topic(topic)
        except NotReady:
            return None
        return None if known is None else len(known)


class IdempotentProducer(Producer):
    """Idempotent outside of transactions too, where Faust does not request it."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}
