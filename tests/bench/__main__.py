"""``make bench``: what the workers, the web and the page cost. Needs the recorded session in ``../shared/data``."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from f1stream.sources.session_archive import read_archive
from tests.bench import hostile, page
from tests.bench.demo import ARCHIVE, idle, whole_race
from tests.bench.latency import latency
from tests.bench.results import Results
from tests.bench.viewers import viewers
from tests.bench.workers import archive_worker, race_worker, rules

Benchmark = Callable[[Results], None]
BENCHMARKS: dict[str, tuple[str, Benchmark]] = {
    "race": ("a whole race from nothing started, and its marts", lambda results: asyncio.run(whole_race(results))),
    "rules": ("the rules alone", lambda results: rules(results, read_archive(ARCHIVE))),
    "worker": ("the race worker beside a plain loop",
               lambda results: asyncio.run(race_worker(results, read_archive(ARCHIVE)))),
    "archive": ("the archive worker beside a plain loop",
                lambda results: asyncio.run(archive_worker(results, read_archive(ARCHIVE)))),
    "latency": ("the delay at 1x, on both brokers",
                lambda results: asyncio.run(latency(results, read_archive(ARCHIVE)))),
    "idle": ("the CPU of a demo without a session", lambda results: asyncio.run(idle(results))),
    "viewers": ("thousands of viewers", lambda results: viewers(results, read_archive(ARCHIVE))),
    "hostile": ("viewers beside hostile clients (printed only)", lambda _: hostile.main()),
    "page": ("the page in a browser (printed only)", lambda _: asyncio.run(page.main())),
}  # fmt: skip
"""By name: what is measured, and the benchmark."""


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = ", ".join(f"{name} ({what})" for name, (what, _) in BENCHMARKS.items())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"benchmarks to run, by default all: {names}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures, versions and machine to this file")
    asked = parser.parse_args()
    if unknown := set(asked.names) - BENCHMARKS.keys():
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if not ARCHIVE.is_dir():
        raise SystemExit(f"The recorded session is not at {ARCHIVE}.")
    results = Results()
    for name in asked.names or BENCHMARKS:
        BENCHMARKS[name][1](results)
    if asked.json is not None:
        results.write(asked.json)


signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # brokers and workers end with us
main()
