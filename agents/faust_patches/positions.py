"""How far the input partitions of a worker are acknowledged; Faust has no public way to ask."""

from __future__ import annotations

from typing import Any, NamedTuple

from faust.exceptions import ConsumerNotStarted


class Position(NamedTuple):
    """Offsets of one partition."""

    end: int
    """After the last record of its log, as of the latest fetch; 0 before the first."""
    committed: int | None
    """Before it, every record is acknowledged; None when none is."""


def input_positions(app: Any) -> dict[Any, Position]:
    """The positions of the assigned partitions whose records the app acknowledges, by partition.

    A table's changelog stays assigned after its recovery, and the client fetches from it; nothing acknowledges it.
    """
    consumer = app._consumer
    try:
        assignment = () if consumer is None else consumer.assignment()
    except ConsumerNotStarted:
        return {}
    return {
        tp: Position(consumer.highwater(tp) or 0, consumer._committed_offset.get(tp))
        for tp in assignment
        if app.topics.acks_enabled_for(tp.topic)
    }
