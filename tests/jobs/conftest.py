"""What tests of the scheduler share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from sqlalchemy import Engine, event

from f1stream.jobs.scheduler import JobScheduler
from f1stream.settings import Settings
from tests.support.clock import FakedTime

BEFORE = datetime(2024, 2, 25, 12, tzinfo=UTC)
"""Before the season of the tests."""


@pytest.fixture(autouse=True)
def schedule_is_not_synced_to_disk() -> Iterator[None]:
    """A process that is killed loses nothing by it, only a machine without power would; each sync takes 20 ms."""

    def connected(connection: Any, _: object) -> None:
        connection.execute("pragma synchronous = off")

    event.listen(Engine, "connect", connected)
    yield
    event.remove(Engine, "connect", connected)


@pytest.fixture
def starting(settings: Settings) -> Iterator[Callable[[datetime], FakedTime]]:
    """A scheduler at some time; starting another one stops it first."""
    with time_machine.travel(BEFORE, tick=False) as clock:
        running: list[JobScheduler] = []

        def start(at: datetime) -> FakedTime:
            for jobs in running:
                jobs.stop()
            clock.move_to(at, tick=False)
            running[:] = [JobScheduler(settings)]
            running[0].start()
            return FakedTime(running[0], clock)

        yield start
        for jobs in running:
            jobs.stop()
