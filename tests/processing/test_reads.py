"""Whether a gap is in the log, or of our own reading."""

from __future__ import annotations

import pytest

from f1stream import topics
from f1stream.processing.reads import AssignedReads
from tests.support.harness import MemoryRecord, Offsets

OF = (topics.LAPS, 0)


def record(offset: int) -> MemoryRecord:
    return MemoryRecord(*OF, offset, b"s:4", b"a lap", [])


def reads(*offsets: int, committed: int | None = 5, end: int = 8) -> AssignedReads:
    """A partition of which these were read."""
    found = AssignedReads(lambda: {OF: Offsets(end, committed)})
    for offset in offsets:
        found.add(record(offset))
    return found


def test_what_was_in_the_log_when_reading_began_is_read_again() -> None:
    assert reads(5, 6, 7).is_reread(record(7))


@pytest.mark.parametrize("committed", [None, 5])
def test_nothing_acknowledged_is_the_logs_beginning(committed: int | None) -> None:
    assert reads(5, committed=committed).is_reread(record(5))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (reads(5, 6, 7, 8), "it came later"),
        (reads(6, 7), "reading began behind the acknowledged offset"),
        (reads(5, 7), "an offset was left out"),
        (reads(), "nothing of the partition was read"),
    ],
)
def test_otherwise_the_gap_may_be_ours(found: AssignedReads, why: str) -> None:
    assert not found.is_reread(record(8 if why == "it came later" else 7)), why


def test_records_that_are_delivered_again_leave_nothing_out() -> None:
    assert reads(5, 6, 5, 6, 7).is_reread(record(7))


def test_after_a_rebalance_it_begins_again() -> None:
    found = reads(5, 7)
    found.reset()
    assert not found.is_reread(record(7))
    found.add(record(5))
    assert found.is_reread(record(5))


def test_a_partition_that_is_not_assigned_says_nothing() -> None:
    found = AssignedReads(dict)
    found.add(record(5))
    assert not found.is_reread(record(5))
