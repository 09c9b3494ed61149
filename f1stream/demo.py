"""``f1stream demo``: a session on a stack of its own, until Ctrl-C or until everything is accounted for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from rich.console import Console

from f1stream.child_environment import environment_for
from f1stream.disk import low_disk_space
from f1stream.embedded.broker import BrokerFailed
from f1stream.embedded.running import data_folder
from f1stream.embedded.warehouse import WarehouseFailed
from f1stream.ports import free_port, url
from f1stream.processes import F1STREAM, Child, Children
from f1stream.scratch import scratch_folder
from f1stream.settings import Settings, settings
from f1stream.sources.spec import open_source
from f1stream.stack import Stack, check_ports
from f1stream.supervisor import ChildFailed, Supervisor
from f1stream.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from f1stream.report import RunOutcome, WarehouseRows

GIVES_UP_S = 20.0
"""Seconds that a demo with an end waits for an archive worker that cannot load; the worker itself retries forever."""
POLL_S = 1.0
"""Seconds between two checks of the archive worker."""
SEASON_POLL_S = 0.5
INTERRUPTED = 130


@dataclass
class Demo:
    """One run of the demo: ``prepare``, then ``run``."""

    source: str | None
    """None: the 2025 Australian Grand Prix, or a simulated race if it cannot be fetched."""
    speed: str
    exit_when_done: bool
    report: Path | None
    packet_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    keep: bool = False
    session: str = field(init=False, default="")
    """The source to replay; set by ``prepare``, never ``fastf1:``."""

    def prepare(self) -> None:
        """Check the ports and fetch the session, before any process is started. Raises SourceError and PortTaken."""
        self._settings: Settings = settings()
        self._console = Console(stderr=False, highlight=False)
        if self.source is not None:
            open_source(self.source)
        check_ports(self._settings)
        self.session = self._replayable()

    def _replayable(self) -> str:
        """The source to replay, fetched if it has to be."""
        kind, _, named = (self.source or "").partition(":")
        if self.source is not None and kind != "fastf1":
            return self.source
        from f1stream.demo_session import fetched, shown_race  # noqa: PLC0415 - FastF1's client is slow to import

        say = partial(self._say, "source")
        return fetched(self._settings, named, say) if named else shown_race(self._settings, say)

    async def run(self) -> int:
        """Run until it is done or stopped; returns the exit code."""
        s = self._settings
        self._began = time.monotonic()
        self._published_at = 0.0
        logs = s.folder("logs")
        self._counts = logs / "published.jsonl"
        with scratch_folder("demo") as self._scratch:
            # Only the requested session: the live client must not add the one that is on.
            update: dict[str, Any] = {"schedule_live": False}
            if s.embedded_warehouse:
                update["embedded_warehouse_port"] = free_port(s.embedded_warehouse_port)
                update["embedded_warehouse_password"] = SecretStr(s.embedded_password())
                if not self.keep:  # a new warehouse needs a new schedule: nothing of the season is loaded
                    update["schedule_file"] = self._scratch / "schedule.sqlite"
            self._settings = s.model_copy(update=update)
            self._children = Children(logs, lambda name: environment_for(self._settings, name))
            interrupted = INTERRUPTED if self.exit_when_done else 0
            self._supervisor = Supervisor(self._children, self._console, interrupted)
            self._stack = Stack(self._settings, self._children, self._supervisor.check)
            return await self._supervisor.run(self._run_with_disk_check())

    async def _run_with_disk_check(self) -> int:
        """Add a full disk to the error of what failed: on it, neither a log nor the child's own error may fit."""
        try:
            return await self._run()
        except (ChildFailed, BrokerFailed, WarehouseFailed, WarehouseError) as failed:
            full = low_disk_space(self._settings.home, self._scratch)
            if not full:
                raise
            raise ChildFailed(f"{str(failed).rstrip('.')}. {full}") from failed

    async def _run(self) -> int:
        source = await self._start()
        # Not before: they import the clients of warehouse and broker, which take a second of a start.
        from f1stream.report import as_json, collect, loaded  # noqa: PLC0415
        from f1stream.sources.publish import RunCounts  # noqa: PLC0415

        season = asyncio.create_task(self._report_season())
        await self._supervisor.until_ended(source)
        season.cancel()
        replay_s = time.monotonic() - self._published_at
        runs = [RunCounts(**json.loads(line)) for line in self._counts.read_text().splitlines()]
        with self._console.status("Waiting for the last frame"):
            outcomes = await collect(self._settings, runs, self._supervisor.check)
        race_s = time.monotonic() - self._published_at
        with self._console.status("Waiting for the last rows"):
            rows = await self._loaded(loaded(self._settings, runs, self._supervisor.check))
        now = time.monotonic()
        seconds = {
            "total": now - self._began, "replay": replay_s, "race": race_s, "archive": now - self._published_at,
        }  # fmt: skip
        seconds["marts"] = await self._build_marts()
        rss = {child.name: child.peak_rss for child in self._children.children}
        code = self._conclude(outcomes, rows, as_json(outcomes, rows, seconds, rss))
        if not self.exit_when_done:
            self._console.print("The session is over. The page stays up; Ctrl-C stops all.")
            await self._supervisor.until_ended()
        return code

    async def _start(self) -> Child:
        """Start everything and report it on the terminal; returns the source's process."""
        s = self._settings
        await self._stack.start_broker()
        where = s.bootstrap[0] if s.embedded else ",".join(s.bootstrap)
        self._say("broker", f"ready on {where}" + (" (embedded, in memory)" if s.embedded else ""))
        # The first frame waits for the race worker, whose consumer group takes seconds to form: it starts before the
        # rest needs the processor.
        self._stack.start("race")
        await self._stack.create_topics()
        # At full speed the source need not wait: nobody watches, and the topics keep its records.
        source = self._start_source() if self.speed == "max" else None
        await self._stack.alive("race")
        self._stack.start("web")
        self._stack.start("archive")
        data = data_folder(s) if self.keep else self._scratch
        await self._stack.start_warehouse(data)
        self._say("warehouse", self._warehouse_state(data))
        self._stack.start("schedule")
        await self._stack.ready("web")
        self._say("web", f"ready on port {s.web_port}")
        for name in ("race", "archive", "schedule"):
            await self._stack.ready(name)
            self._say(name, f"ready, health on {self._stack.health(name)}")
        pace = "full speed" if self.speed == "max" else f"{self.speed}x"
        simulated = "  [yellow]SIMULATED[/yellow]" if self.session.startswith("sim") else ""
        self._say("source", f"{self.session} at {pace}{simulated}")
        faster = "; faster: --speed 10" if self.speed == "1" else ""
        page = url(s.web_host, s.web_port)
        self._console.print(f"\n[bold]Watch it on {page}[/bold]  Ctrl-C stops all{faster}.\n")
        return source or self._start_source()

    def _warehouse_state(self, data: Path) -> str:
        s = self._settings
        if not s.embedded_warehouse:
            return s.snowflake_account
        kept_or_not = f"kept in {data}" if self.keep else "forgotten afterwards; --keep keeps it"
        return f"ready on port {s.embedded_warehouse_port} (embedded, {kept_or_not})"

    def _start_source(self) -> Child:
        self._counts.unlink(missing_ok=True)
        self._published_at = time.monotonic()
        command = [*F1STREAM, "replay", self.session, "--speed", self.speed, "--counts", str(self._counts)]
        for option, value in (("--packet-ms", self.packet_ms), ("--from", self.from_ms), ("--to", self.to_ms)):
            if value is not None:
                command += [option, str(value)]
        return self._children.start("source", command, shows=True)

    async def _build_marts(self) -> float:
        """Build the marts and publish them to the page; returns the time it took (s). Raises ChildFailed."""
        began = time.monotonic()
        child = self._children.start("marts", [*F1STREAM, "jobs", "run", "build"])
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
        """Print once whether the scheduler's first run could load the season's facts."""
        while True:
            await asyncio.sleep(SEASON_POLL_S)
            health = await self._stack.health_report("schedule")
            if health is None:
                continue
            if "first" in health["failing"]:
                error = health["failing"]["first"]
                self._say("season", f"not available, the demo continues without it: {error}")
                return
            if "first" in health["last"]:
                self._say("season", "calendar, results and standings are in the warehouse")
                return

    async def _loaded(self, all_loaded: Coroutine[Any, Any, WarehouseRows]) -> WarehouseRows:
        """Wait for all rows. With ``exit_when_done``, raises ChildFailed if the archive worker cannot load."""
        rows = asyncio.create_task(all_loaded)
        since: float | None = None
        try:
            while not rows.done():
                await asyncio.wait({rows}, timeout=POLL_S)
                health = await self._stack.health_report("archive") if self.exit_when_done else None
                waits = health["waits"] if health else None
                since = (since or time.monotonic()) if waits else None
                if since is not None and time.monotonic() - since > GIVES_UP_S:
                    raise ChildFailed(f"The archive worker has not been able to load for {GIVES_UP_S:.0f} s: {waits}")
            return await rows
        finally:
            rows.cancel()

    def _conclude(self, outcomes: list[RunOutcome], rows: WarehouseRows, report: dict[str, Any]) -> int:
        """Write the report, print the result; returns the exit code: 1 if anything is not accounted for."""
        if self.report is not None:
            self.report.write_text(json.dumps(report, indent=1) + "\n")
        differences = [sentence for outcome in outcomes for sentence in outcome.differences()]
        differences += rows.differences(outcomes)
        for sentence in differences:
            self._console.print(f"[red]{sentence}[/red]")
        if not differences:
            self._console.print(
                f"All {report['samples']:,} samples, {report['laps']:,} laps and {report['messages']:,} messages are "
                f"accounted for, in {report['frames']:,} frames; "
                f"{report['dead_letters']} dead letters; {rows.total():,} rows in the warehouse; "
                f"{report['seconds']['total']:.1f} s from the start, and then {report['seconds']['marts']:.1f} s for "
                "the marts."
            )
        return 1 if differences else 0

    def _say(self, name: str, state: str) -> None:
        started = self._children.children if hasattr(self, "_children") else ()
        pid = next((child.process.pid for child in started if child.name == name), None)
        self._console.print(f"  {name:<11}{state}" + (f"  pid {pid}" if pid else ""))
