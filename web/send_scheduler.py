"""Schedules sending to all viewers: one task, in the order in which something became due.

A task, an event and a timer for each viewer would cost more than what is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from web.viewer import Viewer

SOONEST_S = 0.005
"""Shortest wait for a timer, in seconds; what is due sooner is sent this much later, which nobody sees. Also keeps a
viewer that is due again at once from occupying the event loop."""
SLICE_S = 0.002
"""Seconds of sending after which other tasks of the event loop run, if viewers are still ready."""


class SendScheduler:
    """A queue of the viewers that are ready, and a timer for each of those that will be."""

    def __init__(self, turn: Callable[[Viewer, float], float | None]) -> None:
        """``turn`` sends to a viewer what is due at an instant and returns when the next turn is due, or None if only
        ``add`` gives another. It must not raise. Instants are monotonic seconds."""
        self._turn = turn
        self._ready: deque[Viewer] = deque()
        self._timers: list[tuple[float, int, Viewer]] = []
        """A heap. Timers that have been replaced stay in it and are ignored."""
        self._order = count()
        self._changed = asyncio.Event()

    def add(self, viewer: Viewer) -> None:
        """Give a viewer a turn behind those that are ready."""
        if not viewer.ready:
            viewer.ready = True
            self._ready.append(viewer)
            self._changed.set()

    async def run(self) -> None:
        """Send until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            now = self._run_ready(time.monotonic() + SLICE_S)
            self._changed.clear()  # last: a turn or a timer has set it, and the wait below would not suspend
            if self._ready:
                await asyncio.sleep(0)
            elif self._timers:
                timer = loop.call_later(max(self._timers[0][0] - now, SOONEST_S), self._changed.set)
                await self._changed.wait()
                timer.cancel()
            else:
                await self._changed.wait()

    def _run_ready(self, until: float) -> float:
        """Give a turn to viewers whose timer has expired and to ready ones, until an instant; returns the time."""
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            due, _, viewer = heappop(self._timers)
            if due == viewer.timer:
                viewer.timer = None
                self.add(viewer)
        while self._ready and now < until:
            viewer = self._ready.popleft()
            viewer.ready = False
            due_next = self._turn(viewer, now)
            if due_next is not None and due_next != viewer.timer:
                viewer.timer = due_next
                heappush(self._timers, (due_next, next(self._order), viewer))
            now = time.monotonic()
        return now
