"""Any record at all: the race worker continues, and a session among them loses nothing."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from f1stream import topics
from f1stream.processing.outputs import Output
from f1stream.race.stages.driver_stage import SILENT_S
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.topics import SequenceGap
from tests.support.harness import MemoryKafka, MemoryWorker, encoded
from tests.support.hostile import fuzzed, hostile

GOOD, VICTIM = b"sim-5", b"sim-4"
MOST_RESTARTS = 200
LARGEST = 900_000
"""Bytes. A broker accepts records of 1 MB by default."""


@cache
def records(seed: int, run_id: int = 1) -> tuple[Output, ...]:
    """Half a minute of a small race, from its start."""
    session = simulate(seed, cars=2, laps=2)
    return tuple(encoded(pack(session, run_id, 1_000, session.start_ms, session.start_ms + 30_000)))


@cache
def good_frames() -> dict[int, bytes]:
    kafka = MemoryKafka(records(5))
    MemoryWorker(kafka).run_to_the_end(500)
    return frames(kafka)


def frames(kafka: MemoryKafka) -> dict[int, bytes]:
    """The frames of the good session by number."""
    found: dict[int, bytes] = {}
    for record in all_records(kafka, topics.FRAMES):
        headers = dict(record.headers)
        if record.key == GOOD and headers["kind"] == b"frames":
            found |= enumerate(record.value.split(b"\n"), int(headers["seq"]))
    return found


def all_records(kafka: MemoryKafka, *names: str) -> list[Any]:
    return [record for (topic, _), log in kafka.logs.items() if topic in names for record in log]


def run_whatever_comes(kafka: MemoryKafka, publish: list[Output], random: Random) -> tuple[MemoryWorker, int]:
    """Publish in parts while a worker runs, and restart it after a gap; returns how often it exited."""
    worker, ends = MemoryWorker(kafka), 0
    for _ in range(MOST_RESTARTS):
        try:
            while True:
                for output in publish[:20]:
                    kafka.append(output)
                del publish[:20]
                worker.run_to_the_end(random.randint(1, 60))
                if not publish:
                    break
            for _ in range(3):  # every run goes silent, in both stages
                worker.now += SILENT_S + 1
                worker.driver_batch(500)
                worker.session_batch(500)
                worker.run_to_the_end()
        except SequenceGap:
            ends += 1
            worker.start()
            continue
        return worker, ends
    raise AssertionError("it ends at the same gap again and again")


@fuzzed(examples=150)
@given(seed=st.integers(0, 2**32))
def test_any_record_affects_only_itself(seed: int) -> None:
    random = Random(seed)
    victim = list(records(4))
    spoiled = [hostile(random, records(4)) for _ in range(random.randint(1, 40))]
    for each in spoiled:  # in place of a record, or beside it
        at = random.randrange(len(victim) + 1)
        victim[at : at + random.randint(0, 1)] = [each]
    mixed = [*victim, *records(5)]
    order = sorted(range(len(mixed)), key=lambda n: n if n < len(victim) else (n - len(victim)) * 1.01)
    kafka = MemoryKafka()
    worker, ends = run_whatever_comes(kafka, [mixed[n] for n in order], random)
    assert frames(kafka) == good_frames()
    assert kafka.unacknowledged() == {}
    assert worker.driver_stage._drivers == worker.session_stage.sessions == {}
    assert ends <= len(spoiled) + 1
    theirs = {each.value for each in spoiled}
    ours = [record for record in all_records(kafka, topics.UPDATES) if record.value not in theirs]
    for record in [*ours, *all_records(kafka, topics.FRAMES, topics.DEAD_LETTERS)]:
        assert len(record.value or b"") < LARGEST
    assert all(len(value) < LARGEST for changes in kafka.changelogs.values() for _, value in changes)
    refused = {(each.topic, each.partition, each.offset) for each in kafka.dead_letters()}
    assert all(0 <= offset < len(kafka.logs[topic, partition]) for topic, partition, offset in refused)
    again = list(records(4, 10**12))
    run_whatever_comes(kafka, again, random)
    healed = [dict(record.headers) for record in all_records(kafka, topics.FRAMES) if record.key == VICTIM]
    assert {headers["epoch"] for headers in healed if headers["kind"] == b"head"} >= {b"%d" % 10**12}
