"""Archive workers on Apache Kafka, and a short stretch of the race to load."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from tests.support.archive_rig import ArchiveRig
from tests.support.kafka_cluster import Cluster

PACKET_MS = 3_000
LONG = os.environ.get("F1STREAM_FAULTS") == "long"
collect_ignore = [] if LONG else ["test_archive_matrix.py"]
"""The long matrix runs on request only: tests/warehouse proves the same facts in process."""


@pytest.fixture(scope="session")
def items(aus_session: Session, stretch: tuple[int, int]) -> list[OutgoingRecord]:
    """The records of the stretch."""
    return list(pack(aus_session, 1, PACKET_MS, *stretch))


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
