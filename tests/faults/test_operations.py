"""The operations in deploy/README.md, carried out on Apache Kafka."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from f1stream import topics
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from tests.support.archive_rig import ArchiveRig
from tests.support.kafka_cluster import Cluster
from tests.support.required import ROOT
from tests.support.rig import bytes_of

pytestmark = pytest.mark.system
TEXT = (ROOT / "deploy" / "README.md").read_text()


async def ended(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0


async def delete_topics(rig: ArchiveRig) -> None:
    """The statements in the text."""
    (named,) = re.findall(r"--delete --topic '(.*)'", TEXT)
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    try:
        there = await admin.list_topics()
        await admin.delete_topics([name for name in there if re.fullmatch(named, name)])
        async with asyncio.timeout(60):
            while left := {name for name in await admin.list_topics() if not name.startswith("__")} - {topics.MARTS}:
                assert all(re.fullmatch(named, name) for name in left if not name.startswith("f1stream-archive"))
                if not any(re.fullmatch(named, name) for name in left):
                    return
                await asyncio.sleep(0.3)
    finally:
        await admin.close()


async def test_with_other_partitions_the_race_is_the_same_and_both_runs_are_loaded(
    cluster: Cluster, aus_session: Session, stretch: tuple[int, int], tmp_path: Path
) -> None:
    await cluster.reset()
    first, second = ArchiveRig(tmp_path, 3, cluster.environment()), None
    items = list(pack(aus_session, 1, 1_000, *stretch))
    again = list(pack(aus_session, 2, 1_000, *stretch))
    try:
        await first.start()
        workers = [await first.worker(), first.archive()]
        await first.publish(bytes_of(items))
        before = await first.frames(1)
        await first.until_loaded()
        for worker in workers:
            await ended(worker)
        await delete_topics(first)
        first.stop()
        second = ArchiveRig(tmp_path, 5, cluster.environment())
        await second.start()
        await second.worker()
        second.archive()
        await second.publish(bytes_of(again))
        assert await second.frames(2) == before
        await second.until_loaded()
        second.assert_exact(items + again)
        prune(second, items, again)
    finally:
        first.stop()
        if second is not None:
            second.stop()


def prune(rig: ArchiveRig, kept: list[OutgoingRecord], superseded: list[OutgoingRecord]) -> None:
    """The text's statements keep the run that they name; loaded records are not loaded again."""
    assert {item.headers.run_id for item in superseded} == {2}
    (block,) = (each for each in re.findall(r"```sql\n(.*?)```", TEXT, re.S) if "epoch <> 1" in each)
    for statement in filter(str.strip, block.split(";")):
        done = subprocess.run(
            [sys.executable, "-m", "f1stream", "warehouse", "sql", statement.strip()],
            env={**os.environ, **rig.environment()}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    rig.assert_exact(kept)


async def test_another_warehouse_is_loaded_with_everything_that_kafka_has(
    cluster: Cluster, aus_session: Session, stretch: tuple[int, int], tmp_path: Path
) -> None:
    await cluster.reset()
    items = list(pack(aus_session, 1, 3_000, *stretch))
    old = ArchiveRig(tmp_path / "old", broker=cluster.environment())
    new = ArchiveRig(tmp_path / "new", broker=cluster.environment() | {"F1STREAM_SNOWFLAKE_DATABASE": "OTHER"})
    try:
        await old.start()
        worker = old.archive()
        await old.publish(bytes_of(items))
        await old.until_loaded()
        await ended(worker)
        await new.start()
        new.archive()
        await new.until_loaded()
        new.assert_exact(items)
    finally:
        old.stop()
        new.stop()
