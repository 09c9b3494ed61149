"""A broker, race workers and a reader of frames, as separate processes, for tests that need the real thing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from f1stream import topics
from f1stream.child_environment import ALLOCATOR
from f1stream.embedded import broker
from f1stream.kafka import create_topics
from f1stream.processes import stop
from f1stream.settings import Settings
from f1stream.sources.packing import OutgoingRecord
from f1stream.stack import until_healthy
from models import DeadLetter
from tests.support.ports import free_port

PATIENCE_S = 180
EXITED_AT_A_GAP = 70


class WorkerStoppedError(Exception):
    """A worker exited at a sequence gap before it was ready."""


def bytes_of(items: Iterable[OutgoingRecord]) -> list[tuple[OutgoingRecord, bytes]]:
    """Records with their values, as ``Rig.publish`` takes them."""
    return [(item, topics.encode(item.record)) for item in items]


class Rig:
    """A broker, its own (embedded) or the one configured by ``broker`` (environment), and any number of workers."""

    def __init__(self, home: Path, partitions: int = 24, broker: dict[str, str] | None = None) -> None:
        self._environment = {
            **ALLOCATOR,  # as the demo's workers have
            "F1STREAM_HOME": str(home),
            "F1STREAM_BROKER": "",
            "F1STREAM_EMBEDDED_BROKER_PORT": str(free_port()),
            "F1STREAM_EMBEDDED_WAREHOUSE_PORT": str(free_port()),
            "F1STREAM_TOPIC_PARTITIONS": str(partitions),
            **(broker or {}),
        }
        names = {
            name.removeprefix("F1STREAM_").lower(): value
            for name, value in self._environment.items()
            if name.startswith("F1STREAM_")
        }
        self.settings = Settings(_env_file=None, **names)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.logs: dict[int, Path] = {}
        """What each process (by id) says."""
        self.workers: list[tuple[subprocess.Popen[bytes], int]] = []
        self.race_command = [sys.executable, "-m", "f1stream", "race"]
        self.home = home
        home.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Broker and topics."""
        if self.settings.embedded:
            port = self.settings.embedded_broker_port
            process = self._popen(broker.command(port), "broker")
            await broker.wait_until_up(process, port)
        await create_topics(self.settings)

    def _popen(self, command: list[str], name: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **self.environment(), **more}, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        self.logs[process.pid] = Path(log.name)
        return process

    def environment(self) -> dict[str, str]:
        """What a child must know."""
        return dict(self._environment)

    async def worker(self) -> subprocess.Popen[bytes]:
        """A race worker, when it is ready."""
        port = free_port()
        self._worker(port)
        while True:
            process = next(process for process, known in self.workers if known == port)
            try:
                await wait_healthy(port, process)
            except WorkerStoppedError:
                self.restart_stopped()  # unless a reader of frames has: two of one port would be one too many
            else:
                return process

    def _worker(self, port: int) -> None:
        self.workers.append((self._popen(self.race_command, "race", F1STREAM_RACE_PORT=str(port)), port))

    def restart_stopped(self) -> None:
        """Restart workers like a service manager: one that found a sequence gap has exited."""
        for place, (process, port) in enumerate(self.workers):
            if process.poll() == EXITED_AT_A_GAP:
                del self.workers[place]
                self._worker(port)
                return

    def sequence_gaps(self) -> int:
        """The number of workers that exited at a sequence gap."""
        return sum(process.poll() == EXITED_AT_A_GAP for process in self.processes)

    def web(self, port: int) -> subprocess.Popen[bytes]:
        """A page server."""
        return self._popen([sys.executable, "-m", "f1stream", "web"], "web", F1STREAM_WEB_PORT=str(port))

    async def publish(self, records: Iterable[tuple[OutgoingRecord, bytes]], speed: float | None = None) -> None:
        """Publish records with the values given, at ``speed`` times the session's pace."""
        producer = AIOKafkaProducer(
            **self.settings.kafka_client(),
            linger_ms=50 if speed is None else 0,
            max_batch_size=256 * 1024,
            enable_idempotence=not self.settings.embedded,
        )
        await producer.start()
        began: tuple[int, float] | None = None
        sent = []
        try:
            for item, value in records:
                began = began or (item.headers.emitted_ms, time.monotonic())
                if speed is not None:
                    ahead = (item.headers.emitted_ms - began[0]) / 1000 / speed - (time.monotonic() - began[1])
                    if ahead > 0:
                        await asyncio.sleep(ahead)
                sent.append(await producer.send(item.topic, value, key=item.key, headers=item.headers.encode()))
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    def reader(self, *names: str, wait_ms: int = 50) -> AIOKafkaConsumer:
        """A consumer of whole topics, from their beginning; ``wait_ms``: how long the broker may hold a fetch."""
        return AIOKafkaConsumer(
            *names, **self.settings.kafka_client(), auto_offset_reset="earliest", fetch_max_wait_ms=wait_ms,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )  # fmt: skip

    async def frames(self, epoch: int, after: Any = None) -> dict[int, bytes]:
        """The frames of a run by number, until its last; ``after(n)`` is awaited as they come.

        A frame that is published again must be the same.
        """
        found: dict[int, bytes] = {}
        consumer = self.reader(topics.FRAMES)
        await consumer.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for messages in (await consumer.getmany(timeout_ms=200)).values():
                        for message in messages:
                            _take(found, message, epoch)
                    self.restart_stopped()
                    if after is not None:
                        await after(len(found))
                    if found and b'"ended":true' in found[max(found)]:
                        return found
        finally:
            await consumer.stop()

    async def dead_letters(self, expected: int) -> list[DeadLetter]:
        """Distinct dead letters, once there are ``expected`` and no more come."""
        found: dict[tuple[str, str, int, int], DeadLetter] = {}
        consumer = self.reader(topics.DEAD_LETTERS)
        await consumer.start()
        try:
            quiet = 0
            async with asyncio.timeout(PATIENCE_S):
                while len(found) < expected or quiet < 5:
                    batch = await consumer.getmany(timeout_ms=200)
                    quiet = 0 if batch else quiet + 1
                    for message in (message for messages in batch.values() for message in messages):
                        letter = topics.decode_dead_letter(message.value)
                        found[letter.consumer, letter.topic, letter.partition, letter.offset] = letter
        finally:
            await consumer.stop()
        return list(found.values())

    def stop(self) -> None:
        """End every process, by its id."""
        for process in reversed(self.processes):
            stop(process, within_s=5)


def _take(found: dict[int, bytes], message: Any, epoch: int) -> None:
    headers = dict(message.headers)
    if headers["kind"] != b"frames" or int(headers["epoch"]) != epoch:
        return
    for number, value in enumerate(message.value.split(b"\n"), int(headers["seq"])):
        assert found.setdefault(number, value) == value, f"frame {number} was published twice, and differently"


async def wait_healthy(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the worker on ``port`` is ready."""

    def check() -> None:
        if process.poll() == EXITED_AT_A_GAP:
            raise WorkerStoppedError
        assert process.poll() is None, f"the worker ended with code {process.returncode}"

    await until_healthy(f"http://127.0.0.1:{port}/health", check, PATIENCE_S)
