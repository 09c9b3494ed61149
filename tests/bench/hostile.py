"""How late ten viewers receive their frames while clients from another address attack the server.

The attackers are another process for each attack. The last one opens connections that are silent, slow or not read,
which the server closes by itself. Takes four minutes: ``python -m tests.bench.hostile``
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from f1stream.sources.simulator import simulate
from tests.bench.clients import HANDSHAKE, PONG, Clients
from tests.bench.dashboard import Recorded
from tests.bench.viewers import Server
from tests.support.pipeline import run
from tests.support.recorded_race import records

GOOD, BAD = 10, 49
"""Viewers that are measured, and connections of an attack: below the limit of 50 per address."""
HOSTILE_ADDRESS = "127.0.0.2"
START_MS = 3_600_000
"""Session time at which a simulated race starts."""
PAST_MS = 300_000
"""Session time that has been published when the server starts (ms)."""
MEASURED_S = 15
"""Seconds of each measurement."""
SETTLE_S = 3
"""Seconds between the start of an attack and its measurement."""
AT_ONCE = 40
"""Messages that an attacker writes without a pause."""
PAUSE_S = 0.001
"""Seconds between two such bursts."""
LEFT_S = 150
"""Seconds in which the server must have closed all silent, slow and unread connections."""


def message(opcode: int, payload: bytes) -> bytes:
    """A client's frame of less than 126 bytes, with a mask of zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def command(number: int) -> bytes:
    return message(1, b'{"id":%d,"do":"lap","lap":%d}' % (number, 1 + number % 4))


PLACES = (b'{"id":1,"do":"live"}', b'{"id":1,"do":"pause","t":3600000}')
ATTACKS: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "lap commands": (b"", command),
    "places in turn": (b"", lambda n: message(1, PLACES[n % 2])),
    "pings": (b"", lambda _: message(9, b"")),
    "pieces without an end": (b"\x01\x80\x00\x00\x00\x00", lambda _: b"\x00\x80\x00\x00\x00\x00"),
}  # fmt: skip
"""By attack: what its websockets send first, and what repeatedly (the argument counts the messages)."""
LEFT = {
    "reads nothing": (HANDSHAKE.format(query="").encode(), PONG, 10.0),
    "silent": (b"", b"", 10.0),
    "slow headers": (b"GET / HTTP/1.1\r\n", b"X-More: 1\r\n", 1.0),
    "unread download": (b"GET /static/styles/tower.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 500, b"", 10.0),
}
"""By kind of connection: what it sends first, what repeatedly, and the seconds between."""


async def connect(port: int, room: int = 0) -> socket.socket:
    """A connection from the attackers' address; ``room``: bytes of its receive buffer, 0 for the default."""
    made = socket.socket()
    if room:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    made.bind((HOSTILE_ADDRESS, 0))
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    return made


async def attack(port: int, first: bytes, each: Callable[[int], bytes]) -> None:
    """One websocket that reads everything, and connects again when it is closed."""
    number = 0
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(sock=await connect(port))
            reading = asyncio.create_task(_read(reader))
            try:
                writer.write(HANDSHAKE.format(query="").encode())
                await asyncio.sleep(0.1)
                writer.write(first)
                while not reading.done():
                    writer.write(b"".join(each(number + n) for n in range(AT_ONCE)))
                    number += AT_ONCE
                    await writer.drain()
                    await asyncio.sleep(PAUSE_S)
            finally:
                reading.cancel()
                writer.transport.abort()
        await asyncio.sleep(0.05)


async def _read(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def leave(port: int, first: bytes, more: bytes, every_s: float) -> None:
    """A client that reads nothing, until the server closes the connection."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        client = await connect(port, room=4096)
        await loop.sock_sendall(client, first)
        while True:
            await asyncio.sleep(every_s)
            await loop.sock_sendall(client, more)


async def hostile(what: str, port: int) -> None:
    """All clients of one attack, until the process is killed."""
    if what in ATTACKS:
        await asyncio.gather(*(attack(port, *ATTACKS[what]) for _ in range(BAD)))
    else:
        kinds = [LEFT[name] for name in LEFT for _ in range(BAD // len(LEFT))]
        await asyncio.gather(*(leave(port, *kind) for kind in kinds))
        await asyncio.Event().wait()


@contextmanager
def another_process(what: str, port: int) -> Iterator[None]:
    """Run an attack in another process."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.hostile", what, str(port)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(name: str, server: Server, good: Clients, began: float) -> None:
    """Print how late the measured viewers' frames are, and the server's CPU, descriptors and memory."""
    time.sleep(SETTLE_S)
    good.begin()
    cpu, since = server.cpu(), time.monotonic()
    time.sleep(MEASURED_S)
    busy = (server.cpu() - cpu) / (time.monotonic() - since)
    late = sorted(good.end(began)["live"].late_ms)
    cuts = quantiles(late, n=100) if len(late) > 1 else [float("nan")] * 99
    print(
        f"{name:>29}: {len(late) / GOOD / MEASURED_S:.1f} frames a viewer and second, late by p50 {cuts[49]:.1f} ms, "
        f"p95 {cuts[94]:.1f} ms, at most {late[-1] if late else float('nan'):.1f} ms; server: CPU {busy:.0%}, "
        f"{server.process.num_fds()} descriptors, {server.process.memory_info().rss / 2**20:.0f} MB",
        flush=True,
    )


def beside(server: Server) -> None:
    """Measure without an attack, then each attack, one after the other."""
    good = Clients(server.port)
    try:
        began = server.go(START_MS + PAST_MS)
        good.connect([""] * GOOD)
        measure("nobody else", server, good, began)
        for name in ATTACKS:
            with another_process(name, server.port):
                measure(f"{BAD} with {name}", server, good, began)
        with another_process("left", server.port):
            measure("silent, slow, unread", server, good, began)
            time.sleep(LEFT_S - SETTLE_S - MEASURED_S)
            measure(f"… after {LEFT_S} s", server, good, began)
    finally:
        good.stop()


def main() -> None:
    """Run the benchmark."""
    session = simulate(3, cars=20, laps=8)
    assert session.start_ms == START_MS
    made = run(session, 10_000).made
    now_ms = START_MS + PAST_MS
    past = list(records(session.session_key, [each for each in made if each.t < now_ms]))
    frames = [
        (each.t, record) for each in made if each.t >= now_ms for record in records(session.session_key, [each])
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recorded"
        path.write_bytes(pickle.dumps(Recorded(past, frames, [])))
        server = Server("page", path)
        try:
            beside(server)
        finally:
            server.stop()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(hostile(sys.argv[1], int(sys.argv[2])))
    else:
        main()
