"""2,000 viewers of one web process, half live and half somewhere in the past; then 200 of them read slowly.

Beside it, in the same run, a dashboard that encodes every sample for each viewer. ``python -m tests.bench.viewers``
"""

from __future__ import annotations

import asyncio
import pickle
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import psutil

from f1stream.sources.session import Session
from f1stream.sources.session_archive import read_archive
from tests.bench.dashboard import Recorded
from tests.support.pipeline import run
from tests.support.recorded_race import records
from tests.support.required import DATA
from web.tape_store import FramesRecord

ARCHIVE = DATA / "aus2025_race"
VIEWERS = 2_000
SLOW = 200
NAIVE_VIEWERS = (100, VIEWERS // 2)
NOW_MS = 7_000_000
"""The session time that is now: half of the race has been."""
SHOWN_S = 120
"""Seconds of the session that are replayed."""
MEASURED_S = 30
SETTLE_S = 5
CONNECTING = 50
"""At once."""
SLOW_BYTES = 1_024
"""A slow viewer reads so much …"""
SLOW_S = 1.0
"""… and then not for so long."""
ALIVE_S = 10
PACKET_MS = 10_000
PONG = b"\x8a\x80\x00\x00\x00\x00"
HANDSHAKE = (
    "GET /ws?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@dataclass(eq=False)
class Viewer(asyncio.Protocol):
    """A websocket of its own that looks at nothing but lengths and session times: 2,000 of them share one core."""

    query: str
    began: float | None = None
    """The monotonic time of session time 0 as this viewer knows it: for the live ones from outside, for the others
    from the earliest of their frames."""
    late: list[float] = field(default_factory=list)
    """Seconds between when a frame was due and when it came, in the time that is measured."""
    bytes: int = 0
    last: float = 0.0
    slow: bool = False

    def __post_init__(self) -> None:
        self.open = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._arrivals: list[tuple[int, float]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(HANDSHAKE.format(query=self.query).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self.bytes += len(data)
        self.last = now
        buffer = self._buffer
        buffer += data
        if not self.open.done():
            head, found, rest = bytes(buffer).partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, head
            self.open.set_result(None)
            buffer[:] = rest
        begin = 0
        while len(buffer) - begin >= 2:
            size, at = buffer[begin + 1], begin + 2
            if size == 126:
                size, at = int.from_bytes(buffer[at : at + 2], "big"), at + 2
            elif size == 127:
                size, at = int.from_bytes(buffer[at : at + 8], "big"), at + 8
            if len(buffer) < at + size:
                break
            if buffer[begin] & 15 == 9:
                self.transport.write(PONG)
            elif buffer.startswith((b'{"kind":"delta"', b'{"kind":"key"', b'{"kind": "sample"'), at):
                digits = buffer[buffer.index(b'"t":', at) + 4 : at + 80].partition(b",")[0]
                self._arrivals.append((int(digits), now))
            begin = at + size
        del buffer[:begin]
        if self.slow:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(SLOW_S, self.transport.resume_reading)

    def begin(self) -> None:
        """Measure from here on."""
        self._arrivals.clear()
        self.bytes = 0

    def end(self) -> None:
        """What was late, of what came since ``begin``."""
        arrivals = self._arrivals
        began = self.began or min((at - t / 1000 for t, at in arrivals), default=0.0)
        self.late = [at - t / 1000 - began for t, at in arrivals]

    def read_slowly(self) -> None:
        """From now on a bad connection's: little room, and seldom emptied."""
        self.slow = True
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BYTES)
        self.transport.max_size = SLOW_BYTES


class Server:
    """One of ``tests.bench.dashboard`` as a process."""

    def __init__(self, kind: str, recorded: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.dashboard", kind, str(recorded)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        self.process = psutil.Process(self._process.pid)

    def go(self, now_ms: int = NOW_MS) -> float:
        """Start the replay at ``now_ms``; returns the monotonic time of the session's time 0."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return time.monotonic() - now_ms / 1000

    def cpu(self) -> float:
        """Seconds so far."""
        return sum(self.process.cpu_times()[:2])

    def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def connected(server: Server, queries: list[str]) -> list[Viewer]:
    """Viewers that have their websocket."""
    few = asyncio.Semaphore(CONNECTING)

    async def connect(query: str) -> Viewer:
        async with few:
            loop = asyncio.get_running_loop()
            _, viewer = await loop.create_connection(lambda: Viewer(query), "127.0.0.1", server.port)
            await viewer.open
            return viewer

    return await asyncio.gather(*(connect(query) for query in queries))


async def measure(name: str, server: Server, viewers: list[Viewer]) -> None:
    """Print what ``viewers`` get for some time and what it costs."""
    everybody = len(viewers)
    for viewer in viewers:
        viewer.begin()
    cpu, began = server.cpu(), time.monotonic()
    own = sum(psutil.Process().cpu_times()[:2])
    await asyncio.sleep(MEASURED_S)
    seconds = time.monotonic() - began
    busy, looking = server.cpu() - cpu, sum(psutil.Process().cpu_times()[:2]) - own
    print(f"{name}")
    print(
        f"  server: CPU {busy / seconds:.0%} of a core "
        f"({busy / seconds / everybody * 1e6:.0f} us a viewer and second), "
        f"memory {server.process.memory_info().rss / 2**20:.0f} MB; the viewers' process: {looking / seconds:.0%}"
    )
    kinds = {
        "live": [v for v in viewers if v.began and not v.slow],
        "at random cursors": [v for v in viewers if not v.began and not v.slow],
        "slow": [v for v in viewers if v.slow],
    }
    for kind, some in kinds.items():
        if not some:
            continue
        for viewer in some:
            viewer.end()
        late = [each for viewer in some for each in viewer.late]
        size = sum(viewer.bytes for viewer in some) / len(some) / seconds
        cuts = quantiles(late, n=100) if len(late) > 1 else [float("nan")] * 99
        alive = sum(time.monotonic() - viewer.last < ALIVE_S for viewer in some)
        print(
            f"  {len(some)} {kind} ({alive} got something lately): a viewer and second {size:,.0f} bytes and "
            f"{len(late) / seconds / len(some):.1f} frames, late by p50 {cuts[49] * 1000:,.1f} ms, "
            f"p99 {cuts[98] * 1000:,.1f} ms"
        )


async def on_tape(path: Path, start_ms: int) -> None:
    """The page's own server."""
    server = Server("tape", path)
    try:
        before = server.process.memory_info().rss
        chosen = random.Random(7)
        past = [f"at={chosen.randrange(start_ms, NOW_MS - 2 * SHOWN_S * 1000)}&speed=1" for _ in range(VIEWERS // 2)]
        viewers = await connected(server, [query for one in past for query in ("", one)])
        began = server.go()
        for viewer in viewers[::2]:
            viewer.began = began
        await asyncio.sleep(SETTLE_S)
        more = (server.process.memory_info().rss - before) / VIEWERS / 1024
        await measure(f"tape, {VIEWERS} viewers ({more:.0f} KB of memory each):", server, viewers)
        for viewer in random.Random(8).sample(viewers, SLOW):
            viewer.read_slowly()
        await asyncio.sleep(2 * SETTLE_S)
        await measure(f"tape, the same, {SLOW} of them slow:", server, viewers)
        for viewer in viewers:
            viewer.transport.abort()
    finally:
        server.stop()


async def on_naive(path: Path, count: int) -> None:
    """The dashboard as one writes it first."""
    server = Server("naive", path)
    try:
        viewers = await connected(server, [""] * count)
        began = server.go()
        for viewer in viewers:
            viewer.began = began
        await asyncio.sleep(SETTLE_S)
        await measure(f"every sample encoded for each of {count} viewers, all live:", server, viewers)
        for viewer in viewers:
            viewer.transport.abort()
    finally:
        server.stop()


def prepared(session: Session) -> Recorded:
    """The race up to now, and what comes."""
    past: list[FramesRecord] = []
    frames: list[tuple[int, FramesRecord]] = []
    made = run(session, PACKET_MS, to_ms=NOW_MS + (SHOWN_S + 30) * 1000).made
    before = [each for each in made if each.t < NOW_MS]
    past = list(records(session.session_key, before))
    for each in made:
        if NOW_MS <= each.t < NOW_MS + SHOWN_S * 1000:
            frames += [(each.t, record) for record in records(session.session_key, [each])]
    numbers = [name for name, values in next(iter(session.telemetry.values())).items() if values.dtype.kind in "iufb"]
    samples = sorted(
        (
            (int(t), {"driver": number} | {name: columns[name][n].item() for name in numbers})
            for number, columns in session.telemetry.items()
            for n, t in enumerate(columns["session_time_ms"])
            if NOW_MS <= t < NOW_MS + SHOWN_S * 1000
        ),
        key=lambda each: each[0],
    )
    return Recorded(past, frames, samples)


def main(session: Session | None = None) -> None:
    """All of it: about three minutes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    session = session or read_archive(ARCHIVE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recorded"
        path.write_bytes(pickle.dumps(prepared(session)))
        asyncio.run(on_tape(path, session.start_ms))
        for count in NAIVE_VIEWERS:
            asyncio.run(on_naive(path, count))


if __name__ == "__main__":
    main()
