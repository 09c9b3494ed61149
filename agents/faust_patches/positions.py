"""Offsets and partition counts that a worker's Kafka clients know; Faust has no public API for either."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from faust.exceptions import ConsumerNotStarted

from f1stream.processing.reads import PartitionOffsets


def input_positions(app: Any) -> dict[Any, PartitionOffsets]:
    """Offsets of the assigned input partitions, by partition.

    Changelogs are left out: they stay assigned and fetched after recovery, but nothing acknowledges them.
    """
    consumer = app._consumer
    try:
        assignment = () if consumer is None else consumer.assignment()
    except ConsumerNotStarted:
        return {}
    return {
        tp: PartitionOffsets(consumer.highwater(tp) or 0, consumer._committed_offset.get(tp))
        for tp in assignment
        if app.topics.acks_enabled_for(tp.topic)
    }


def partition_counts(app: Any, names: Iterable[str]) -> dict[str, int]:
    """Number of partitions of each topic and changelog that the app's clients know by now.

    The consumer knows the topics that it reads, including changelogs; the producer knows those that it writes.
    """
    consumer, producer = app._consumer, app.producer
    if consumer is None:
        return {}
    counts = {
        name: consumer.topic_partitions(name) or producer.partition_count(name)
        for name in {*names, *app.tables.changelog_topics}
    }
    return {name: count for name, count in counts.items() if count}
