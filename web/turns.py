"""Whose turn it is to be sent something: one task for all viewers, in the order in which something became due.

A task, an event and a timer for each viewer cost more than what is sent.
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
"""Shortest timer: nobody sees a smaller difference."""
SLICE_S = 0.002
"""Turns are taken for this long; then the event loop may do something else."""


class Turns:
    """Viewers that are ready, and those that will be when something is due."""

    def __init__(self, turn: Callable[[Viewer, float], float | None]) -> None:
        """``turn`` sends what is due at an instant and returns when the next turn is due; None: there is none.
        It must not raise. Instants are monotonic seconds."""
        self._turn = turn
        self._ready: deque[Viewer] = deque()
        self._timers: list[tuple[float, int, Viewer]] = []
        """A heap. A timer that is not the viewer's latest one is ignored."""
        self._order = count()
        self._changed = asyncio.Event()

    def add(self, viewer: Viewer) -> None:
        """Give a viewer a turn behind those that are ready."""
        if not viewer.ready:
            viewer.ready = True
            self._ready.append(viewer)
            self._changed.set()

    async def run(self) -> None:
        """Take turns until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            now = self._take(time.monotonic() + SLICE_S)
            if self._ready:
                await asyncio.sleep(0)
            elif self._timers:
                timer = loop.call_later(max(self._timers[0][0] - now, SOONEST_S), self._changed.set)
                await self._changed.wait()
                timer.cancel()
            else:
                await self._changed.wait()

    def _take(self, until: float) -> float:
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
