"""One connection to an ASP.NET SignalR Core hub that has a method ``Subscribe`` and sends ``feed``.

The protocol is small, and the libraries for it do not fit: pysignalr 1.3.3 reconnects by itself, without overlap,
ends at a record that is no JSON, never notices a silent server, and has the token only after negotiating;
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
"""Longest wait for each step up to being subscribed."""
PING_SECONDS = 15.0
SILENT_SECONDS = 30.0
"""A server that says nothing for so long, not even that it is there, is lost. Both as in Microsoft's clients."""
MAX_RECORD_BYTES = 16_000_000
"""The answer to subscribing is the greatest; it had 0.1 MB in 2024."""
MAX_NEGOTIATION_BYTES = 100_000

ReportDamage = Callable[[str, bytes], None]
"""Takes what is wrong with a record, and the record."""


class ConnectionLost(Exception):
    """There is no connection, or no longer; its text says why."""


class AccessDenied(ConnectionLost):
    """The server does not let us in (401, 403)."""


@dataclass
class HubConnection:
    """Connected and subscribed."""

    http: aiohttp.ClientSession
    ws: aiohttp.ClientWebSocketResponse
    damaged: ReportDamage
    silent_s: float
    snapshot: dict[str, Any] = field(default_factory=dict)
    """The answer to subscribing: each topic's whole state."""
    taken: int = 0
    """Frames of which everything has been taken; pings are frames too."""
    _waiting: list[FeedMessage] = field(default_factory=list)
    """What was sent before that answer."""
    _rest: str = ""
    _lost: ConnectionLost | None = None
    """Why it is over: a server that said good-bye may still be there for a while."""
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

        Cookies of the negotiation go with the connection: the feed's load balancer needs them to find its server.
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
            raise _told(error) from None
        connection._pinging = asyncio.create_task(connection._ping())
        return connection

    async def messages(self) -> AsyncIterator[FeedMessage]:
        """What the feed sends. It ends by raising ConnectionLost, whenever it is asked again too."""
        for message in self._waiting:
            yield message
        self._waiting.clear()
        try:
            while self._lost is None:
                for record in await self._records():
                    if (fed := self._message(record)) is not None:
                        yield fed
                self.taken += 1
        except ConnectionLost as lost:
            self._lost = lost
            raise
        raise self._lost

    async def close(self) -> None:
        """Leave; may be called often."""
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
                            f"it would not subscribe us ({record.get('error') or 'no state in its answer'})"
                        )
                    self.snapshot = record["result"]
                    self._waiting += [m for later in records[at + 1 :] if (m := self._message(later)) is not None]
                    return
                if (message := self._message(record)) is not None:
                    self._waiting.append(message)
            records = await self._records()

    def _message(self, record: dict[str, Any]) -> FeedMessage | None:
        """A record's, when it has one. Raises ConnectionLost when it says good-bye."""
        kind = record.get("type")
        if kind == CLOSE:
            raise ConnectionLost(f"the feed closed it ({record.get('error') or 'without a reason'})")
        if kind != INVOCATION or record.get("target") != "feed":
            return None
        try:
            return _fed(record.get("arguments"))
        except BadMessage as bad:
            self.damaged(str(bad), orjson.dumps(record))
            return None

    async def _records(self) -> list[dict[str, Any]]:
        """The records of the next frame; one that is not whole waits for the next."""
        try:
            frame = await self.ws.receive(timeout=self.silent_s)
        except TimeoutError:
            raise ConnectionLost(f"nothing was heard for {self.silent_s:g} s") from None
        if frame.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise ConnectionLost(_why(frame, self.ws))
        text = frame.data if isinstance(frame.data, str) else frame.data.decode(errors="replace")
        *whole, self._rest = (self._rest + text).split(END)
        if len(self._rest) > MAX_RECORD_BYTES:
            raise ConnectionLost(f"a record is longer than {MAX_RECORD_BYTES:,} bytes")
        return [record for text in whole if (record := self._record(text)) is not None]

    def _record(self, text: str) -> dict[str, Any] | None:
        try:
            record = orjson.loads(text)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            self.damaged("it is no JSON object: cut off or garbled", text.encode(errors="replace"))
            return None
        return record

    async def _send(self, record: dict[str, Any]) -> None:
        await self.ws.send_str(orjson.dumps(record).decode() + END)

    async def _ping(self) -> None:
        with suppress(aiohttp.ClientError, OSError):  # whoever receives is told
            while True:
                await asyncio.sleep(PING_SECONDS)
                await self._send({"type": PING})


async def _negotiated(http: aiohttp.ClientSession, url: URL) -> URL:
    """The websocket's address."""
    secure = url.scheme in ("wss", "https")
    address = (url / "negotiate").with_scheme("https" if secure else "http").update_query(negotiateVersion="1")
    async with http.post(address, allow_redirects=False) as answer:
        if answer.status in (401, 403):
            raise AccessDenied(f"HTTP {answer.status}")
        if answer.status != 200:
            raise ConnectionLost(f"HTTP {answer.status} when negotiating")
        try:
            told = orjson.loads(await _body(answer))
            identity = told.get("connectionToken") or told["connectionId"]
        except (ValueError, AttributeError, KeyError):
            raise ConnectionLost("its answer to negotiating is none") from None
    return url.with_scheme("wss" if secure else "ws").update_query(id=str(identity))


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_NEGOTIATION_BYTES:
            raise ConnectionLost("its answer to negotiating does not end")
    return body


def _fed(arguments: Any) -> FeedMessage:
    if not isinstance(arguments, list) or len(arguments) != 3:
        raise BadMessage("it has not three parts: topic, data, time")
    topic, data, utc = arguments
    sent_ms = utc_ms(utc)
    if sent_ms is None:
        raise BadMessage("its time is none")
    return checked(topic, data, sent_ms)


def _why(frame: aiohttp.WSMessage, ws: aiohttp.ClientWebSocketResponse) -> str:
    if frame.type is aiohttp.WSMsgType.ERROR:
        return f"it broke ({frame.data})"
    return f"the feed closed it (code {ws.close_code})"


def _told(error: BaseException) -> BaseException:
    """What went wrong, as ConnectionLost; what is not about the connection as it is. Never with our headers."""
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
