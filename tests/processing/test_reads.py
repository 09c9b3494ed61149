"""A gap is in the log, or made by our own reading."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from f1stream import topics
from f1stream.processing.reads import AssignedReads, PartitionOffsets
from tests.support.harness import MemoryRecord, run

OF = (topics.LAPS, 0)


def record(offset: int) -> MemoryRecord:
    return MemoryRecord(*OF, offset, b"s:4", b"a lap", [])


def reads(*offsets: int, committed: int | None = 5, end: int = 8, log: Collection[int] = range(100)) -> AssignedReads:
    """A partition of which these offsets were read. ``log``: the offsets that it has."""

    async def next_record(_: tuple[str, int], offset: int) -> int | None:
        return next((each for each in log if each >= offset), None)

    found = AssignedReads(lambda: {OF: PartitionOffsets(end, committed)}, next_record)
    for offset in offsets:
        run(found.add(record(offset)))
    return found


def test_records_in_the_log_when_reading_began_are_reread() -> None:
    assert reads(5, 6, 7).is_reread(record(7))


@pytest.mark.parametrize("committed", [None, 5])
def test_without_a_committed_offset_reading_begins_at_the_first_record(committed: int | None) -> None:
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
def test_in_later_records_the_gap_may_be_ours(found: AssignedReads, why: str) -> None:
    assert not found.is_reread(record(8 if why == "it came later" else 7)), why


def test_redelivered_records_leave_nothing_out() -> None:
    assert reads(5, 6, 5, 6, 7).is_reread(record(7))


@pytest.mark.parametrize(
    ("offsets", "log"),
    [((7,), (7, 8)), ((5, 7), (4, 5, 7)), ((5, 6, 7), (5, 6, 7))],
    ids=["deleted by retention", "a transaction's marker", "complete"],
)
def test_an_offset_that_the_log_lacks_is_not_missed(offsets: tuple[int, ...], log: tuple[int, ...]) -> None:
    assert reads(*offsets, log=log).is_reread(record(7))


def test_without_an_answer_of_the_broker_the_gap_may_be_ours() -> None:
    assert not reads(5, 7, log=()).is_reread(record(7))


def test_after_a_rebalance_reading_begins_again() -> None:
    found = reads(5, 7)
    found.reset()
    assert not found.is_reread(record(7))
    run(found.add(record(5)))
    assert found.is_reread(record(5))


def test_in_a_partition_that_is_not_assigned_the_gap_may_be_ours() -> None:
    found = reads(5, end=0)
    found.positions = dict
    found.reset()
    run(found.add(record(5)))
    assert not found.is_reread(record(5))
