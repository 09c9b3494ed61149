"""Whatever order, grouping, repetition or crash: the frames are the same.

``Worker`` follows the protocol of ``agents/race.py`` on logs in memory (outputs, then tables, then
acknowledgements), with a crash or a redelivery possible wherever a process can have one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from f1stream import topics
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from f1stream.sources.packing import Published, pack
from f1stream.sources.session import Session
from f1stream.sources.simulator import simulate
from models import CarUpdate, Entries, Frame, SessionInfo, Track, Updates
from tests.support.pipeline import frame_bytes, run

PACKET_MS = (250, 1_000, 3_000)
KEY = b"sim-4"


@cache
def session() -> Session:
    """A small race whose reference line is told anew on the second lap."""
    race = simulate(4, cars=5, laps=2)
    track = next(message for message in race.messages if isinstance(message, Track))
    at = max(lap.end_ms for lap in race.laps if lap.lap_number == 1) + 5_000
    return replace(race, messages=[*race.messages, Track(session_time_ms=at, outline=track.outline[::2])])


@cache
def undisturbed() -> dict[int, bytes]:
    return frame_bytes(run(session(), 1_000).made)


@cache
def published(epoch: int, packet_ms: int) -> tuple[Published, ...]:
    return tuple(pack(session(), epoch, packet_ms))


class Log:
    """One partition: what was appended, how far it was read, and how far acknowledged."""

    def __init__(self, records: list[Any]) -> None:
        self.records = records
        self.position = self.acknowledged = 0
        self.settled: set[int] = set()

    def acknowledge(self) -> None:
        while self.acknowledged in self.settled:
            self.acknowledged += 1


class Worker:
    """Both stages of a race worker, which dies now and then."""

    def __init__(self, records: list[Published], random: Random, silence: float = 0.0) -> None:
        """``silence``: how likely a run is taken for a silent one, each time that there is a choice."""
        self.random, self.silence = random, silence
        self.versions: dict[bytes, tuple[int, int]] = {}
        logs: dict[tuple[str, bytes], list[Any]] = defaultdict(list)
        for item in records:
            logs[item.topic, item.key].append(item)
        self.inputs = {name: Log(log) for name, log in logs.items() if name[0] != topics.MESSAGES}
        self.messages = Log(logs[topics.MESSAGES, KEY])
        self.updates = Log([])
        self.cars: dict[bytes, bytes] = {}
        self.races: tuple[int, bytes] | None = None
        self.standing = b""
        self.frames: dict[tuple[int, int], bytes] = {}
        self.start()

    def start(self) -> None:
        """As after a crash: tables as they were written, logs from what is acknowledged."""
        self.drivers: dict[bytes, DriverJoin] = {}
        self.live: SessionRace | None = None
        self.kept_t = -1
        self.waiting: list[tuple[int, Log, int]] = []
        for log in (*self.inputs.values(), self.messages, self.updates):
            log.position = log.acknowledged

    def dies(self) -> bool:
        if self.random.random() < 0.02:
            self.start()
            return True
        return False

    def deliver(self, logs: list[Log], most: int) -> list[tuple[Log, int, Any]]:
        """A batch: stretches of some logs, sometimes read again from an earlier offset."""
        batch = []
        for log in self.random.sample(logs, self.random.randint(1, len(logs))):
            if self.random.random() < 0.1:
                log.position = self.random.randint(min(log.acknowledged, log.position), log.position)
            end = min(len(log.records), log.position + self.random.randint(0, most))
            batch += [(log, offset, log.records[offset]) for offset in range(log.position, end)]
            log.position = end
        return batch

    def per_driver(self) -> None:
        touched: dict[bytes, DriverJoin] = {}
        for log, offset, item in self.deliver(list(self.inputs.values()), 60):
            driver = self.drivers.get(item.key)
            if driver is None:
                driver = DriverJoin.restore(topics.session_of(item.key)[1], self.cars.get(item.key))
                self.drivers[item.key] = driver
            touched[item.key] = driver
            stamp, token = item.stamp, (log, offset)
            if driver.begins(stamp.epoch, token):
                if item.topic == topics.LAPS:
                    driver.take_lap(stamp.seq, stamp.emitted_ms, item.record, token)
                else:
                    driver.take_packet(stamp.seq, stamp.emitted_ms, stamp.laps, stamp.messages, item.record, token)
        runs: list[CarUpdate] = []
        settled: list[tuple[Log, int]] = []
        for driver in touched.values():
            update, done = driver.join()
            settled += done
            if update is not None:
                runs.append(update)
        self.random.shuffle(runs)
        for part in (runs[:2], runs[2:]):  # in one record or in two
            if part:
                self.updates.records.append(topics.encode(Updates(entries=part)))
                if self.dies():
                    return
        for key, driver in self.drivers.items():
            if self.random.random() < self.silence:
                settled += driver.checkpoint_pending()
                touched[key] = driver
        for key, driver in touched.items():
            version = driver.cursor.epoch, driver.progress
            assert version >= self.versions.get(key, version), "a recovery would keep the older one"
            self.versions[key] = version
            self.cars[key] = driver.dump()
        if self.dies():
            return
        for log, offset in settled:
            log.settled.add(offset)
            log.acknowledge()

    def session_of(self, epoch: int) -> SessionRace | None:
        if self.live is None:
            self.live = SessionRace(KEY.decode(), epoch)
            if self.races is not None:
                self.kept_t, checkpoint = self.races
                self.live = SessionRace.restore(KEY.decode(), checkpoint, self.standing)
        if epoch > self.live.epoch:
            self.waiting, self.kept_t = [(0, log, offset) for _, log, offset in self.waiting], -1
            self.live = SessionRace(KEY.decode(), epoch)
        return self.live if epoch == self.live.epoch else None

    def per_session(self) -> None:
        for log, offset, item in self.deliver([self.messages, self.updates], 40):
            until = -1
            if log is self.messages:
                live = self.session_of(item.stamp.epoch)
                if live is not None:
                    live.take_message(item.stamp.seq, item.stamp.emitted_ms, item.record)
                    until = item.stamp.emitted_ms
            else:
                for update in topics.decode_updates(item).entries:
                    live = self.session_of(update.epoch)
                    if live is not None:
                        live.take_update(update)
                        until = max(until, update.until_ms)
            self.waiting.append((max(until, 0), log, offset))
        live = self.live
        if live is None:
            return
        for made in live.advance():
            if isinstance(made, Frame):
                value = topics.encode_frames([made])
                assert self.frames.setdefault((live.epoch, made.t // 200), value) == value, "repeated, but different"
        if self.dies():
            return
        silent = self.random.random() < self.silence and live.checkpoint_pending(10**9)
        checkpoint = live.checkpoint()
        if checkpoint is not None and (silent or live.ended or self.random.random() < 0.3):
            self.standing = live.dump_header()
            if self.dies():
                return
            version = live.epoch, live.progress
            assert version >= self.versions.get(KEY, version), "a recovery would keep the older one"
            self.versions[KEY] = version
            self.races = -1 if live.t is None else live.t, checkpoint
            self.kept_t = self.races[0]
            if self.dies():
                return
            if silent:
                for _, log, offset in self.waiting:
                    log.settled.add(offset)
                self.waiting = []
        for until, log, offset in self.waiting:
            if until <= self.kept_t:
                log.settled.add(offset)
        self.waiting = [waits for waits in self.waiting if waits[0] > self.kept_t]
        self.messages.acknowledge()
        self.updates.acknowledge()

    def done(self, epoch: int) -> bool:
        return (epoch, max(undisturbed())) in self.frames

    def work(self, epoch: int) -> dict[int, bytes]:
        for _ in range(20_000):
            self.random.choice((self.per_driver, self.per_session))()
            if self.done(epoch):
                break
        return {number: value for (own, number), value in self.frames.items() if own == epoch}


def different(found: dict[int, bytes], expected: dict[int, bytes]) -> list[int]:
    return sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))


chaos = settings(
    max_examples=25,
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a smaller seed is no smaller story
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@chaos
@given(random=st.randoms(use_true_random=True), packet_ms=st.sampled_from(PACKET_MS))
def test_any_interleaving_repetition_and_crash_gives_the_same_frames(random: Random, packet_ms: int) -> None:
    worker = Worker(list(published(1, packet_ms)), random)
    assert different(worker.work(1), undisturbed()) == []


@chaos
@given(
    random=st.randoms(use_true_random=True), packet_ms=st.sampled_from(PACKET_MS), often=st.sampled_from((0.03, 0.5))
)
def test_what_is_put_aside_is_not_lost(random: Random, packet_ms: int, often: float) -> None:
    worker = Worker(list(published(1, packet_ms)), random, silence=often)
    assert different(worker.work(1), undisturbed()) == []


@chaos
@given(random=st.randoms(use_true_random=True), share=st.floats(0.05, 0.95))
def test_a_new_run_in_the_middle_of_another_gives_its_own_frames(random: Random, share: float) -> None:
    old = published(1, 1_000)
    worker = Worker([*old[: int(len(old) * share)], *published(2, 3_000)], random)
    assert different(worker.work(2), undisturbed()) == []


@settings(chaos, max_examples=10)
@given(random=st.randoms(use_true_random=True), packet_ms=st.sampled_from(PACKET_MS))
def test_unreadable_records_are_the_same_loss_whenever_they_come(random: Random, packet_ms: int) -> None:
    records = list(published(1, packet_ms))
    spoiled = {
        (item.topic, item.key, item.stamp.seq)
        for item in random.sample(records, 12)
        if not isinstance(item.record, SessionInfo | Entries)
    }
    expected = frame_bytes(run(session(), packet_ms, spoiled=spoiled).made)
    unreadable: Any = None
    worker = Worker(
        [
            replace(item, record=unreadable) if (item.topic, item.key, item.stamp.seq) in spoiled else item
            for item in records
        ],
        random,
    )
    assert different(worker.work(1), expected) == []


@pytest.mark.parametrize("packet_ms", [200, 250, 1_000, 3_000])
@pytest.mark.parametrize("batch", [1, 37, 5_000])
def test_packets_and_batches_make_no_difference(packet_ms: int, batch: int) -> None:
    assert different(frame_bytes(run(session(), packet_ms, batch=batch).made), undisturbed()) == []


@pytest.mark.parametrize("share", [0.01, 0.3, 0.8])
def test_a_run_without_an_end_is_acknowledged_when_it_is_put_aside(share: float) -> None:
    records = published(1, 1_000)
    worker = Worker(list(records[: int(len(records) * share)]), Random(1), silence=0.5)
    worker.dies = lambda: False  # type: ignore[method-assign]
    for _ in range(500):
        worker.per_driver()
        worker.per_session()
    logs = [*worker.inputs.values(), worker.messages, worker.updates]
    assert [log.acknowledged for log in logs] == [len(log.records) for log in logs]


def test_the_model_acknowledges_everything_in_the_end() -> None:
    """Otherwise the properties above would hold for a worker that only ever starts from the beginning."""
    worker = Worker(list(published(1, 1_000)), Random(1))
    worker.dies = lambda: False  # type: ignore[method-assign]
    worker.work(1)
    for _ in range(200):
        worker.per_driver()
        worker.per_session()
    logs = [*worker.inputs.values(), worker.messages, worker.updates]
    assert [log.acknowledged for log in logs] == [len(log.records) for log in logs]
