"""A table's writes can be awaited, its recovery keeps the newest value of each key, and it is registered at once."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from faust.tables.base import Collection

from agents.app import raw_table
from agents.faust_patches.app import PatchedApp
from agents.faust_patches.tables import PatchedTableManager
from f1stream.processing.tables import with_version

KEY = b"9839:44"


class Write(asyncio.Future[None]):
    """The delivery of a changelog record."""

    message = SimpleNamespace(partition=0)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[Write]:
    """Records sent to the changelog."""
    sent: list[Write] = []

    def send_changelog(*_: Any, **__: Any) -> Write:
        sent.append(Write())
        return sent[-1]

    monkeypatch.setattr(Collection, "send_changelog", send_changelog)
    return sent


@pytest.fixture
async def table(app: PatchedApp, writes: list[Write]) -> Any:
    app.finalize()
    return raw_table(app, "cars", "for this test")


async def test_a_keys_partition_is_computed_like_the_producer_does(table: Any) -> None:
    """The producer's client may not know the topic at the moment of the write; workers failed because of it."""
    expected = inspect.signature(AIOKafkaProducer).parameters["partitioner"].default
    partitions = list(range(table.partitions))
    keys = [b"9839:%d" % number for number in range(100)]
    assert [table.partition_for_key(key) for key in keys] == [expected(key, partitions, partitions) for key in keys]
    assert {table.partition_for_key(key) for key in keys} == set(partitions)


async def test_written_values_are_read(table: Any) -> None:
    assert table.read(KEY) is None
    table.write(KEY, 3, 1, b"value")
    assert table.read(KEY) == b"value"


async def test_flush_waits_for_every_write_to_be_stored(table: Any, writes: list[Write]) -> None:
    table.write(KEY, 3, 1, b"one")
    table.write(b"9839:1", 3, 1, b"two")
    flush = asyncio.ensure_future(table.flush())
    for write in reversed(writes):
        await asyncio.sleep(0)
        assert not flush.done()
        write.set_result(None)
    await flush


async def test_flush_raises_when_a_write_is_not_stored(table: Any, writes: list[Write]) -> None:
    table.write(KEY, 3, 1, b"one")
    writes[0].set_exception(ConnectionError("no broker"))
    with pytest.raises(ConnectionError):
        await table.flush()


async def test_flush_forgets_stored_writes(table: Any, writes: list[Write]) -> None:
    await table.flush()
    table.write(KEY, 3, 1, b"one")
    writes[0].set_result(None)
    await table.flush()
    stored = weakref.ref(writes.pop())
    assert stored() is None, "a worker that runs for days would keep every write"


def change(epoch: int, progress: int, value: bytes) -> Any:
    """A record of the changelog."""
    stored = with_version(epoch, progress, value)
    return SimpleNamespace(key=KEY, value=stored, message=SimpleNamespace(value=stored, partition=0))


async def test_recovery_keeps_the_newest_value(table: Any) -> None:
    """A frozen worker delivers its write when it resumes, after newer writes of the partition's new owner."""
    table.apply_changelog_batch(iter([change(3, 1, b"old"), change(3, 5, b"newest"), change(3, 2, b"late")]))
    assert table.read(KEY) == b"newest"
    table.apply_changelog_batch([change(3, 4, b"later")])
    assert table.read(KEY) == b"newest", "of a later part of the changelog, too"
    table.apply_changelog_batch([change(4, 0, b"next run")])
    assert table.read(KEY) == b"next run"


async def test_tables_are_registered_without_a_wait(app: PatchedApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker joins its group after this, and a page waits for its first frame."""
    manager = PatchedTableManager(app)
    done: list[str] = []

    def step(name: str) -> Any:
        async def run(*_: Any) -> None:
            done.append(name)

        return run

    monkeypatch.setattr(manager, "_update_channels", step("register"))
    monkeypatch.setattr(manager.recovery, "start", step("recovery"))
    monkeypatch.setattr(manager, "sleep", step("sleep"))
    await manager.on_start()
    assert done == ["register", "recovery"]
