"""Towards Apache Kafka. Faust finds the transport of a broker's URL by its scheme, in ``faust.transports``.

The entry points are in ``pyproject.toml``; see ``agents.faust_patches.embedded`` for the other one.
"""

from __future__ import annotations

from faust.transport.drivers import aiokafka as driver

from agents.faust_patches.consumer import Consumer
from agents.faust_patches.producer import IdempotentProducer

SCHEME = "f1stream"
"""Of URLs of Kafka brokers."""


class Transport(driver.Transport):
    """Idempotent producers, and our consumer."""

    Producer = IdempotentProducer
    Consumer = Consumer
