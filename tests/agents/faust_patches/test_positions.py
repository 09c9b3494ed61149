"""The positions of a worker are those of the partitions that it acknowledges."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust import Topic
from faust.types import TP

from agents.faust_patches.app import PatchedApp
from agents.faust_patches.positions import Position, input_positions

INPUT, CHANGELOG = TP("telemetry", 0), TP("test-cars-changelog", 0)


async def test_a_tables_changelog_has_no_position(app: PatchedApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust's own list of topics that are acknowledged decides."""

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
    assert input_positions(app) == {INPUT: Position(end=9, committed=4)}
