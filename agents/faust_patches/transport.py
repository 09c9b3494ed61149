"""Transport for Apache Kafka. Faust finds a transport by the scheme of the broker's URL.

The entry points (group ``faust.transports``) are in ``pyproject.toml``. ``embedded`` has the other transport.
"""

from __future__ import annotations

from faust.transport.drivers import aiokafka as driver

from agents.faust_patches.consumer import Consumer
from agents.faust_patches.producer import IdempotentProducer

SCHEME = "f1stream"
"""URL scheme of Apache Kafka brokers."""


class Transport(driver.Transport):
    """Uses ``IdempotentProducer`` and our ``Consumer``."""

    Producer = IdempotentProducer
    Consumer = Consumer
