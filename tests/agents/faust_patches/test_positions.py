"""Offsets of input partitions, and numbers of partitions, as a worker's clients know them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust import Topic
from faust.types import TP

from agents.faust_patches.app import PatchedApp
from agents.faust_patches.positions import input_positions, partition_counts
from agents.faust_patches.producer import Producer
from f1stream.processing.reads import PartitionOffsets

INPUT, CHANGELOG = TP("telemetry", 0), TP("test-cars-changelog", 0)


async def test_a_tables_changelog_has_no_position(app: PatchedApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust's own list of acknowledged topics is used."""

    async def declare(_: Topic) -> None:
        pass

    monkeypatch.setattr(Topic, "maybe_declare", declare)
    consumer: Any = SimpleNamespace(
        assignment=lambda: {INPUT, CHANGELOG}, highwater={INPUT: 9}.get, _committed_offset={INPUT: 4}
    )
    app._consumer = consumer
    app.topics.add(app.topic("telemetry"))
    app.topics.add(app.Table("cars").changelog_topic)
    await app.topics._update_indices()
    assert input_positions(app) == {INPUT: PartitionOffsets(end=9, committed=4)}


async def test_partitions_are_counted_of_what_is_read_and_what_is_written_and_of_the_tables(app: PatchedApp) -> None:
    read = {"telemetry": 3, "test-cars-changelog": 4, "laps": 0}
    app.Table("cars").changelog_topic  # noqa: B018 - the app knows it from then on
    app.producer = Producer.__new__(Producer)
    app.producer._producer = None
    assert partition_counts(app, ["telemetry"]) == {}, "there is no consumer yet"
    app._consumer = SimpleNamespace(topic_partitions=read.get)  # type: ignore[assignment]
    names = ["telemetry", "laps", "frames", "unknown"]
    assert partition_counts(app, names) == {"telemetry": 3, "test-cars-changelog": 4}
    known = {"frames": {0, 1}}
    cluster = SimpleNamespace(partitions_for_topic=known.get)
    app.producer._producer = SimpleNamespace(client=SimpleNamespace(cluster=cluster))
    assert partition_counts(app, names) == {"telemetry": 3, "test-cars-changelog": 4, "frames": 2}
