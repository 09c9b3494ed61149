"""2,000 and 5,000 viewers of one page server, half live and half somewhere in the past; then 200 of them read slowly.

Beside it, in the same run, a dashboard that encodes every sample for each viewer. ``make bench ARGS=viewers``
"""

from __future__ import annotations

import pickle
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from urllib.request import urlopen

import psutil

from f1stream.sources.session import Session
from tests.bench.clients import Clients
from tests.bench.dashboard import Recorded
from tests.bench.results import Results
from tests.support.pipeline import run
from tests.support.recorded_race import records
from web.tape_store import FramesRecord

VIEWERS = (2_000, 5_000)
SLOW = 200
"""Viewers with slow connections."""
NAIVE_VIEWERS = (100, 1_000)
"""Viewers of the dashboard for comparison; with more it falls ever further behind."""
NOW_MS = 7_000_000
"""The session time that is now: half of the race has been."""
SHOWN_S = 90
"""Seconds of the session that are replayed."""
MEASURED_S = 30
"""Seconds of each measurement."""
SETTLE_S = 5
"""Seconds between the start of the replay and a measurement."""
PACKET_MS = 10_000
"""Session time (ms) of a packet from which the frames are made."""


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

    def viewers(self) -> float:
        """Open websockets, by the page server's own metrics."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            found = re.search(r"^f1stream_web_viewers (\S+)$", answer.read().decode(), re.MULTILINE)
        assert found
        return float(found[1])

    def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def measure(results: Results, name: str, server: Server, clients: Clients, began: float) -> None:
    """Add what the viewers get for some time and what it costs. ``began``: as ``Server.go`` returns it."""
    clients.begin()
    cpu, own, since = server.cpu(), clients.cpu(), time.monotonic()
    time.sleep(MEASURED_S)
    seconds = time.monotonic() - since
    busy, looking = server.cpu() - cpu, clients.cpu() - own
    seen = clients.end(began)
    results.add(f"{name}: CPU of the server", busy / seconds * 100, "% of a core")
    results.add(f"{name}: CPU a viewer", busy / seconds / sum(kind.viewers for kind in seen.values()) * 1e6, "us/s")
    results.add(f"{name}: CPU of the clients", looking / seconds * 100, "% of a core")
    results.add(f"{name}: memory of the server", server.process.memory_info().rss / 2**20, "MB")
    for kind, found in sorted(seen.items()):
        cuts = quantiles(found.late_ms, n=100) if len(found.late_ms) > 1 else [float("nan")] * 99
        results.add(f"{name}: {kind}, late, median", cuts[49], "ms")
        results.add(f"{name}: {kind}, late, p99", cuts[98], "ms")
        results.add(f"{name}: {kind}, frames", len(found.late_ms) / found.viewers / seconds, "a viewer and s")
        results.add(f"{name}: {kind}, bytes", found.bytes / found.viewers / seconds, "a viewer and s")
        results.add(f"{name}: {kind}, got nothing lately", found.viewers - found.alive, "viewers")


def on_tape(results: Results, path: Path, start_ms: int, count: int) -> None:
    """Measure the page server, first with fast connections only."""
    server = Server("tape", path)
    clients = Clients(server.port)
    try:
        chosen = random.Random(7)
        past = [f"at={chosen.randrange(start_ms, NOW_MS - 2 * SHOWN_S * 1000)}&speed=1" for _ in range(count // 2)]
        clients.connect([query for one in past for query in ("", one)])
        began = server.go()
        time.sleep(SETTLE_S)
        measure(results, f"{count} viewers", server, clients, began)
        clients.slow_down(random.Random(8).sample(range(count), SLOW))
        time.sleep(2 * SETTLE_S)
        measure(results, f"{count} viewers, {SLOW} slow", server, clients, began)
        # The heartbeat disconnects those who read a ping too late to answer it within 10 s.
        results.add(f"{count} viewers, {SLOW} slow: connected at the end", server.viewers(), "viewers")
    finally:
        clients.stop()
        server.stop()


def on_naive(results: Results, path: Path, count: int) -> None:
    """Measure the dashboard for comparison, which encodes every sample for each viewer."""
    server = Server("naive", path)
    clients = Clients(server.port)
    try:
        clients.connect([""] * count)
        began = server.go()
        time.sleep(SETTLE_S)
        measure(results, f"a naive dashboard, {count}", server, clients, began)
    finally:
        clients.stop()
        server.stop()


def prepared(session: Session) -> Recorded:
    """The frames of the race up to ``NOW_MS``, and the frames and samples after it."""
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


def viewers(results: Results, session: Session) -> None:
    """All of it: about five minutes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recorded"
        path.write_bytes(pickle.dumps(prepared(session)))
        for count in VIEWERS:
            on_tape(results, path, session.start_ms, count)
        for count in NAIVE_VIEWERS:
            on_naive(results, path, count)
