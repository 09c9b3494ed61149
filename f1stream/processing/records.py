"""The input of a stage: Kafka records, in events that can be acknowledged."""

from __future__ import annotations

from typing import Protocol

from f1stream.topics import Headers


class KafkaRecord(Protocol):
    """One Kafka record. Faust's ``Message`` is one."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    timestamp: float
    """When it was published, Unix seconds."""


class KafkaEvent(Protocol):
    """A delivered record that must be acknowledged. Faust's ``Event`` is one."""

    @property
    def message(self) -> KafkaRecord:
        """The record."""
