"""A worker dies or loses its partitions at every step: the frames are the same, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache

import pytest

from f1stream.processing.outputs import Output
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from tests.support.harness import Died, MemoryKafka, MemoryWorker, Steps, die, encoded, frame_bytes
from tests.support.pipeline import run

BATCH = 3
SILENT_S = 60.0
REPLAYED_MS = 20_000
HALF = 35
"""Number of records, of both cars and of the session."""
MISSING = (20, 30)
"""The numbers of a packet and of a message."""
Scenario = Callable[[MemoryWorker], None]
"""What a source publishes, and how the worker's clock advances."""


@cache
def records(epoch: int) -> tuple[Output, ...]:
    """The end of a small race: laps, messages and packets of two cars."""
    session = simulate(4, cars=2, laps=1)
    return tuple(encoded(pack(session, epoch, 1_000, session.end_ms - REPLAYED_MS)))


@cache
def expected() -> dict[int, bytes]:
    """The frames by the rules alone."""
    session = simulate(4, cars=2, laps=1)
    return frame_bytes(run(session, 1_000, from_ms=session.end_ms - REPLAYED_MS).made)


def publish(worker: MemoryWorker, outputs: tuple[Output, ...]) -> None:
    for output in outputs:
        worker.kafka.append(output)


def one_run(worker: MemoryWorker) -> None:
    publish(worker, records(1))
    worker.run_to_the_end(BATCH)


def superseded_in_the_middle(worker: MemoryWorker) -> None:
    publish(worker, records(0)[:HALF])
    worker.run_to_the_end(BATCH)
    publish(worker, records(1))
    worker.run_to_the_end(BATCH)


def silent_in_the_middle(worker: MemoryWorker) -> None:
    publish(worker, records(1)[:HALF])
    for _ in range(3):  # the second stage hears of the first one's pending records, and is silent later
        worker.run_to_the_end(BATCH)
        worker.now += SILENT_S + 1
    publish(worker, records(1)[HALF:])
    worker.run_to_the_end(BATCH)


def damaged_and_published_again(worker: MemoryWorker) -> None:
    damaged = [output for n, output in enumerate(records(0)) if n not in MISSING]
    publish(worker, tuple(damaged))
    worker.start()  # both gaps are in the log: it does not end
    worker.run_to_the_end(BATCH)
    publish(worker, records(1))
    worker.run_to_the_end(BATCH)


SCENARIOS = [one_run, superseded_in_the_middle, silent_in_the_middle, damaged_and_published_again]


@cache
def steps(scenario: Scenario) -> list[str]:
    """The steps of an undisturbed run."""
    kafka, counted = MemoryKafka(), Steps()
    scenario(MemoryWorker(kafka, counted, SILENT_S))
    assert kafka.frames(1) == expected()
    assert kafka.unacknowledged() == {}
    return counted.names


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_steps_are_those_visible_from_outside(scenario: Scenario) -> None:
    assert set(steps(scenario)) == {
        "deliver to updates", "deliver to frames", "deliver to cars", "deliver to races", "deliver to standing",
        "acknowledge", *(["deliver to dead-letters"] if scenario is damaged_and_published_again else []),
    }  # fmt: skip
    assert len(steps(scenario)) > 90


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_any_step_it_makes_the_same_frames(scenario: Scenario) -> None:
    for at, name in enumerate(steps(scenario)):
        kafka = MemoryKafka()
        scenario(MemoryWorker(kafka, Steps(at, die), SILENT_S))
        assert kafka.frames(1) == expected(), f"killed at step {at}: {name}"
        assert kafka.unacknowledged() == {}, f"killed at step {at}: {name}"


@pytest.mark.parametrize("then", ["goes on", "is killed"])
def test_a_worker_whose_partitions_are_revoked_at_any_step_changes_no_frame(then: str) -> None:
    """Another worker reads on while the first one is in mid-batch, frozen; the first one then finishes its batch.

    Whatever it still delivers, a third worker that recovers from all of it goes on from the right place.
    """
    for at, name in enumerate(steps(one_run)):
        kafka = MemoryKafka(records(1))
        others: list[MemoryWorker] = []

        def revoke(kafka: MemoryKafka = kafka, others: list[MemoryWorker] = others) -> None:
            others.append(MemoryWorker(kafka))
            for _ in range(2):
                others[0].driver_batch(BATCH)
                others[0].session_batch(BATCH)
                others[0].now += 2.0  # each has a checkpoint
            if then == "is killed":
                die()

        frozen = MemoryWorker(kafka, Steps(at, revoke))
        with suppress(Died):
            while not others:
                frozen.driver_batch(BATCH)
                frozen.session_batch(BATCH)
                frozen.now += 0.3
        MemoryWorker(kafka).run_to_the_end(BATCH)
        assert kafka.frames(1) == expected(), f"revoked at step {at}: {name}"
        assert kafka.unacknowledged() == {}, f"revoked at step {at}: {name}"
