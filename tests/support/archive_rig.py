"""The rig with a warehouse and archive workers, and the comparison of what is loaded with what was published."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from f1stream import topics
from f1stream.embedded import warehouse
from f1stream.kafka import end_offsets
from f1stream.sources.packing import OutgoingRecord
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import Partition
from f1stream.warehouse.schema import create
from models.packet import COLUMNS
from tests.support.ports import free_port
from tests.support.rig import EXITED_AT_A_GAP, PATIENCE_S, Rig, wait_healthy

OFFSETS = "select loaded_by, loaded_at, kafka_topic, kafka_partition, next_offset from RAW.LOAD_OFFSETS order by 3, 4"
"""Which worker loaded which offsets, and when."""
FAULTY = "tests.support.archive_with_a_fault"
QUICK = {
    "F1STREAM_ARCHIVE_FLUSH_ROWS": "8000",
    "F1STREAM_ARCHIVE_FLUSH_SECONDS": "0.5",
    "F1STREAM_ARCHIVE_RETRY_SECONDS": "1",
}
Row = tuple[Any, ...]


class ArchiveRig(Rig):
    """A broker, a warehouse and any number of archive workers."""

    def __init__(self, home: Path, partitions: int = 6, broker: dict[str, str] | None = None) -> None:
        super().__init__(home, partitions, broker)
        self._environment |= QUICK
        self.archives: list[tuple[subprocess.Popen[bytes], int]] = []
        self.server: subprocess.Popen[bytes] | None = None
        self.warehouse = Warehouse(self.settings)

    async def start(self) -> None:
        """Broker, topics, warehouse, tables."""
        await super().start()
        await self.start_warehouse()
        await asyncio.to_thread(lambda: list(create(self.warehouse, self.settings.snowflake_database)))

    async def start_warehouse(self, *options: str) -> None:
        """Start the warehouse on its existing data."""
        port = self.settings.embedded_warehouse_port
        self.server = self._popen([*warehouse.command(self.home / "data", port), *options], "warehouse")
        await asyncio.to_thread(warehouse.wait_until_up, self.server, port)

    def kill_warehouse(self) -> None:
        """SIGKILL the warehouse; committed data are in its files."""
        assert self.server is not None
        self.server.kill()
        self.server.wait()
        self.warehouse.close()

    def archive(self, fault: str = "", **more: str) -> subprocess.Popen[bytes]:
        """An archive worker, not ready yet. ``fault`` is for ``archive_with_a_fault``."""
        port = free_port()
        command = [sys.executable, "-m", FAULTY] if fault else [sys.executable, "-m", "f1stream", "archive"]
        process = self._popen(command, "archive", F1STREAM_ARCHIVE_PORT=str(port), FAULT=fault, **more)
        self.archives.append((process, port))
        return process

    async def ready(self, process: subprocess.Popen[bytes]) -> None:
        """Return when that worker is ready."""
        port = next(port for known, port in self.archives if known is process)
        await wait_healthy(port, process)

    async def until_loaded(self, within_s: float = PATIENCE_S) -> None:
        """Return when everything in the topics is loaded; restarts a worker that ended to be restarted."""
        loader = Loader(self.warehouse, "")
        async with asyncio.timeout(within_s):
            while True:
                for place, (process, _) in enumerate(self.archives):
                    if process.poll() == EXITED_AT_A_GAP:
                        del self.archives[place]
                        self.archive()
                        break
                ends = await end_offsets(self.settings, [
                    Partition(table.topic, n) for table in tables.ALL for n in range(self.settings.topic_partitions)
                ])  # fmt: skip
                loaded = await asyncio.to_thread(loader.offsets)
                if all(not end or (of in loaded and loaded[of].next_offset >= end) for of, end in ends.items()):
                    return
                await asyncio.sleep(0.3)

    async def offset(self) -> int:
        """How many records are loaded, of all partitions."""
        offsets = await asyncio.to_thread(Loader(self.warehouse, "").offsets)
        return sum(loaded.next_offset for loaded in offsets.values())

    async def until_more_is_loaded(self) -> None:
        """Return when more is loaded than now."""
        before = await self.offset()
        async with asyncio.timeout(PATIENCE_S):
            while await self.offset() <= before:
                await asyncio.sleep(0.1)

    async def logged(self, process: subprocess.Popen[bytes], words: str) -> None:
        """Return when that process has logged these words."""
        log = self.logs[process.pid]
        async with asyncio.timeout(PATIENCE_S):
            while words not in log.read_text(errors="replace"):
                assert process.poll() is None, f"it ended with code {process.returncode}; see {log}"
                await asyncio.sleep(0.1)

    async def delete_topics(self, *names: str) -> None:
        """Return when the broker has deleted them."""
        admin = AIOKafkaAdminClient(**self.settings.kafka_client())
        await admin.start()
        try:
            await admin.delete_topics(list(names))
            async with asyncio.timeout(PATIENCE_S):
                while set(names) & set(await admin.list_topics()):
                    await asyncio.sleep(0.1)
        finally:
            await admin.close()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Query the warehouse."""
        return self.warehouse.rows(sql)

    def assert_exact(self, items: Iterable[OutgoingRecord], *, letters: int = 0) -> None:
        """Every published record's rows are loaded, once, in order, with every value as published, and no others."""
        items = list(items)
        for table in (tables.TELEMETRY, tables.LAPS, tables.MESSAGES):
            own = [item for item in items if item.topic == table.topic]
            names = list(_expected(own[0])[0]) if table is not tables.TELEMETRY else TELEMETRY_NAMES
            found: dict[tuple[str, int], list[Row]] = {}
            for row in self.rows(
                f"select * from RAW.{table.name}"
                " order by kafka_incarnation, kafka_partition, kafka_offset, kafka_index"
            ):
                key = (
                    f"{row['session_key']}:{row['driver_number']}"
                    if table is not tables.MESSAGES
                    else row["session_key"]
                )
                found.setdefault((key, row["epoch"]), []).append(tuple(_plain(name, row[name]) for name in names))
            expected: dict[tuple[str, int], list[Row]] = {}
            for item in own:
                rows = [tuple(row[name] for name in names) for row in _expected(item)]
                expected.setdefault((item.key.decode(), item.headers.run_id), []).extend(rows)
            expected = {key: rows for key, rows in expected.items() if rows}
            assert {key: len(rows) for key, rows in found.items()} == {
                key: len(rows) for key, rows in expected.items()
            }
            for key, rows in expected.items():
                assert found[key] == rows, f"{table.name} of {key} has other values than were published"
            (twice,) = self.rows(
                "select count(*) - count(distinct kafka_incarnation, kafka_partition, kafka_offset, kafka_index) as n"
                f" from RAW.{table.name}"
            )
            assert twice["n"] == 0
        assert self.rows("select count(*) as n from RAW.DEAD_LETTERS")[0]["n"] == letters


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code, once it has ended."""
    return await asyncio.to_thread(process.wait, 90)


async def stopped(process: subprocess.Popen[bytes]) -> None:
    """Return when SIGSTOP has stopped it."""
    async with asyncio.timeout(60):
        while "stopped" not in Path(f"/proc/{process.pid}/status").read_text():
            await asyncio.sleep(0.05)


TELEMETRY_NAMES = ["source", "session_date", "utc", *COLUMNS]


def _expected(item: OutgoingRecord) -> list[dict[str, Any]]:
    """The rows of a published record, from the record itself."""
    t0 = datetime.fromtimestamp(item.headers.t0_utc_ms / 1000, UTC).replace(tzinfo=None)
    run = {"source": item.headers.source, "session_date": t0.date()}
    if item.topic == topics.TELEMETRY:
        packet = item.record
        return [
            run
            | {"utc": t0 + timedelta(milliseconds=ms)}
            | {name: None if (column := getattr(packet, name)) is None else column[n] for name in COLUMNS}
            for n, ms in enumerate(packet.session_time_ms)
        ]
    stamped = {"seq": item.headers.seq, "emitted_ms": item.headers.emitted_ms}
    if item.topic == topics.LAPS:
        lap = item.record.model_dump()
        if lap["start_utc"] is not None:
            lap["start_utc"] = lap["start_utc"].astimezone(UTC).replace(tzinfo=None)
        return [run | stamped | lap]
    message = json.loads(item.record.model_dump_json())
    return [
        run | stamped | {"kind": message["kind"], "session_time_ms": message["session_time_ms"], "payload": message}
    ]


def _plain(name: str, value: Any) -> Any:
    return json.loads(value) if name == "payload" else value
