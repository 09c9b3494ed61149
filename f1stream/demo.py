"""Everything with one command: broker, workers, warehouse, page and a session, as child processes of this one."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from pydantic import SecretStr
from rich.console import Console

from f1stream.child_environment import environment_for
from f1stream.disk import low_disk_space
from f1stream.embedded import broker, warehouse
from f1stream.embedded.broker import BrokerFailed
from f1stream.embedded.running import data_folder
from f1stream.embedded.warehouse import WarehouseFailed
from f1stream.kafka import create_topics
from f1stream.ports import check_port, free_port, url
from f1stream.processes import Child, Children
from f1stream.report import RunOutcome, WarehouseRows, as_json, collect, loaded
from f1stream.scratch import scratch_folder
from f1stream.settings import EMBEDDED_HOST, Settings, settings
from f1stream.sources.fastf1.client import reachable
from f1stream.sources.fastf1.fetch import fetch, fetched_archive
from f1stream.sources.fastf1.schedule import SessionRef, title
from f1stream.sources.publish import RunCounts
from f1stream.sources.session import SourceError
from f1stream.sources.spec import open_source
from f1stream.supervisor import ChildFailed, Supervisor
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.schema import create

READY_WITHIN_S = 60.0
GIVES_UP_S = 20.0
"""Seconds. The archive worker retries for ever; a demo with an end waits this long for it."""
POLL_S = 1.0
HEALTH_WITHIN = aiohttp.ClientTimeout(total=2)
INTERRUPTED = 130
SHOWN_RACE = SessionRef(2025, "Australian Grand Prix", "Race")
"""What is shown when nothing else is asked for: rain, three safety cars, six cars out."""


@dataclass
class Demo:
    """One run of the demo."""

    source: str | None
    """None: the 2025 Australian Grand Prix, or a simulated race where it cannot be had."""
    speed: str
    exit_when_done: bool
    report: Path | None
    packet_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    keep: bool = False
    session: str = field(init=False, default="")
    """The source that is replayed, once it is at hand."""

    def prepare(self) -> None:
        """Before anything is started: the ports, and the session, fetched if it is to be. Call it before ``run``.

        Raises SourceError and PortTaken.
        """
        self._settings: Settings = settings()
        self._console = Console(stderr=False, highlight=False)
        if self.source is not None:
            open_source(self.source)
        self._claim_ports()
        self.session = self._session_at_hand()

    def _session_at_hand(self) -> str:
        """The source to replay: no ``fastf1:`` any more, so that nothing waits for it later."""
        kind, _, named = (self.source or "").partition(":")
        if kind == "fastf1":
            return f"archive:{self._fetched(SessionRef.parse(named))}"
        if self.source is not None:
            return self.source
        here = fetched_archive(self._settings, SHOWN_RACE)
        try:
            if here is None and not reachable(self._settings):
                raise SourceError("there is no network")
            return f"archive:{here or self._fetched(SHOWN_RACE)}"
        except SourceError as error:
            self._say("source", f"{title(SHOWN_RACE)}, cannot be had ({error}); a simulated race instead")
            return "sim:"

    def _fetched(self, wanted: SessionRef) -> Path:
        here = fetched_archive(self._settings, wanted)
        if here is None:
            self._say("source", f"fetching {title(wanted)}, once: a minute or two")
            fetched = fetch(self._settings, wanted, again=False)
            for note in fetched.notes:
                self._say("source", note)
            here = fetched.folder
        return here

    async def run(self) -> int:
        """Run until it is done or told to stop; returns the exit code."""
        if self._settings.embedded_warehouse:
            port = free_port(self._settings.embedded_warehouse_port)
            password = SecretStr(self._settings.embedded_password())
            self._settings = self._settings.model_copy(
                update={"embedded_warehouse_port": port, "embedded_warehouse_password": password}
            )
        self._began = time.monotonic()
        logs = self._settings.folder("logs")
        self._counts = logs / "published.jsonl"
        self._published_at = 0.0
        with scratch_folder("demo") as self._scratch:
            if self._settings.embedded_warehouse and not self.keep:  # the schedule is forgotten with what was loaded
                update = {"schedule_file": self._scratch / "schedule.sqlite"}
                self._settings = self._settings.model_copy(update=update)
            # the demo shows what was asked for, and no session that happens to be on
            self._settings = self._settings.model_copy(update={"schedule_live": False})
            self._children = Children(logs, lambda name: environment_for(self._settings, name))
            interrupted = INTERRUPTED if self.exit_when_done else 0
            self._supervisor = Supervisor(self._children, self._console, interrupted)
            return await self._supervisor.run(self._run_where_there_is_room())

    def _claim_ports(self) -> None:
        s = self._settings
        if s.embedded:
            check_port(EMBEDDED_HOST, s.embedded_broker_port, "F1STREAM_EMBEDDED_BROKER_PORT", "the embedded broker")
        check_port(s.web_host, s.race_port, "F1STREAM_RACE_PORT", "the race worker's health and metrics")
        check_port(s.web_host, s.archive_port, "F1STREAM_ARCHIVE_PORT", "the archive worker's health and metrics")
        check_port(s.web_host, s.schedule_port, "F1STREAM_SCHEDULE_PORT", "the scheduler's health and metrics")
        check_port(s.web_host, s.web_port, "F1STREAM_WEB_PORT", "the page")

    async def _run_where_there_is_room(self) -> int:
        """What fails where a disk is full says which: its own log, and what it wanted to say, may not fit on it."""
        try:
            return await self._run()
        except (ChildFailed, BrokerFailed, WarehouseFailed, WarehouseError) as failed:
            full = low_disk_space(self._settings.home, self._scratch)
            if not full:
                raise
            raise ChildFailed(f"{str(failed).rstrip('.')}. {full}") from failed

    async def _run(self) -> int:
        s = self._settings
        if s.embedded:
            child = self._children.start("broker", broker.command(s.embedded_broker_port))
            try:
                await broker.wait_until_up(child.process, s.embedded_broker_port)
            except BrokerFailed as failed:
                raise BrokerFailed(f"{failed} Its log is {child.log}.") from failed
        await create_topics(s)
        where = s.bootstrap[0] if s.embedded else ",".join(s.bootstrap)
        self._say("broker", f"ready on {where}" + (" (embedded, in memory)" if s.embedded else ""))
        race = self._start("race")
        web = self._start("web")
        await self._start_warehouse()
        archive = self._start("archive")
        schedule = self._start("schedule")
        # At full speed nobody watches: the topics can fill while the others get ready.
        source = self._start_source() if self.speed == "max" else None
        await self._ready(web, s.web_port)
        self._say("web", f"ready on port {s.web_port}")
        await self._ready(race, s.race_port)
        self._say("race", f"ready, health on {url(s.web_host, s.race_port, '/health')}")
        await self._ready(archive, s.archive_port)
        self._say("archive", f"ready, health on {url(s.web_host, s.archive_port, '/health')}")
        await self._ready(schedule, s.schedule_port)
        self._say("schedule", f"ready, health on {url(s.web_host, s.schedule_port, '/health')}")
        pace = "full speed" if self.speed == "max" else f"{self.speed}x"
        simulated = "  [yellow]SIMULATED[/yellow]" if self.session.startswith("sim") else ""
        self._say("source", f"{self.session} at {pace}{simulated}")
        page = url(s.web_host, s.web_port)
        faster = "; faster: --speed 10" if self.speed == "1" else ""
        self._console.print(f"\n[bold]Watch it on {page}[/bold]  Ctrl-C stops all{faster}.\n")
        season = asyncio.create_task(self._report_season())
        await self._supervisor.until_ended(source or self._start_source())
        season.cancel()
        replay_s = time.monotonic() - self._published_at
        runs = [RunCounts(**json.loads(line)) for line in self._counts.read_text().splitlines()]
        outcomes = await self._collected(runs)
        race_s = time.monotonic() - self._published_at
        with self._console.status("Waiting for the last rows"):
            rows = await self._loaded(runs)
        seconds = {
            "total": time.monotonic() - self._began,
            "replay": replay_s,
            "race": race_s,
            "archive": time.monotonic() - self._published_at,
        }
        seconds["marts"] = await self._build_marts()
        code = self._conclude(outcomes, rows, seconds)
        if not self.exit_when_done:
            self._console.print("The session has been told. The page stays up; Ctrl-C stops all.")
            await self._supervisor.until_ended()
        return code

    async def _build_marts(self) -> float:
        """Build them and tell the page; returns how long it took, in seconds."""
        began = time.monotonic()
        child = self._children.start("marts", [sys.executable, "-m", "f1stream", "jobs", "run", "build"])
        with self._console.status("Building the marts"):
            await asyncio.to_thread(child.process.wait)
        self._children.children.remove(child)
        seconds = time.monotonic() - began
        if child.process.returncode == 0:
            self._console.print(f"Marts built in {seconds:.0f} s: the result is on the page.")
        elif self.exit_when_done:
            raise ChildFailed(f"The marts could not be built: {child.last_words() or f'see {child.log}.'}")
        else:
            self._console.print(
                f"The marts could not be built: {child.last_words() or child.log}", style="red", markup=False
            )
        return seconds

    async def _report_season(self) -> None:
        """Say once what the scheduler's first run could have of the season's facts."""
        s = self._settings
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            while True:
                await asyncio.sleep(0.5)
                try:
                    async with http.get(url(s.web_host, s.schedule_port, "/health")) as answer:
                        told = await answer.json()
                except (aiohttp.ClientError, TimeoutError):
                    continue
                if "first" in told["failing"]:
                    self._say("season", f"not to be had now, the demo goes on without it: {told['failing']['first']}")
                    return
                if "first" in told["last"]:
                    self._say("season", "calendar, results and standings are in the warehouse")
                    return

    async def _start_warehouse(self) -> None:
        """The embedded one, unless Snowflake is set, and the tables."""
        s = self._settings
        if s.embedded_warehouse:
            data = data_folder(s) if self.keep else self._scratch
            child = self._children.start("warehouse", warehouse.command(data, s.embedded_warehouse_port))
            try:
                await asyncio.to_thread(warehouse.wait_until_up, child.process, s.embedded_warehouse_port)
            except WarehouseFailed as failed:
                raise WarehouseFailed(f"{failed} {child.last_words() or f'Its log is {child.log}.'}") from failed
        connection = Warehouse(s)
        await asyncio.to_thread(lambda: list(create(connection, s.snowflake_database)))
        connection.close()
        where = s.snowflake_account
        if s.embedded_warehouse:
            where = f"ready on port {s.embedded_warehouse_port} (embedded, " + (
                f"kept in {data})" if self.keep else "forgotten afterwards; --keep keeps it)"
            )
        self._say("warehouse", where)

    def _start_source(self) -> Child:
        self._counts.unlink(missing_ok=True)
        self._published_at = time.monotonic()
        command = [sys.executable, "-m", "f1stream", "replay", self.session]
        command += ["--speed", self.speed, "--counts", str(self._counts)]
        for option, value in (("--packet-ms", self.packet_ms), ("--from", self.from_ms), ("--to", self.to_ms)):
            if value is not None:
                command += [option, str(value)]
        return self._children.start("source", command, shows=True)

    def _start(self, name: str) -> Child:
        return self._children.start(name, [sys.executable, "-m", "f1stream", name])

    def _say(self, name: str, state: str) -> None:
        started = self._children.children if hasattr(self, "_children") else ()
        pid = next((child.process.pid for child in started if child.name == name), None)
        self._console.print(f"  {name:<11}{state}" + (f"  pid {pid}" if pid else ""))

    async def _ready(self, child: Child, port: int) -> None:
        """Return when the child's own health says so."""
        deadline = time.monotonic() + READY_WITHIN_S
        reason = "it does not answer"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            while time.monotonic() < deadline:
                self._supervisor.check()
                try:
                    async with http.get(url(self._settings.web_host, port, "/health")) as answer:
                        if answer.status == 200:
                            return
                        reason = (await answer.text())[:200]
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.1)
        raise ChildFailed(f"{child.name} was not ready within {READY_WITHIN_S:.0f} s: {reason}")

    async def _collected(self, runs: list[RunCounts]) -> list[RunOutcome]:
        with self._console.status("Waiting for the last frame"):
            return await collect(self._settings, runs, self._supervisor.check)

    async def _loaded(self, runs: list[RunCounts]) -> WarehouseRows:
        """All rows. Where nobody watches, it fails when the archive worker has been unable to load for too long."""
        rows = asyncio.create_task(loaded(self._settings, runs, self._supervisor.check))
        since: float | None = None
        try:
            while not rows.done():
                await asyncio.wait({rows}, timeout=POLL_S)
                waits = await self._archive_waits() if self.exit_when_done else None
                since = (since or time.monotonic()) if waits else None
                if since is not None and time.monotonic() - since > GIVES_UP_S:
                    raise ChildFailed(f"The archive worker has not been able to load for {GIVES_UP_S:.0f} s: {waits}")
            return await rows
        finally:
            rows.cancel()

    async def _archive_waits(self) -> str | None:
        """For what the archive worker waits, as it says itself."""
        address = url(self._settings.web_host, self._settings.archive_port, "/health")
        try:
            async with aiohttp.ClientSession(timeout=HEALTH_WITHIN) as http, http.get(address) as answer:
                waits: str | None = (await answer.json())["waits"]
                return waits
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _conclude(self, outcomes: list[RunOutcome], rows: WarehouseRows, seconds: dict[str, float]) -> int:
        rss = {child.name: child.peak_rss for child in self._children.children}
        told = as_json(outcomes, rows, seconds, rss)
        if self.report is not None:
            self.report.write_text(json.dumps(told, indent=1) + "\n")
        differences = [sentence for outcome in outcomes for sentence in outcome.differences()]
        differences += rows.differences(outcomes)
        for sentence in differences:
            self._console.print(f"[red]{sentence}[/red]")
        if not differences:
            self._console.print(
                f"All {told['samples']:,} samples, {told['laps']:,} laps and {told['messages']:,} messages are "
                f"accounted for, in {told['frames']:,} frames; "
                f"{told['dead_letters']} dead letters; {rows.total():,} rows in the warehouse; "
                f"{seconds['total']:.1f} s from the start, and then {seconds['marts']:.1f} s for the marts."
            )
        return 1 if differences else 0
