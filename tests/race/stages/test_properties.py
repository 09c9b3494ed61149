"""The frames are the same for any order, grouping, duplicates, crashes and rebalances.

The stages themselves run on a Kafka in memory (``tests.support.harness``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from f1stream.processing.outputs import Output
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from f1stream.sources.simulator import simulate
from models import Entries, SessionInfo, Track
from tests.support.harness import Died, MemoryKafka, MemoryWorker, die, encoded, frame_bytes
from tests.support.pipeline import JUNK, run

PACKET_MS = (250, 1_000, 3_000)
REPLAYED_MS = 60_000
SILENT_S = 60.0
MOST_BATCHES = 5_000


@cache
def session() -> Session:
    """A small race whose track is published again in the middle of the replayed part."""
    race = simulate(4, cars=3, laps=2)
    track = next(message for message in race.messages if isinstance(message, Track))
    at = race.end_ms - REPLAYED_MS // 2
    return replace(race, messages=[*race.messages, Track(session_time_ms=at, outline=track.outline[::2])])


def from_ms() -> int:
    """The replayed part has the end of the last lap, and the flag."""
    return session().end_ms - REPLAYED_MS


@cache
def undisturbed() -> dict[int, bytes]:
    return frame_bytes(run(session(), 1_000, from_ms=from_ms()).made)


@cache
def published(epoch: int, packet_ms: int) -> tuple[OutgoingRecord, ...]:
    return tuple(pack(session(), epoch, packet_ms, from_ms()))


@cache
def outputs(epoch: int, packet_ms: int) -> tuple[Output, ...]:
    return tuple(encoded(published(epoch, packet_ms)))


def disturbed(records: Sequence[Output], random: Random, silence: float = 0.0) -> MemoryKafka:
    """Everything of ``records`` through workers that die, are frozen, lose partitions and read again.

    ``silence``: how likely the clock jumps so far, at a batch, that every run is taken for a silent one.
    """
    kafka = MemoryKafka(records, partitions=random.randint(1, 4))
    deaths = random.choice((0.0, 0.002, 0.02))

    def step(_: str) -> None:
        if random.random() < deaths:
            die()
        if random.random() < deaths / 4:
            other = MemoryWorker(kafka, silent_s=SILENT_S)  # the worker is frozen here, and resumes afterwards
            for _ in range(random.randint(0, 3)):
                random.choice((other.driver_batch, other.session_batch))(60, random)
                other.now += 0.5

    worker = MemoryWorker(kafka, step, SILENT_S)
    for _ in range(MOST_BATCHES):
        if not kafka.unacknowledged():
            return kafka
        worker.now += SILENT_S + 1 if random.random() < silence else random.random()
        try:
            random.choice((worker.driver_batch, worker.session_batch))(60, random)
        except Died:
            worker.start()
        if not worker.owns_partitions():  # they come back
            worker.start()
    raise AssertionError(f"after {MOST_BATCHES} batches these are not acknowledged: {kafka.unacknowledged()}")


def different(found: dict[int, bytes], expected: dict[int, bytes]) -> list[int]:
    return sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))


chaos = settings(
    max_examples=25,
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a smaller seed is no smaller story
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
randomness = st.integers(0, 2**32).map(Random)


@chaos
@given(random=randomness, packet_ms=st.sampled_from(PACKET_MS))
def test_any_interleaving_repetition_and_crash_gives_the_same_frames(random: Random, packet_ms: int) -> None:
    kafka = disturbed(outputs(1, packet_ms), random)
    assert different(kafka.frames(1), undisturbed()) == []


@chaos
@given(random=randomness, packet_ms=st.sampled_from(PACKET_MS), often=st.sampled_from((0.03, 0.5)))
def test_pending_input_of_a_silent_run_is_not_lost(random: Random, packet_ms: int, often: float) -> None:
    kafka = disturbed(outputs(1, packet_ms), random, silence=often)
    assert different(kafka.frames(1), undisturbed()) == []


@chaos
@given(random=randomness, share=st.floats(0.05, 0.95))
def test_a_new_run_in_the_middle_of_another_gives_its_own_frames(random: Random, share: float) -> None:
    old = outputs(1, 1_000)
    kafka = disturbed([*old[: int(len(old) * share)], *outputs(2, 3_000)], random)
    assert different(kafka.frames(2), undisturbed()) == []


@settings(chaos, max_examples=10)
@given(random=randomness, packet_ms=st.sampled_from(PACKET_MS))
def test_unreadable_records_are_the_same_loss_whenever_they_come(random: Random, packet_ms: int) -> None:
    items, records = published(1, packet_ms), list(outputs(1, packet_ms))
    damaged = [
        n for n in random.sample(range(len(items)), 12) if not isinstance(items[n].record, SessionInfo | Entries)
    ]
    spoiled = {(items[n].topic, items[n].key, items[n].headers.seq) for n in damaged}
    for n in damaged:
        records[n] = replace(records[n], value=JUNK)
    expected = frame_bytes(run(session(), packet_ms, from_ms=from_ms(), spoiled=spoiled).made)
    kafka = disturbed(records, random)
    assert different(kafka.frames(1), expected) == []
    assert len(kafka.dead_letters()) == len(damaged)


@pytest.mark.parametrize("packet_ms", [200, 250, 1_000, 3_000])
@pytest.mark.parametrize("batch", [1, 37, 5_000])
def test_packets_and_batches_make_no_difference(packet_ms: int, batch: int) -> None:
    assert different(frame_bytes(run(session(), packet_ms, batch=batch, from_ms=from_ms()).made), undisturbed()) == []


@pytest.mark.parametrize("share", [0.01, 0.3, 0.8])
def test_a_run_without_an_end_is_acknowledged_when_it_is_silent(share: float) -> None:
    records = outputs(1, 1_000)
    kafka = MemoryKafka(records[: int(len(records) * share)])
    worker = MemoryWorker(kafka, silent_s=SILENT_S)
    worker.run_to_the_end(60)
    assert kafka.unacknowledged(), "the run waits for more"
    worker.now += SILENT_S + 1
    worker.run_to_the_end(60)
    worker.now += SILENT_S + 1
    worker.run_to_the_end(60)  # what the first stage acknowledged then is silent in the second one now
    assert kafka.unacknowledged() == {}
    worker.start()
    for record in records[int(len(records) * share) :]:
        kafka.append(record)
    worker.run_to_the_end(60)
    assert different(kafka.frames(1), undisturbed()) == [], "it continues where it was"
