"""Waiting, and a scheduler whose clock is ours: time stands still, and jumps to when the next job is due."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from time_machine import Traveller

from f1stream.jobs.scheduler import JobScheduler

LONGEST_RUN_S = 120
PATIENCE_S = 180.0


def until(what: str, holds: Callable[[], object]) -> None:
    """Wait for it, by the real clock."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.05)


class FakedTime:
    """Drives one scheduler from instant to instant."""

    def __init__(self, jobs: JobScheduler, clock: Traveller) -> None:
        self.jobs = jobs
        self._clock = clock
        self.ran: list[tuple[datetime, str]] = []

    def until(self, end: datetime, before_each: Callable[[datetime], None] = lambda _: None) -> None:
        """Everything that is due before ``end``, in its order, after what runs now: it may schedule more."""
        until("nothing runs", lambda: not self._is_on())
        while True:
            due = self.jobs.next_runs()
            at = min(due.values())
            if at >= end:
                break
            before_each(at)
            ended = self._ended()  # before the clock moves: the scheduler may be awake already
            self._clock.move_to(max(at, datetime.now(at.tzinfo)), tick=False)
            self.ran += [(at, name) for name in sorted(due) if due[name] == at]
            self.settle(ended)
        self._clock.move_to(end, tick=False)

    def _ended(self) -> int:
        return sum(self.jobs.counts.values())

    def _is_on(self) -> bool:
        """Also for APScheduler, which passes over a job whose last run it has not seen end."""
        executors = self.jobs._scheduler._executors.values()
        return bool(self.jobs.running()) or any(sum(executor._instances.values()) for executor in executors)

    def _is_due(self) -> bool:
        return min(self.jobs.next_runs().values()) <= datetime.now(UTC)

    def settle(self, ended: int = 0) -> None:
        """Run what is due now, and wait until more than ``ended`` runs have ended and none is on or still due."""
        self.jobs._scheduler.wakeup()
        deadline = time.monotonic() + LONGEST_RUN_S
        # In this order: a job that is submitted in between is no longer due, and on.
        while self._is_due() or self._is_on() or self._ended() <= ended:
            assert time.monotonic() < deadline, f"still running: {self.jobs.running()}"
            time.sleep(0.002)
