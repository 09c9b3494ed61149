"""The same job in Faust and in Quix Streams, on the same records in the same broker, one process after the other."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from f1stream import topics
from f1stream.processes import stop
from tests.bench.scale.cell import PARTITIONS, PATIENCE_S
from tests.bench.scale.job import Car
from tests.bench.scale.load import Load, load
from tests.support.kafka_cluster import Cluster
from tests.support.ports import free_port
from tests.support.rig import Rig

ROOT = Path(__file__).resolve().parents[3]
QUIX = ROOT / ".venv-quix" / "bin" / "python"
SESSIONS, PACKET_MS = 2, 250
"""Packets as short as live ones: what a framework costs is what it costs for each of them."""
FAUST, BATCHED = "Faust", "Faust, by batches"
QUIX_STREAMS = "Quix Streams"
_JOBS = {
    FAUST: ([sys.executable, "-c", "from agents.run import run_worker; run_worker('tests.bench.scale.faust_job')"],
            {}),
    QUIX_STREAMS: ([str(QUIX), "-m", "tests.bench.scale.quix_job"], {}),
}  # fmt: skip
_JOBS[BATCHED] = (_JOBS[FAUST][0], {"SCALE_BATCHED": "1"})
ORDER = (FAUST, QUIX_STREAMS, BATCHED)


@dataclass
class Round:
    """One run of the job, from nothing started to all packets acknowledged."""

    start_s: float
    """From the process's start to its first update in Kafka."""
    seconds: float
    """From its first update to its last."""
    cpu_s: float
    rss_mb: float
    states: dict[bytes, bytes]
    """By car: what it has kept of it, in the table's changelog."""
    updates: dict[tuple[bytes, int], bytes] = field(repr=False)
    """By car and packet; only where an update is a packet's."""


@dataclass
class Compared:
    """What one of the three took, in the median."""

    name: str
    packets: int
    samples: int
    start_s: float
    seconds: float
    cpu_s: float
    rss_mb: float
    rounds_s: list[float]


def quix_python() -> Path | None:
    """The interpreter that has Quix Streams."""
    return QUIX if QUIX.exists() else None


async def compare(cluster: Cluster, folder: Path, rounds: int, laps: int, cars: int) -> list[Compared]:
    """``rounds`` of each, in turn, each time in another order; printed as a table."""
    work = load(SESSIONS, laps, PACKET_MS, cars, only=topics.TELEMETRY)
    rig = await published(cluster, folder / "frameworks", work)
    ran: dict[str, list[Round]] = {name: [] for name in ORDER}
    for nth in range(rounds):
        for name in (*ORDER[nth % 3 :], *ORDER[: nth % 3]):
            ran[name].append(await one(rig, name, f"scale-{len(ran[name])}-{ORDER.index(name)}"))
            require_equal(work, {name: ran[name][-1] for name in ORDER if ran[name]})
    results = [_median(name, ran[name], work) for name in ORDER]
    packets, samples = results[0].packets, results[0].samples
    print(
        f"\nthe same job: {packets:,} packets of {PACKET_MS} ms, {samples:,} samples, one process; median of {rounds}"
    )
    print(f"{'':18} {'s':>6} {'packets/s':>9} {'ratio':>5} {'to first':>8} {'CPU s':>6} {'RSS MB':>6}  rounds, s")
    for job in results:
        print(
            f"{job.name:18} {job.seconds:6.1f} {packets / job.seconds:9,.0f} {results[0].seconds / job.seconds:5.2f} "
            f"{job.start_s:8.1f} {job.cpu_s:6.1f} {job.rss_mb:6.0f}  "
            + ", ".join(f"{spent:.1f}" for spent in job.rounds_s)
        )
    return results


def _median(name: str, rounds: list[Round], work: Load) -> Compared:
    return Compared(
        name, len(work.records), sum(work.samples.values()),
        start_s=median(one.start_s for one in rounds),
        seconds=median(one.seconds for one in rounds),
        cpu_s=median(one.cpu_s for one in rounds),
        rss_mb=median(one.rss_mb for one in rounds),
        rounds_s=[round(one.seconds, 2) for one in rounds],
    )  # fmt: skip


async def published(cluster: Cluster, folder: Path, work: Load) -> Rig:
    """A rig whose topics hold ``work``, and nothing else."""
    await cluster.reset()
    rig = Rig(folder, PARTITIONS, cluster.environment())
    await rig.start()
    await rig.publish(work.records)
    return rig


async def one(rig: Rig, name: str, group: str) -> Round:
    """Run one of the three as consumer group ``group``."""
    output = f"{group}-updates"
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    await admin.create_topics([NewTopic(output, PARTITIONS, 1, topic_configs={
        "message.timestamp.type": "LogAppendTime",  # an update's time is then the broker's
    })])  # fmt: skip
    began = time.time()
    process = _start(rig, name, group, output)
    try:
        rss = await _until_acknowledged(admin, rig, process, group)
        spent = sum(psutil.Process(process.pid).cpu_times()[:2])
    finally:
        await admin.close()
        await asyncio.to_thread(stop, process, within_s=20)
    records = await _whole(rig, output)
    times = [record.timestamp / 1000 for record in records]
    prefix = group if name != QUIX_STREAMS else f"changelog__{group}"
    states: dict[bytes, bytes] = {}
    for record in await _whole(rig, *await _topics_of(rig, prefix, "changelog")):
        if record.value is not None:
            key, value = _state(name, record)
            states[key] = value
    updates = {}
    if name != BATCHED:
        updates = {(record.key, int(dict(record.headers)["seq"])): record.value for record in records}
    return Round(min(times) - began, max(times) - min(times), spent, rss, states, updates)


def require_equal(work: Load, rounds: dict[str, Round]) -> None:
    """Raise AssertionError unless every one has kept and sent the same, and all that was published is in it."""
    first = next(iter(rounds.values()))
    for name, ran in rounds.items():
        cars = {key: Car.restore(key, value) for key, value in ran.states.items()}
        counted = sum(car.samples for car in cars.values())
        assert counted == sum(work.samples.values()), (
            f"{name} has counted {counted:,} samples, {sum(work.samples.values()):,} were published"
        )
        assert {key: orjson.loads(value) for key, value in ran.states.items()} == {
            key: orjson.loads(value) for key, value in first.states.items()
        }, f"{name} has kept other states than the first"
        if ran.updates and first.updates:
            assert ran.updates == first.updates, f"{name} has sent other updates than the first"
            assert len(ran.updates) == len(work.records), f"{name} has sent {len(ran.updates):,} updates"


def _start(rig: Rig, name: str, group: str, output: str) -> subprocess.Popen[bytes]:
    command, more = _JOBS[name]
    environment = {
        **os.environ, **rig.environment(), **more, "PYTHONPATH": str(ROOT), "SCALE_GROUP": group,
        "SCALE_OUTPUT": output, "F1STREAM_RACE_PORT": str(free_port()),
    }  # fmt: skip
    with (rig.home / f"{group}.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


async def _until_acknowledged(
    admin: AIOKafkaAdminClient, rig: Rig, process: subprocess.Popen[bytes], group: str
) -> float:
    """Return when the group has acknowledged all of ``telemetry``, with the process's largest memory (MB)."""
    consumer = rig.reader()
    await consumer.start()
    telemetry = [TopicPartition(topics.TELEMETRY, n) for n in range(PARTITIONS)]
    ends = {tp: end for tp, end in (await consumer.end_offsets(telemetry)).items() if end}
    await consumer.stop()
    watched = psutil.Process(process.pid)
    rss = 0.0
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{group} ended with code {process.returncode}; see {rig.home}/{group}.log.")
            rss = max(rss, watched.memory_info().rss / 1e6)
            with suppress(GroupCoordinatorNotAvailableError):  # of a new broker's first group
                committed = await admin.list_consumer_group_offsets(group)
                if all(tp in committed and committed[tp].offset >= end for tp, end in ends.items()):
                    return rss
            await asyncio.sleep(0.25)


async def _topics_of(rig: Rig, prefix: str, part: str) -> list[str]:
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    try:
        return [name for name in await admin.list_topics() if name.startswith(prefix) and part in name]
    finally:
        await admin.close()


async def _whole(rig: Rig, *names: str) -> list[Any]:
    """All records of topics, partition by partition in order."""
    consumer: AIOKafkaConsumer = rig.reader(*names)
    await consumer.start()
    try:
        left = {tp: end for tp, end in (await consumer.end_offsets(consumer.assignment())).items() if end}
        found = []
        async with asyncio.timeout(PATIENCE_S):
            while left:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found += records
                    if tp in left and records[-1].offset + 1 >= left[tp]:
                        del left[tp]
        return found
    finally:
        await consumer.stop()


def _state(name: str, record: Any) -> tuple[bytes, bytes]:
    """A changelog's record as a car's key and its state."""
    if name == QUIX_STREAMS:
        return record.key.removesuffix(b'|"car"'), record.value
    return record.key, record.value[16:]  # after the version
