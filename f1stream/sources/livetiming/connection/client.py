"""The live feed, connected for as long as somebody listens, through lost connections and renewals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

import orjson

from f1stream.settings import Settings
from f1stream.sources.livetiming import metrics
from f1stream.sources.livetiming.connection.connector import PAUSE_SECONDS, Connector
from f1stream.sources.livetiming.connection.handover import Handover, Remainder
from f1stream.sources.livetiming.connection.signalr import SILENT_SECONDS, ConnectionLost, HubConnection
from f1stream.sources.livetiming.message import TOPICS, BadMessage, Damage, FeedMessage, checked
from f1stream.sources.livetiming.message_times import own_times

log = logging.getLogger(__name__)
AHEAD = 2_000
"""Messages that may wait for the listener; with more, the feed waits. At its busiest it sends some 20 a second."""
OVERLAP_SECONDS = 30.0
"""How long (s) a handover waits for the two connections to align. If the feed sends too little for that, the old
connection has delivered everything once it received anything after this time, be it a ping."""
BUFFERED_AHEAD = 20_000
"""Messages of the new connection that are buffered during a handover; with more, it is not read."""
RECEIVE_SECONDS = 5.0
"""How long (s), after the old connection is lost, the new one may take to show whether messages are missing."""


class FeedClient:
    """The feed, as ``settings`` say: ``live_url``, ``live_renew_minutes``, ``live_retry_seconds``, ``f1tv_token``."""

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[str] = TOPICS,
        *,
        damaged: Callable[[Damage], None] = lambda _: None,
        overlap_s: float = OVERLAP_SECONDS,
        silent_s: float = SILENT_SECONDS,
    ) -> None:
        """``damaged`` is called with everything received that is not a message; it is counted in the metrics too.

        Raises SourceError when a token is set that would be sent in plain text.
        """
        self._connector = Connector(settings, topics, damaged, silent_s)
        self._renew_s, self._overlap_s = settings.live_renew_minutes * 60, overlap_s
        self._queue: asyncio.Queue[FeedMessage] = asyncio.Queue(AHEAD)
        self._last_ms = 0
        """The latest time of a delivered message."""
        self._handover: Handover | None = None

    async def messages(self) -> AsyncGenerator[FeedMessage]:
        """First each topic's state (``snapshot``), then the changes as the feed sends them; it never ends.

        After a lost connection the states are sent again, because changes are missing. States have the latest time
        that they contain or that was delivered before; changes have the feed's own times, which run back by up to a
        second at times. Problems of the connection are in the log and the metrics. For one listener, who closes the
        iterator (``contextlib.aclosing``).
        """
        self._queue = asyncio.Queue(AHEAD)
        running = asyncio.create_task(self._run())
        try:
            while (message := await self._next(running)) is not None:
                metrics.MESSAGES.labels(message.topic if message.topic in TOPICS else "other").inc()
                yield message
        finally:
            await _cancel(running)
            metrics.CONNECTED.set(0)

    async def _next(self, running: asyncio.Task[None]) -> FeedMessage | None:
        if not self._queue.empty():
            return self._queue.get_nowait()
        getting = asyncio.create_task(self._queue.get())
        try:
            await asyncio.wait({getting, running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            getting.cancel()  # has no effect on a finished one
        if getting.done() and not getting.cancelled():
            return getting.result()
        running.result()  # raises: only an error of ours ends it
        return None

    async def _run(self) -> None:
        """One connection after the other."""
        connection = await self._open()
        remainder: Remainder | None = None
        try:
            await self._deliver_states(connection)
            while True:
                began = time.monotonic()
                delivering = asyncio.create_task(self._deliver(connection, remainder))
                try:
                    await asyncio.wait({delivering}, timeout=self._renew_s)
                    connection, remainder = await self._renewed(connection, delivering)
                    self._connector.renewed()
                except ConnectionLost as lost:
                    metrics.CONNECTED.set(0)
                    log.warning("The connection to the live timing was lost: %s. Connecting again.", lost)
                    await connection.close()
                    self._connector.ended(time.monotonic() - began)
                    connection, remainder = await self._open(), None
                    metrics.RECONNECTS.inc()
                    await self._deliver_states(connection)
                finally:
                    await _cancel(delivering)
        finally:
            await connection.close()

    async def _renewed(self, old: HubConnection, delivering: asyncio.Task[None]) -> tuple[HubConnection, Remainder]:
        """Replace ``old`` by a new connection and close it. Raises ConnectionLost if ``old`` is lost first."""
        while True:
            if (lost := _lost(delivering)) is not None:
                raise lost
            self._handover = handover = Handover()
            opening = asyncio.create_task(self._open())
            buffering: asyncio.Task[None] | None = None
            replaced = False
            try:
                await _first(delivering, opening)
                if not opening.done():
                    metrics.CONNECTED.set(0)
                    await asyncio.wait({opening})  # it may be subscribed already: what is sent to it is not lost
                new = opening.result()
                buffering = asyncio.create_task(self._buffer(new, handover))
                await self._overlap(handover, old, delivering, buffering)
                lost = _lost(buffering)
                if lost is None or delivering.done():
                    remainder = await self._hand_over(handover, old, delivering, new, buffering)
                    replaced = True
                    return new, remainder
                log.warning("The connection that was to replace another was lost: %s.", lost)
                await _first(delivering, timeout=PAUSE_SECONDS)
            finally:
                self._handover = None
                if buffering is not None:
                    await _cancel(buffering)
                await _cancel(opening)
                if not replaced and not opening.cancelled() and opening.exception() is None:
                    await opening.result().close()

    async def _overlap(
        self,
        handover: Handover,
        old: HubConnection,
        delivering: asyncio.Task[None],
        buffering: asyncio.Task[None],
    ) -> None:
        """Return when the old connection is not needed any more, or one of the two is lost."""
        await _first(delivering, buffering, handover.aligned.wait(), timeout=self._overlap_s)
        enough = old.frames + 2  # the one being delivered, and one more; a slow listener delays both connections
        while not (delivering.done() or buffering.done() or handover.aligned.is_set() or old.frames >= enough):
            await _first(delivering, buffering, handover.aligned.wait(), timeout=0.05)

    async def _hand_over(
        self,
        handover: Handover,
        old: HubConnection,
        delivering: asyncio.Task[None],
        new: HubConnection,
        buffering: asyncio.Task[None],
    ) -> Remainder:
        lost = _lost(delivering)
        if lost is not None and not handover.overlaps:
            await _first(buffering, handover.received.wait(), timeout=RECEIVE_SECONDS)
        await _cancel(delivering)
        await _cancel(buffering)
        await old.close()
        if lost is not None and not handover.overlaps:
            log.warning("The connection to the live timing was lost while another replaced it: %s.", lost)
            metrics.RECONNECTS.inc()
            await self._deliver_states(new)
            return Remainder([], handover.buffered)
        metrics.RENEWALS.inc()
        return handover.remainder()

    async def _deliver(self, connection: HubConnection, remainder: Remainder | None) -> None:
        """Deliver all messages of a connection to the listener. Ends by raising ConnectionLost."""
        for message in remainder.buffered() if remainder is not None else ():
            await self._put(message)
        async for message in connection.messages():
            if remainder is None or remainder.is_new(message):
                await self._put(message)

    async def _buffer(self, connection: HubConnection, handover: Handover) -> None:
        """Buffer all messages of a connection. Ends by raising ConnectionLost."""
        async for message in connection.messages():
            handover.buffer(message)
            if len(handover.buffered) >= BUFFERED_AHEAD:
                await handover.aligned.wait()

    async def _put(self, message: FeedMessage) -> None:
        await self._queue.put(message)
        self._last_ms = max(self._last_ms, message.sent_ms)
        if self._handover is not None and not message.snapshot:
            self._handover.deliver(message)

    async def _deliver_states(self, connection: HubConnection) -> None:
        """Deliver the answer to subscribing, at the latest time that it contains or that was delivered before."""
        metrics.CONNECTED.set(1)
        times = [ms for topic, data in connection.snapshot.items() for ms in own_times(topic, data)]
        as_of_ms = max([*times, self._last_ms]) or time.time_ns() // 1_000_000
        for topic, data in connection.snapshot.items():
            try:
                await self._put(checked(topic, data, as_of_ms, snapshot=True))
            except BadMessage as bad:
                self._connector.report_damage(str(bad), orjson.dumps([topic, data]))

    async def _open(self) -> HubConnection:
        return await self._connector.open(self._start_handover)

    def _start_handover(self) -> None:
        if self._handover is not None:
            self._handover.start()


async def _first(*things: asyncio.Task[Any] | Coroutine[Any, Any, Any], timeout: float | None = None) -> None:
    """Return when one of them is done, or after ``timeout`` (s). Tasks go on; coroutines are cancelled."""
    waited = {thing if isinstance(thing, asyncio.Task) else asyncio.create_task(thing): thing for thing in things}
    try:
        await asyncio.wait(waited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, thing in waited.items():
            if task is not thing:
                task.cancel()


def _lost(task: asyncio.Task[None]) -> ConnectionLost | None:
    """Why a connection's task has ended; None while it runs. Raises any other error, which is one of ours."""
    if not task.done():
        return None
    error = task.exception()
    if not isinstance(error, ConnectionLost):
        raise error or AssertionError("a connection's messages never end by themselves")
    return error


async def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end, with whatever result."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # marks it as retrieved
