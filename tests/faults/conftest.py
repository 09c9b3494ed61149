"""Archive workers on Apache Kafka, and a short stretch of the race to load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from f1stream.sources.packing import Published, pack
from f1stream.sources.session import Session
from tests.support.archive_rig import ArchiveRig
from tests.support.kafka_cluster import Cluster

PACKET_MS = 3_000


@pytest.fixture(scope="session")
def short(stretch: tuple[int, int]) -> tuple[int, int]:
    """Session time of two laps with stops."""
    return stretch[0], stretch[0] + 180_000


@pytest.fixture(scope="session")
def items(aus_session: Session, short: tuple[int, int]) -> list[Published]:
    """The records of these laps."""
    return list(pack(aus_session, 1, PACKET_MS, *short))


@pytest_asyncio.fixture
async def rig(cluster: Cluster, tmp_path: Path) -> AsyncIterator[ArchiveRig]:
    """A warehouse and archive workers; a flush is made by some tenth of ``items``."""
    await cluster.reset()
    rig = ArchiveRig(tmp_path, broker=cluster.environment())
    rig._environment["F1STREAM_ARCHIVE_FLUSH_ROWS"] = "2000"
    try:
        await rig.start()
        yield rig
    finally:
        rig.stop()
