"""A rebalance that does not get on ends the worker; one that takes long does not."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from agents import app as worker


class EndedError(Exception):
    """The process would end."""


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Watches an app for 300 s of a clock of its own; ``every_second`` changes the app."""

    async def run(app: Any, every_second: Callable[[int], None] = lambda _: None) -> None:
        now = 0

        async def sleep(_: float) -> None:
            nonlocal now
            now += 1
            app.should_stop = now == 300
            every_second(now)

        def end_process(reason: str) -> None:
            raise EndedError(reason)

        monkeypatch.setattr(worker, "asyncio", SimpleNamespace(sleep=sleep))
        monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now))
        monkeypatch.setattr(worker, "exit_process", end_process)
        await worker.watch_rebalancing(app)

    return run


def app(rebalancing: bool) -> Any:
    recovery = SimpleNamespace(active_offsets={})
    return SimpleNamespace(
        should_stop=False, rebalancing=rebalancing, rebalancing_count=1, tables=SimpleNamespace(recovery=recovery)
    )


async def test_a_worker_without_a_rebalance_goes_on(watch: Callable[..., Any]) -> None:
    await watch(app(rebalancing=False))


async def test_a_rebalance_that_stands_still_ends_the_worker(watch: Callable[..., Any]) -> None:
    """Even in the recovery of tables: Faust gives it up when the broker was away for long, and tells nobody."""
    with pytest.raises(EndedError, match="has made no progress for 60 s"):
        await watch(app(rebalancing=True))


async def test_a_long_recovery_goes_on(watch: Callable[..., Any]) -> None:
    recovering = app(rebalancing=True)
    await watch(recovering, lambda now: recovering.tables.recovery.active_offsets.update(changelog=now // 30))


async def test_rebalances_one_after_the_other_are_not_one(watch: Callable[..., Any]) -> None:
    busy = app(rebalancing=True)
    await watch(busy, lambda now: vars(busy).update(rebalancing_count=now // 50))
