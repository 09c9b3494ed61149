"""What a worker's clients know of partitions: how far its input is acknowledged, and how many each topic has.

Faust has no public way to ask for either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from faust.exceptions import ConsumerNotStarted

from f1stream.processing.reads import PartitionOffsets


def input_positions(app: Any) -> dict[Any, PartitionOffsets]:
    """The positions of the assigned partitions whose records the app acknowledges, by partition.

    A table's changelog stays assigned after its recovery, and the client fetches from it; nothing acknowledges it.
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
    """How many partitions each topic has, and each table's changelog, as far as the app's clients know them by now.

    The consumer knows the topics that it reads, changelogs too, and the producer those that are written.
    """
    consumer, producer = app._consumer, app.producer
    if consumer is None:
        return {}
    counts = {
        name: consumer.topic_partitions(name) or producer.partition_count(name)
        for name in {*names, *app.tables.changelog_topics}
    }
    return {name: count for name, count in counts.items() if count}
