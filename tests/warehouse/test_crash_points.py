"""A crash, a lost warehouse or a rebalance at every step of the archive sink: each row is loaded once.

A run without faults counts the steps of several flushes, with a record that cannot be decoded and one that the
warehouse refuses. Then the run is repeated with a fault at each step; all of it with a worker that receives during a
flush, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from f1stream import topics
from f1stream.topics import SequenceGap
from f1stream.warehouse.buffer import FlushLimits
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.partition_batch import Partition
from tests.support.archive_harness import (
    Away,
    Died,
    MemoryKafka,
    MemoryWarehouse,
    Worker,
    assert_exact,
    good,
    run_until_loaded,
)

FIRST, SECOND = Partition(topics.MESSAGES, 0), Partition(topics.MESSAGES, 1)
ENDS_A_PROCESS = (Died, Away, WarehouseError, SequenceGap, asyncio.CancelledError)
"""Exceptions that end a worker when they leave the sink (see ``exit_on_error``)."""


def scene() -> tuple[MemoryKafka, MemoryWarehouse]:
    """Three flushes by size and one by age."""
    kafka = MemoryKafka()
    warehouse = MemoryWarehouse(kafka)
    kafka.produce(FIRST, good(0), good(1), b"no JSON", *map(good, range(3, 8)))
    kafka.produce(SECOND, good(10), good(11), good(12), good(13), good(14))
    warehouse.refused = {good(11)}
    return kafka, warehouse


async def gates_without_faults(overlaps: bool) -> list[str]:
    worker = Worker(*scene(), overlaps=overlaps)
    with suppress(Exception):  # fails in the test without faults, not at collection
        await worker.run()
    return worker.faults.passed


GATES = {overlaps: asyncio.run(gates_without_faults(overlaps)) for overlaps in (False, True)}
OVERLAPS = pytest.mark.parametrize("overlaps", GATES, ids=lambda overlaps: "overlapping" if overlaps else "alone")


def each(gates: Callable[[bool], list[int]]) -> pytest.MarkDecorator:
    cases = [(overlaps, nth) for overlaps in GATES for nth in gates(overlaps)]
    ids = [f"{'overlapping-' * overlaps}{nth}-{GATES[overlaps][nth]}" for overlaps, nth in cases]
    return pytest.mark.parametrize(("overlaps", "nth"), cases, ids=ids)


def of_the_warehouse(overlaps: bool) -> list[int]:
    gates = GATES[overlaps]
    steps = ("put", "copy", "compare_and_set", "commit", "offsets")
    return [n for n, gate in enumerate(gates) if "put:before" in gates[: n + 1] and gate.startswith(steps)]


EVERY_GATE = each(lambda overlaps: list(range(len(GATES[overlaps]))))


@OVERLAPS
async def test_without_faults_every_row_is_loaded_once(*, overlaps: bool) -> None:
    kafka, warehouse = scene()
    await Worker(kafka, warehouse, overlaps=overlaps).run()
    assert_exact(kafka, warehouse)


@OVERLAPS
def test_every_step_of_a_flush_has_gates(*, overlaps: bool) -> None:
    steps = {
        "offsets", "begin_at", "send", "delivery", "put", "copy", "compare_and_set", "commit", "acknowledge",
    }  # fmt: skip
    assert {f"{step}:{when}" for step in steps for when in ("before", "after")} - set(GATES[overlaps]) == {
        "send:after"
    }
    assert GATES[overlaps].count("commit:after") >= 4


async def die() -> None:
    raise Died


async def lose_the_warehouse() -> None:
    """Before a step: it is not done. After it: it is done, but its answer is lost."""
    raise Away("no answer")


async def cancel() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("fault", [die, lose_the_warehouse, cancel])
@EVERY_GATE
async def test_a_fault_at_any_step_loads_every_row_once(
    nth: int, fault: Callable[[], Awaitable[None]], *, overlaps: bool
) -> None:
    kafka, warehouse = scene()
    worker = Worker(kafka, warehouse, overlaps=overlaps)
    worker.faults.plan = {nth: fault}
    with suppress(*ENDS_A_PROCESS):
        await worker.run()
    assert len(worker.faults.passed) > nth
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)


@each(of_the_warehouse)
async def test_the_worker_waits_for_a_warehouse_that_is_away(nth: int, *, overlaps: bool) -> None:
    """Away three times in a row."""
    kafka, warehouse = scene()
    worker = Worker(kafka, warehouse, overlaps=overlaps)
    worker.faults.plan = dict.fromkeys(range(nth, nth + 3), lose_the_warehouse)
    await worker.run()
    assert_exact(kafka, warehouse)
    assert worker.waits[-1] is None
    assert any(worker.waits)


async def until_frozen(worker: Worker, nth: int) -> tuple[asyncio.Task[None], asyncio.Event]:
    """Start a worker that freezes at the nth gate; returns it with a function that wakes it."""
    frozen, wake = asyncio.Event(), asyncio.Event()

    async def freeze() -> None:
        frozen.set()
        await wake.wait()

    worker.faults.plan = {nth: freeze}
    life = asyncio.create_task(worker.run())
    await frozen.wait()
    return life, wake


@EVERY_GATE
@pytest.mark.parametrize("session_ends", [True, False], ids=["its session has ended", "its session continues"])
@pytest.mark.parametrize("knows", [True, False], ids=["revoked", "frozen"])
async def test_of_two_workers_one_loads_each_row(
    nth: int, *, overlaps: bool, session_ends: bool, knows: bool
) -> None:
    """The first worker freezes in mid-step while a second one takes over its partitions; then it resumes.

    If revoked, it knows that it has lost the partitions; if frozen, it does not. If its session continues, it holds
    locks on the offsets, and wakes when the second one waits for them.
    """
    kafka, warehouse = scene()
    first = Worker(kafka, warehouse, overlaps=overlaps)
    life, wake = await until_frozen(first, nth)
    if session_ends:
        warehouse.end_sessions()
    if knows:
        first.revoke()

    async def wake_the_first(_: float) -> None:
        wake.set()
        for _ in range(50):
            await asyncio.sleep(0)

    second = Worker(kafka, warehouse, sleep=wake_the_first)
    await second.run()
    loaded = list(warehouse.rows), dict(warehouse.loaded_by), dict(kafka.committed)
    wake.set()
    with suppress(*ENDS_A_PROCESS):
        await life
    assert (warehouse.rows, warehouse.loaded_by, kafka.committed) == loaded, "the first worker wrote after it woke"
    assert_exact(kafka, warehouse)


LIVES = st.lists(
    st.tuples(
        st.integers(0, 60), st.sampled_from(["die", "away", "cancel", "drop", "redeliver", "reassign"]),
        st.integers(1, 5), st.integers(1, 6),
    ),
    max_size=6,
)  # fmt: skip
VALUES = st.lists(st.sampled_from(["good", "bad", "refused", "missing"]), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@example(  # the first record after an assignment is skipped
    lives=[(0, "reassign", 1, 1), (48, "die", 2, 3), (6, "drop", 2, 1)],
    kinds=(["good", "missing", "refused"], ["good", "good", "bad"]),
    overlaps=False,
)
@given(lives=LIVES, kinds=st.tuples(VALUES, VALUES), overlaps=st.booleans())
def test_every_row_is_loaded_once_after_any_sequence_of_faults(
    lives: list[tuple[int, str, int, int]], kinds: tuple[list[str], list[str]], overlaps: bool
) -> None:
    asyncio.run(any_lives(lives, kinds, overlaps))


async def any_lives(
    lives: list[tuple[int, str, int, int]], kinds: tuple[list[str], list[str]], overlaps: bool
) -> None:
    kafka = MemoryKafka()
    warehouse = MemoryWarehouse(kafka)
    for partition, own in zip((FIRST, SECOND), kinds, strict=True):
        for n, kind in enumerate([*own, "good"]):  # a log ends with a record, not with a marker
            value = good(100 * partition.partition + n)
            kafka.produce(partition, {"missing": None, "bad": b"no JSON"}.get(kind, value))
            if kind == "refused":
                warehouse.refused.add(value)
    for gate, what, most, rows in lives:
        warehouse.end_sessions()
        worker = Worker(kafka, warehouse, limits=FlushLimits(rows, 1_000_000, 10.0), overlaps=overlaps)

        async def fault(worker: Worker = worker, what: str = what) -> None:
            if what == "die":
                raise Died
            if what == "away":
                raise Away("no answer")
            if what == "cancel":
                raise asyncio.CancelledError
            for partition, position in worker.positions.items():
                worker.positions[partition] = max(position + {"drop": 1, "redeliver": -2}.get(what, 0), 0)
            if what == "reassign":
                worker.revoke()

        worker.faults.plan = {gate: fault}
        with suppress(*ENDS_A_PROCESS):
            await worker.run(most)
            if worker.generation == -1:  # a rebalance assigns the partitions again
                await worker.run(most)
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)
