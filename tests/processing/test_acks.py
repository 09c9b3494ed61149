"""Only the contiguous done prefix of a partition is acknowledged."""

from __future__ import annotations

from f1stream.processing.acks import AckTracker
from tests.support.harness import MemoryEvent, MemoryRecord, run


def event(partition: int, offset: int) -> MemoryEvent:
    return MemoryEvent(MemoryRecord("telemetry", partition, offset, None, None, []))


def acknowledged(tracker: AckTracker) -> list[tuple[int, int]]:
    """(partition, offset) of the events acknowledged now."""
    done: list[tuple[int, int]] = []

    async def acknowledge(of: MemoryEvent) -> None:
        done.append((of.message.partition, of.message.offset))

    run(tracker.acknowledge(acknowledge))
    return done


def test_an_event_that_is_not_done_holds_back_those_after_it_in_its_partition() -> None:
    tracker = AckTracker()
    zero, one, two = (tracker.take(event(0, offset)) for offset in (0, 1, 2))
    other = tracker.take(event(1, 40))
    for pending in (zero, two, other):
        pending.done = True
    assert acknowledged(tracker) == [(0, 0), (1, 40)]
    assert len(tracker) == 2
    one.done = True
    assert acknowledged(tracker) == [(0, 1), (0, 2)]
    assert len(tracker) == 0


def test_after_a_reset_nothing_from_before_it_is_acknowledged() -> None:
    tracker = AckTracker()
    before = tracker.take(event(0, 3))
    tracker.reset()
    before.done = True
    again = tracker.take(event(0, 3))
    assert acknowledged(tracker) == []
    again.done = True
    assert acknowledged(tracker) == [(0, 3)]


def test_received_offsets_are_known_by_partition() -> None:
    tracker = AckTracker()
    tracker.take(event(0, 3))
    tracker.take(event(1, 9))
    tracker.reset()
    assert tracker.received == {("telemetry", 0): 4, ("telemetry", 1): 10}
