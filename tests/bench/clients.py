"""Thousands of websocket clients in one process, apart from the server that is measured.

One loop reads the sockets that are readable and decodes only lengths and session times: about 10 us per frame.
"""

from __future__ import annotations

import multiprocessing
import resource
import select
import socket
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

CONNECTING = 50
"""Connections opened at once; the next ones wait until these have their handshake."""
SLOW_BYTES = 1_024
"""Bytes that a slow viewer reads at a time, and its receive buffer before the kernel's own minimum."""
SLOW_S = 1.0
"""Seconds between two reads of a slow viewer."""
ALIVE_S = 10
"""Seconds without data after which a viewer no longer counts as alive."""
PING = 0x89
PONG = b"\x8a\x80\x00\x00\x00\x00"
HANDSHAKE = (
    "GET /ws?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@dataclass
class Seen:
    """What the viewers of one kind received during a measurement."""

    viewers: int = 0
    alive: int = 0
    """How many of them received something in the last ``ALIVE_S`` seconds."""
    bytes: int = 0
    late_ms: array[float] = field(default_factory=lambda: array("d"))
    """For each frame the milliseconds from when it was due until it was received."""


class Clients:
    """The client process, as seen by the benchmark."""

    def __init__(self, port: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(theirs, port), daemon=True)
        self._process.start()

    def _ask(self, *request: Any) -> Any:
        self._pipe.send(request)
        return self._pipe.recv()

    def connect(self, queries: Sequence[str]) -> None:
        """Open a websocket for each query; returns when all are open."""
        self._ask("connect", queries)

    def slow_down(self, numbers: Sequence[int]) -> None:
        """Let these viewers read ``SLOW_BYTES`` every ``SLOW_S`` seconds from now on, with a small receive buffer."""
        self._ask("slow_down", numbers)

    def begin(self) -> None:
        """Begin a measurement."""
        self._ask("begin")

    def end(self, began: float) -> dict[str, Seen]:
        """What was received since ``begin``, by kind of viewer. ``began``: the monotonic time (s) of session time 0,
        for live viewers; for a viewer in the past it is computed from the frame that was least late."""
        seen: dict[str, Seen] = self._ask("end", began)
        return seen

    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        seconds: float = self._ask("cpu")
        return seconds

    def stop(self) -> None:
        """End the process, and with it all connections."""
        self._process.kill()
        self._process.join()


class _Viewer:
    __slots__ = ("arrivals", "bytes", "last", "live", "open", "rest", "slow", "socket")

    def __init__(self, port: int, query: str) -> None:
        self.live = "at=" not in query
        self.slow = self.open = False
        self.bytes, self.last = 0, 0.0
        self.arrivals = array("d")
        """Session time (s) and time of receipt (monotonic s) of each frame, alternating."""
        self.rest = b""
        """The beginning of a message that is not complete yet."""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(HANDSHAKE.format(query=query).encode())

    def receive(self, most: int) -> None:
        data = self.socket.recv(most, socket.MSG_DONTWAIT)
        now = time.monotonic()
        if not data:
            raise ConnectionResetError("the server has closed a viewer's connection")
        self.bytes += len(data)
        self.last = now
        if self.rest:
            data = self.rest + data
        if not self.open:
            head, self.open, data = data.partition(b"\r\n\r\n")  # type: ignore[assignment]
            assert b" 101 " in head, head
        begin, length = 0, len(data)
        while length - begin >= 2:
            size, at = data[begin + 1], begin + 2
            if size == 126:
                size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
            elif size == 127:
                size, at = int.from_bytes(data[at : at + 8], "big"), at + 8
            if length < at + size:
                break
            if data[begin] == PING:
                self.socket.sendall(PONG)
            elif data.startswith((b'{"kind":"delta"', b'{"kind":"key"', b'{"kind": "sample"'), at):
                digits = data.index(b'"t":', at) + 4
                self.arrivals.append(int(data[digits : data.index(b",", digits)]) / 1000)
                self.arrivals.append(now)
            begin = at + size
        self.rest = data[begin:]

    def late_ms(self, began: float) -> list[float]:
        since = [at - t for t, at in zip(self.arrivals[::2], self.arrivals[1::2], strict=True)]
        due = began if self.live else min(since, default=0.0)
        return [(each - due) * 1000 for each in since]


class _Loop:
    """The loop of the process, and the requests that it answers."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._poll = select.epoll()
        self._viewers: list[_Viewer] = []
        self._by_descriptor: dict[int, _Viewer] = {}
        self._slow_at = 0.0

    def run(self, pipe: Connection) -> None:
        self._poll.register(pipe.fileno(), select.EPOLLIN)
        while True:
            if self._turn(pipe.fileno()):
                name, *values = pipe.recv()
                pipe.send(getattr(self, name)(*values))

    def _turn(self, descriptor: int = -1) -> bool:
        """Read all readable sockets; returns whether ``descriptor`` is readable."""
        asked = False
        for found, _ in self._poll.poll(0.05, 10_000):
            if found == descriptor:
                asked = True
            else:
                self._receive(self._by_descriptor[found])
        if time.monotonic() >= self._slow_at:
            self._slow_at = time.monotonic() + SLOW_S
            for viewer in self._viewers:
                if viewer.slow:
                    self._receive(viewer, SLOW_BYTES)
        return asked

    def _receive(self, viewer: _Viewer, most: int = 65_536) -> None:
        try:
            viewer.receive(most)
        except BlockingIOError:
            pass
        except ConnectionError:  # the viewer then no longer counts as slow or alive
            viewer.slow = False
            if viewer.socket.fileno() != -1:
                viewer.socket.close()

    def connect(self, queries: Sequence[str]) -> None:
        for first in range(0, len(queries), CONNECTING):
            some = [_Viewer(self._port, query) for query in queries[first : first + CONNECTING]]
            for viewer in some:
                self._by_descriptor[viewer.socket.fileno()] = viewer
                self._poll.register(viewer.socket.fileno(), select.EPOLLIN)
            self._viewers += some
            while not all(viewer.open for viewer in some):
                self._turn()

    def slow_down(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            viewer = self._viewers[number]
            viewer.slow = True
            self._poll.unregister(viewer.socket.fileno())
            viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BYTES)

    def begin(self) -> None:
        for viewer in self._viewers:
            viewer.arrivals, viewer.bytes = array("d"), 0

    def end(self, began: float) -> dict[str, Seen]:
        kinds: dict[str, Seen] = {}
        for viewer in self._viewers:
            seen = kinds.setdefault("slow" if viewer.slow else "live" if viewer.live else "past", Seen())
            seen.viewers += 1
            seen.alive += time.monotonic() - viewer.last < ALIVE_S
            seen.bytes += viewer.bytes
            seen.late_ms.extend(viewer.late_ms(began))
        return kinds

    def cpu(self) -> float:
        return time.process_time()


def _run(pipe: Connection, port: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _Loop(port).run(pipe)
