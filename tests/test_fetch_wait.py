"""How long the embedded broker may hold a fetch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher

from f1stream.fetch_wait import QUIET_AFTER_S, QUIET_MS, FetchWait

BUSY_MS = 20


class Consumer:
    """A consumer whose fetcher has the attribute that aiokafka's has, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self._fetcher = SimpleNamespace(_fetch_max_wait_ms=BUSY_MS)
        self._wait = FetchWait(BUSY_MS, lambda: self.now)

    def poll(self, at: float, has_records: bool) -> int:
        """The wait after a poll at that time."""
        self.now = at
        client: Any = self
        self._wait.update(client, has_records)
        return int(self._fetcher._fetch_max_wait_ms)


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


def test_without_records_fetches_take_longer_after_a_while(consumer: Consumer) -> None:
    assert consumer.poll(QUIET_AFTER_S - 0.1, False) == BUSY_MS
    assert consumer.poll(QUIET_AFTER_S, False) == QUIET_MS


def test_the_first_record_makes_them_short_again(consumer: Consumer) -> None:
    assert consumer.poll(QUIET_AFTER_S, False) == QUIET_MS
    assert consumer.poll(QUIET_AFTER_S + 5, True) == BUSY_MS
    assert consumer.poll(2 * QUIET_AFTER_S, False) == BUSY_MS


def test_a_consumer_that_may_be_late_is_never_asked_to_hurry(consumer: Consumer) -> None:
    consumer._wait = FetchWait(3 * QUIET_MS, lambda: consumer.now)
    assert consumer.poll(QUIET_AFTER_S, False) == 3 * QUIET_MS


def test_aiokafka_reads_the_wait_at_each_fetch() -> None:
    """The attribute is private: a release that renames it must fail here."""
    assert "_fetch_max_wait_ms" in Fetcher._get_actions_per_node.__code__.co_names
