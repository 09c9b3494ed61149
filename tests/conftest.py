"""What all tests share: real recordings, and what must not be skipped in CI."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from filelock import FileLock

from f1stream.settings import Settings
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from f1stream.sources.session_archive import read_archive
from models import TrackStatus
from tests.support.figures import figures
from tests.support.required import DATA, missing
from tests.support.rig import Rig

if TYPE_CHECKING:
    from playwright.async_api import Browser

HOME = tempfile.TemporaryDirectory(prefix="f1stream-tests-", ignore_cleanup_errors=True)
"""Of this process, so of each worker of pytest-xdist: no test reads or writes the user's own home of f1stream."""
os.environ["F1STREAM_HOME"] = HOME.name
os.environ.setdefault("F1STREAM_JOLPICA_URL", "http://127.0.0.1:9/ergast/f1")
os.environ.setdefault("F1STREAM_FASTF1_URL", "http://127.0.0.1:9")
"""Nothing answers there: what is tested asks no server of others."""


def pytest_configure() -> None:
    """On SIGTERM, the run stops what it has started, as with Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def archive_path() -> Path:
    """The 2025 Australian Grand Prix as a session archive."""
    path = DATA / "aus2025_race"
    if not path.is_dir():
        missing(f"the recorded session at {path} is not there")
    return path


@pytest.fixture(scope="session")
def aus_session(archive_path: Path) -> Session:
    """The same, read."""
    return read_archive(archive_path)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A broker of its own with our topics, of three partitions each."""
    made = Rig(tmp_path / "rig", partitions=3)
    try:
        await made.start()
        yield made
    finally:
        await asyncio.to_thread(made.stop)


@pytest.fixture(scope="session")
def jolpica_data() -> Path:
    """The folder of data, with the recorded answers of the Jolpica API in it."""
    if not (DATA / "jolpica").is_dir():
        missing(f"the recorded answers at {DATA / 'jolpica'} are not there")
    return DATA


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Any]:
    """dbt's manifest for target ``prod``, of one run of dbt for all workers of pytest-xdist."""
    from tests.support.marts_rig import run_dbt

    base = tmp_path_factory.getbasetemp()
    home = (base if worker_id == "master" else base.parent) / "manifest"
    file = home / "dbt" / "target" / "manifest.json"
    with FileLock(f"{home}.lock"):
        if not file.is_file():
            assert run_dbt(Settings(_env_file=None, home=home, dbt_target="prod"), ["parse", "--quiet"])
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder with the recordings of the live timing."""
    for name in ("mexico2025_qualifying", "livetiming_frozen"):
        if not (DATA / name).is_dir():
            missing(f"the recordings at {DATA / name} are not there")
    return DATA


@pytest.fixture(scope="session")
def mexico_feed(recordings: Path) -> list[FeedMessage]:
    """The feed of the 2025 Mexico City Grand Prix's whole qualifying."""
    return list(open_recording(recordings / "mexico2025_qualifying" / "raw"))


@pytest.fixture(scope="session")
def mexico_parsed(mexico_feed: list[FeedMessage]) -> tuple[Session, ParseCounts]:
    """That qualifying as a session, and what was counted on the way."""
    return as_session(mexico_feed, "recording:mexico")


@pytest.fixture(scope="session")
def mexico_session(mexico_parsed: tuple[Session, ParseCounts]) -> Session:
    """That qualifying as a session."""
    return mexico_parsed[0]


STRETCH_MS = 180_000
HALF_MS = 7_200_000
"""Session time after which its second safety car comes."""


@pytest.fixture(scope="session")
def stretch(aus_session: Session) -> tuple[int, int]:
    """Session time of three minutes in which a car retires, the safety car comes out and most cars stop."""
    deployed = next(
        message.session_time_ms
        for message in aus_session.messages
        if isinstance(message, TrackStatus) and message.message == "SCDeployed" and message.session_time_ms > HALF_MS
    )
    return deployed - STRETCH_MS // 4, deployed + STRETCH_MS * 3 // 4


@pytest.fixture(scope="session")
def undisturbed(aus_session: Session, stretch: tuple[int, int]) -> dict[int, bytes]:
    """The frames of that stretch by the rules alone, without Kafka."""
    from tests.support.harness import frame_bytes
    from tests.support.pipeline import run

    return frame_bytes(run(aus_session, from_ms=stretch[0], to_ms=stretch[1]).made)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Apache Kafka broker; whoever uses it resets it first."""
    yield from _cluster(tmp_path_factory.mktemp("kafka"), 1)


@pytest.fixture(scope="module")
def three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same with three brokers, every topic on all of them."""
    yield from _cluster(tmp_path_factory.mktemp("kafka3"), 3)


def _cluster(folder: Path, brokers: int) -> Iterator[Any]:
    from tests.support.kafka_cluster import Cluster

    cluster = Cluster(folder, brokers)
    try:
        asyncio.run(cluster.start())
        yield cluster
    finally:
        cluster.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One headless Chromium for all tests."""
    from playwright.async_api import async_playwright

    from tests.support.stage import CHROMIUM, CHROMIUM_ARGS

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """Chromium; the pages that a test opens, and what they store, are gone after it."""
    before = set(chromium.contexts)
    yield chromium
    for context in set(chromium.contexts) - before:
        await context.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("F1STREAM_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands over what it measured."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = figures


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended."""
    figures.extend(getattr(node, "workeroutput", {}).get("figures", []))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was measured, at the end where it is read."""
    if figures:
        terminalreporter.section("measured")
        for line in figures:
            terminalreporter.write_line(line)
