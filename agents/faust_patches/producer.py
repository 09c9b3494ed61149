"""A producer that knows a topic's partitions before it uses them, and writes a retried batch once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.exceptions import NotReady
from faust.transport.drivers import aiokafka as driver


class Producer(driver.Producer):
    """Towards a broker without idempotent producers."""

    async def create_topic(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Create a topic; returns when its partitions are known, and they stay known.

        A table asks for a key's partition without waiting. A broker may not know yet what it has just created, and
        once the client follows one topic it forgets those that it does not follow: a new topic's first worker ended.
        """
        await super().create_topic(topic, *args, **kwargs)
        producer = self._ensure_producer()
        await producer.client.add_topic(topic)
        while producer.client.cluster.partitions_for_topic(topic) is None:
            await producer.partitions_for(topic)

    async def send(self, topic: str, *args: Any, **kwargs: Any) -> Any:
        """Send a record once its topic's partitions are known.

        Of two requests for metadata the older can be answered last; then the client has forgotten the newer topic.
        """
        producer = self._ensure_producer()
        while producer.client.cluster.partitions_for_topic(topic) is None:
            await producer.partitions_for(topic)
        return await super().send(topic, *args, **kwargs)

    def partition_count(self, topic: str) -> int | None:
        """How many partitions a topic has; None while the client does not know it or has not started."""
        try:
            known = self._ensure_producer().client.cluster.partitions_for_topic(topic)
        except NotReady:
            return None
        return None if known is None else len(known)


class IdempotentProducer(Producer):
    """Faust asks for idempotence only in transactions."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}
