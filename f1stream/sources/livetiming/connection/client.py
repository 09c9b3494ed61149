"""The live feed: connected for as long as somebody listens, through losses and renewals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

import orjson
import tenacity

from f1stream.settings import Settings
from f1stream.sources.livetiming import metrics
from f1stream.sources.livetiming.connection.handover import Handover, Rest
from f1stream.sources.livetiming.connection.signalr import SILENT_SECONDS, AccessDenied, ConnectionLost, HubConnection
from f1stream.sources.livetiming.connection.token import Tokens, ends_at
from f1stream.sources.livetiming.message import (
    KEPT_RAW_BYTES,
    TOPICS,
    BadMessage,
    Damage,
    FeedMessage,
    checked,
)
from f1stream.sources.livetiming.message_times import own_times

log = logging.getLogger(__name__)
AHEAD = 2_000
"""Messages that may wait for the listener; then the feed has to. At its busiest it sends some 20 a second."""
OVERLAP_SECONDS = 30.0
"""So long two connections may take to meet. Where the feed says too little for that, the old one has said everything
when it said something more after this time, be it a ping."""
KEPT_AHEAD = 20_000
"""Messages of the new connection that may wait for the old one."""
TOUCH_SECONDS = 5.0
"""When the old one is lost meanwhile, so long may the new one take to show whether something is missing."""
SHORT_SECONDS = 10.0
"""Who loses connections as soon as they are made waits longer each time."""
PAUSE_SECONDS = 0.5
"""The first pause."""


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
        """``damaged`` gets whatever comes and is no message; it is counted in the metrics too.

        Raises SourceError when a token is set that would go in plain text.
        """
        self._url, self._topics = settings.live_url, topics
        self._renew_s = settings.live_renew_minutes * 60
        self._longest_pause_s = settings.live_retry_seconds
        self._tokens = Tokens(settings)
        self._damaged = damaged
        self._damages = 0
        self._overlap_s, self._silent_s = overlap_s, silent_s
        self._queue: asyncio.Queue[FeedMessage] = asyncio.Queue(AHEAD)
        self._last_ms = 0
        """The newest time given out."""
        self._short_lived = 0
        """Connections in a row that were soon lost."""
        self._handover: Handover | None = None

    async def messages(self) -> AsyncGenerator[FeedMessage]:
        """First each topic's state (``snapshot``), then what changes, as the feed sends it; it never ends.

        After a loss the states come again, because what was sent meanwhile is missing. States have the newest time
        that they tell or that was given before; changes have the feed's own, which runs back by up to a second at
        times. What is wrong with the connection is in the log and the metrics. For one listener, who closes the
        iterator (``contextlib.aclosing``).
        """
        self._queue = asyncio.Queue(AHEAD)
        running = asyncio.create_task(self._run())
        try:
            while (message := await self._next(running)) is not None:
                metrics.MESSAGES.labels(message.topic if message.topic in TOPICS else "other").inc()
                yield message
        finally:
            await _ended(running)
            metrics.CONNECTED.set(0)

    async def _next(self, running: asyncio.Task[None]) -> FeedMessage | None:
        if not self._queue.empty():
            return self._queue.get_nowait()
        getting = asyncio.create_task(self._queue.get())
        try:
            await asyncio.wait({getting, running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            getting.cancel()  # does nothing to one that is done
        if getting.done() and not getting.cancelled():
            return getting.result()
        running.result()  # a mistake of ours: it raises
        return None

    async def _run(self) -> None:
        """One connection after the other."""
        connection = await self._open()
        handed: Rest | None = None
        try:
            await self._give_states(connection)
            while True:
                began = time.monotonic()
                giving = asyncio.create_task(self._give(connection, handed))
                try:
                    await asyncio.wait({giving}, timeout=self._renew_s)
                    connection, handed = await self._renewed(connection, giving)
                    self._short_lived = 0
                except ConnectionLost as lost:
                    metrics.CONNECTED.set(0)
                    log.warning("The connection to the live timing was lost: %s. Connecting again.", lost)
                    await connection.close()
                    self._short_lived = self._short_lived + 1 if time.monotonic() - began < SHORT_SECONDS else 0
                    connection, handed = await self._open(), None
                    metrics.RECONNECTS.inc()
                    await self._give_states(connection)
                finally:
                    await _ended(giving)
        finally:
            await connection.close()

    async def _renewed(self, old: HubConnection, giving: asyncio.Task[None]) -> tuple[HubConnection, Rest]:
        """Replace ``old`` by a new connection and close it. Raises ConnectionLost if ``old`` is lost first."""
        while True:
            if (lost := _lost(giving)) is not None:
                raise lost
            self._handover = handover = Handover()
            opening = asyncio.create_task(self._open())
            keeping: asyncio.Task[None] | None = None
            replaced = False
            try:
                await _first(giving, opening)
                if not opening.done():
                    metrics.CONNECTED.set(0)
                    await asyncio.wait({opening})  # it may be subscribed already: what is sent to it is not lost
                new = opening.result()
                keeping = asyncio.create_task(self._keep(new, handover))
                await self._both(handover, old, giving, keeping)
                lost = _lost(keeping)
                if lost is None or giving.done():
                    handed = await self._handed_over(handover, old, giving, new, keeping)
                    replaced = True
                    return new, handed
                log.warning("The connection that was to replace another was lost: %s.", lost)
                await _first(giving, timeout=PAUSE_SECONDS)
            finally:
                self._handover = None
                if keeping is not None:
                    await _ended(keeping)
                await _ended(opening)
                if not replaced and not opening.cancelled() and opening.exception() is None:
                    await opening.result().close()

    async def _both(
        self, handover: Handover, old: HubConnection, giving: asyncio.Task[None], keeping: asyncio.Task[None]
    ) -> None:
        """Return when the old connection is not needed any more, or one of the two is lost."""
        await _first(giving, keeping, handover.met.wait(), timeout=self._overlap_s)
        enough = old.taken + 2  # what is in hand, and one more; a listener who takes nothing for long delays both
        while not (giving.done() or keeping.done() or handover.met.is_set() or old.taken >= enough):
            await _first(giving, keeping, handover.met.wait(), timeout=0.05)

    async def _handed_over(
        self,
        handover: Handover,
        old: HubConnection,
        giving: asyncio.Task[None],
        new: HubConnection,
        keeping: asyncio.Task[None],
    ) -> Rest:
        lost = _lost(giving)
        if lost is not None and not handover.touched:
            await _first(keeping, handover.came.wait(), timeout=TOUCH_SECONDS)
        await _ended(giving)
        await _ended(keeping)
        await old.close()
        if lost is not None and not handover.touched:
            log.warning("The connection to the live timing was lost while another replaced it: %s.", lost)
            metrics.RECONNECTS.inc()
            await self._give_states(new)
            return Rest([], handover.kept)
        metrics.RENEWALS.inc()
        return handover.rest()

    async def _give(self, connection: HubConnection, handed: Rest | None) -> None:
        """Everything that comes on a connection, to the listener. Ends by raising ConnectionLost."""
        for message in handed.kept() if handed is not None else ():
            await self._put(message)
        async for message in connection.messages():
            if handed is None or handed.is_new(message):
                await self._put(message)

    async def _keep(self, connection: HubConnection, handover: Handover) -> None:
        """Everything that comes on a connection, for later. Ends by raising ConnectionLost."""
        async for message in connection.messages():
            handover.new(message)
            if len(handover.kept) >= KEPT_AHEAD:
                await handover.met.wait()

    async def _put(self, message: FeedMessage) -> None:
        await self._queue.put(message)
        self._last_ms = max(self._last_ms, message.sent_ms)
        if self._handover is not None and not message.snapshot:
            self._handover.old(message)

    async def _give_states(self, connection: HubConnection) -> None:
        """The answer to subscribing, as of the newest time that is told in it or was sent before."""
        metrics.CONNECTED.set(1)
        told = [ms for topic, data in connection.snapshot.items() for ms in own_times(topic, data)]
        as_of_ms = max([*told, self._last_ms]) or time.time_ns() // 1_000_000
        for topic, data in connection.snapshot.items():
            try:
                await self._put(checked(topic, data, as_of_ms, snapshot=True))
            except BadMessage as bad:
                self._tell(str(bad), orjson.dumps([topic, data]))

    async def _open(self) -> HubConnection:
        """A new connection, however long it takes."""
        if self._short_lived:
            await asyncio.sleep(min(PAUSE_SECONDS * 2.0 ** min(self._short_lived, 20), self._longest_pause_s))
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(ConnectionLost),
            wait=tenacity.wait_exponential_jitter(multiplier=PAUSE_SECONDS, max=self._longest_pause_s, jitter=0.5),
            before_sleep=self._tell_failure,
        )
        return await retrying(self._connect)

    async def _connect(self) -> HubConnection:
        if self._handover is not None:
            self._handover.begin()
        token = self._tokens.current()
        metrics.TOKEN_ENDS.set(((ends_at(token) or 0) / 1000) if token is not None else 0)
        try:
            return await HubConnection.open(self._url, self._topics, token, self._tell, self._silent_s)
        except AccessDenied:
            if token is not None:
                self._tokens.refuse(token)
            raise

    def _tell_failure(self, state: tenacity.RetryCallState) -> None:
        metrics.FAILURES.inc()
        log.warning(
            "The live timing at %s cannot be reached: %s. Trying again; F1STREAM_LIVE_URL says where it is.",
            self._url, state.outcome.exception() if state.outcome else "",
        )  # fmt: skip

    def _tell(self, reason: str, raw: bytes) -> None:
        self._damages += 1
        metrics.DAMAGED.labels(reason).inc()
        self._damaged(Damage("live", self._damages, reason, raw[:KEPT_RAW_BYTES]))


async def _first(*things: asyncio.Task[Any] | Coroutine[Any, Any, Any], timeout: float | None = None) -> None:
    """Return when one of them is done, or it takes too long. Tasks go on, the others are stopped."""
    waited = {thing if isinstance(thing, asyncio.Task) else asyncio.create_task(thing): thing for thing in things}
    try:
        await asyncio.wait(waited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, thing in waited.items():
            if task is not thing:
                task.cancel()


def _lost(task: asyncio.Task[None]) -> ConnectionLost | None:
    """Why a connection's task is over; None while it is not. What is no loss but a mistake of ours is raised."""
    if not task.done():
        return None
    error = task.exception()
    if not isinstance(error, ConnectionLost):
        raise error or AssertionError("a connection's messages never end by themselves")
    return error


async def _ended(task: asyncio.Task[Any]) -> None:
    """Stop a task, whatever becomes of it."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at
