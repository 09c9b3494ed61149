"""One connection to an ASP.NET SignalR Core hub that has a method ``Subscribe`` and sends ``feed``.

The protocol is small, and the libraries for it do not fit: pysignalr 1.3.3 reconnects by itself, without overlap,
ends at a record that is not JSON, never notices a silent server, and has the token only after negotiating;
signalrcore 1.0.2 runs in threads. Source: the Hub Protocol and Transport Protocols in ``dotnet/aspnetcore``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import aiohttp
import orjson
from pydantic import SecretStr
from yarl import URL

from f1stream.sources.livetiming.message import BadMessage, FeedMessage, checked
from f1stream.sources.timestamps import utc_ms

END = "\x1e"
"""Ends each record."""
INVOCATION, COMPLETION, PING, CLOSE = 1, 3, 6, 7
OPEN_SECONDS = 15.0
"""Longest wait (s) for each step until subscribed; then the attempt has failed."""
PING_SECONDS = 15.0
"""Time (s) between our pings, as in Microsoft's clients."""
SILENT_SECONDS = 30.0
"""A server that sends nothing for this long (s), not even a ping, is lost. As in Microsoft's clients."""
MAX_RECORD_BYTES = 16_000_000
"""With a longer record the connection is lost. The answer to subscribing is the longest; it had 0.1 MB in 2024."""
MAX_NEGOTIATION_BYTES = 100_000
"""With a longer answer the attempt to connect has failed."""

ReportDamage = Callable[[str, bytes], None]
"""Takes a reason and the damaged record."""


class ConnectionLost(Exception):
    """No connection could be made, or it was lost; the text says why."""


class AccessDenied(ConnectionLost):
    """The server refuses us (401, 403)."""


@dataclass
class HubConnection:
    """A connection that is subscribed."""

    http: aiohttp.ClientSession
    ws: aiohttp.ClientWebSocketResponse
    damaged: ReportDamage
    silent_s: float
    snapshot: dict[str, Any] = field(default_factory=dict)
    """The answer to subscribing: each topic's whole state."""
    frames: int = 0
    """Frames whose messages have all been taken; pings are frames too."""
    _waiting: list[FeedMessage] = field(default_factory=list)
    """Messages that were sent before that answer."""
    _partial: str = ""
    """The beginning of a record whose end is in a later frame."""
    _lost: ConnectionLost | None = None
    """Why it is over: after its close message, a server may keep the socket open for a while."""
    _pinging: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        topics: Sequence[str],
        token: SecretStr | None,
        damaged: ReportDamage,
        silent_s: float = SILENT_SECONDS,
    ) -> HubConnection:
        """Negotiate, connect, shake hands, subscribe. Raises ConnectionLost and AccessDenied.

        The connection sends the cookies of the negotiation: the feed's load balancer needs them to find its server.
        """
        headers = {"User-Agent": f"f1stream/{version('f1stream')}"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        http = aiohttp.ClientSession(headers=headers)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                address = await _negotiated(http, URL(url))
                ws = await http.ws_connect(
                    address, max_msg_size=MAX_RECORD_BYTES, timeout=aiohttp.ClientWSTimeout(ws_close=5.0)
                )
            connection = cls(http, ws, damaged, silent_s)
            async with asyncio.timeout(OPEN_SECONDS):
                await connection._begin(topics)
        except BaseException as error:
            await http.close()
            raise _as_lost(error) from None
        connection._pinging = asyncio.create_task(connection._ping())
        return connection

    async def messages(self) -> AsyncIterator[FeedMessage]:
        """The feed's messages. Ends by raising ConnectionLost, and does so again when called again."""
        for message in self._waiting:
            yield message
        self._waiting.clear()
        try:
            while self._lost is None:
                for record in await self._records():
                    if (sent := self._message(record)) is not None:
                        yield sent
                self.frames += 1
        except ConnectionLost as lost:
            self._lost = lost
            raise
        raise self._lost

    async def close(self) -> None:
        """Close the connection; may be called repeatedly."""
        if self._pinging is not None:
            self._pinging.cancel()
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            await self.ws.close()
        await self.http.close()

    async def _begin(self, topics: Sequence[str]) -> None:
        await self._send({"protocol": "json", "version": 1})
        records = await self._records()
        while not records:
            records = await self._records()
        if error := records.pop(0).get("error"):
            raise ConnectionLost(f"it speaks another protocol ({error})")
        await self._send(
            {"type": INVOCATION, "invocationId": "1", "target": "Subscribe", "arguments": [list(topics)]}
        )
        while True:
            for at, record in enumerate(records):
                if record.get("type") == COMPLETION and record.get("invocationId") == "1":
                    if not isinstance(record.get("result"), dict):
                        raise ConnectionLost(
                            f"it refused the subscription ({record.get('error') or 'its answer has no state'})"
                        )
                    self.snapshot = record["result"]
                    self._waiting += [m for later in records[at + 1 :] if (m := self._message(later)) is not None]
                    return
                if (message := self._message(record)) is not None:
                    self._waiting.append(message)
            records = await self._records()

    def _message(self, record: dict[str, Any]) -> FeedMessage | None:
        """The message in a record; None without one. Raises ConnectionLost for a close message."""
        kind = record.get("type")
        if kind == CLOSE:
            raise ConnectionLost(f"the feed closed it ({record.get('error') or 'without a reason'})")
        if kind != INVOCATION or record.get("target") != "feed":
            return None
        try:
            return _feed_message(record.get("arguments"))
        except BadMessage as bad:
            self.damaged(str(bad), orjson.dumps(record))
            return None

    async def _records(self) -> list[dict[str, Any]]:
        """The records that end in the next frame."""
        try:
            frame = await self.ws.receive(timeout=self.silent_s)
        except TimeoutError:
            raise ConnectionLost(f"nothing was received for {self.silent_s:g} s") from None
        if frame.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise ConnectionLost(_why(frame, self.ws))
        text = frame.data if isinstance(frame.data, str) else frame.data.decode(errors="replace")
        *complete, self._partial = (self._partial + text).split(END)
        if len(self._partial) > MAX_RECORD_BYTES:
            raise ConnectionLost(f"a record is longer than {MAX_RECORD_BYTES:,} bytes")
        return [record for text in complete if (record := self._record(text)) is not None]

    def _record(self, text: str) -> dict[str, Any] | None:
        try:
            record = orjson.loads(text)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            self.damaged("it is not a JSON object: cut off or garbled", text.encode(errors="replace"))
            return None
        return record

    async def _send(self, record: dict[str, Any]) -> None:
        await self.ws.send_str(orjson.dumps(record).decode() + END)

    async def _ping(self) -> None:
        with suppress(aiohttp.ClientError, OSError):  # the receiving side notices the loss
            while True:
                await asyncio.sleep(PING_SECONDS)
                await self._send({"type": PING})


async def _negotiated(http: aiohttp.ClientSession, url: URL) -> URL:
    """The websocket's address, with the id that the server negotiated."""
    secure = url.scheme in ("wss", "https")
    address = (url / "negotiate").with_scheme("https" if secure else "http").update_query(negotiateVersion="1")
    async with http.post(address, allow_redirects=False) as answer:
        if answer.status in (401, 403):
            raise AccessDenied(f"HTTP {answer.status}")
        if answer.status != 200:
            raise ConnectionLost(f"HTTP {answer.status} when negotiating")
        try:
            negotiated = orjson.loads(await _body(answer))
            identity = negotiated.get("connectionToken") or negotiated["connectionId"]
        except (ValueError, AttributeError, KeyError):
            raise ConnectionLost("its answer to the negotiation is not valid") from None
    return url.with_scheme("wss" if secure else "ws").update_query(id=str(identity))


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_NEGOTIATION_BYTES:
            raise ConnectionLost("its answer to the negotiation is too long")
    return body


def _feed_message(arguments: Any) -> FeedMessage:
    if not isinstance(arguments, list) or len(arguments) != 3:
        raise BadMessage("it does not have three parts: topic, data, time")
    topic, data, utc = arguments
    sent_ms = utc_ms(utc)
    if sent_ms is None:
        raise BadMessage("its time is not valid")
    return checked(topic, data, sent_ms)


def _why(frame: aiohttp.WSMessage, ws: aiohttp.ClientWebSocketResponse) -> str:
    if frame.type is aiohttp.WSMsgType.ERROR:
        return f"it broke ({frame.data})"
    return f"the feed closed it (code {ws.close_code})"


def _as_lost(error: BaseException) -> BaseException:
    """A connection's error as ConnectionLost, others unchanged. Its text never has our headers (the token)."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return (AccessDenied if error.status in (401, 403) else ConnectionLost)(
            f"HTTP {error.status} when connecting"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectionLost(f"no connection ({error.os_error or error})")
    if isinstance(error, TimeoutError):
        return ConnectionLost(f"no answer within {OPEN_SECONDS:g} s")
    if isinstance(error, aiohttp.ClientError | OSError):
        return ConnectionLost(f"no connection ({type(error).__name__})")
    return error
