"""The one command, ``f1stream``."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
import time
from collections.abc import Coroutine
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from f1stream import disk, logs
from f1stream.child_environment import environment_for
from f1stream.embedded import broker as embedded_broker
from f1stream.embedded.running import embedded_warehouse
from f1stream.errors import UserError
from f1stream.jobs.commands import app as jobs_commands
from f1stream.jobs.lock import one_at_a_time
from f1stream.jolpica.commands import app as jolpica_commands
from f1stream.kafka import configure_topics, create_topics, require_equal_partitions
from f1stream.ports import check_port, url
from f1stream.progress import session_progress
from f1stream.settings import EMBEDDED_HOST, settings
from f1stream.sources.newer_runs import warn_of_newer_runs
from f1stream.sources.publish import RunCounts, publish
from f1stream.sources.session import Session, SourceError
from f1stream.sources.spec import KINDS, WHICH, open_source
from f1stream.warehouse.commands import app as warehouse_commands

app = typer.Typer(
    help="Follow a Formula 1 session, live or past, as a stream: through Kafka and Faust to a live page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(warehouse_commands, name="warehouse")
app.add_typer(jolpica_commands, name="jolpica")
app.add_typer(jobs_commands, name="jobs")

WRITES = {"build", "run", "seed", "snapshot", "test"}
"""Commands of dbt that write to the warehouse: never two at once."""
Speed = Annotated[
    str,
    typer.Option(help="Times the session's own pace, from 0.25, or max for as fast as possible.", metavar="N|max"),
]
Source = Annotated[str, typer.Argument(help=f"Where the session comes from: {KINDS}. {WHICH}.", metavar="SRC")]
PacketMs = Annotated[
    int | None,
    typer.Option(min=50, max=10_000, help="Session time in one packet; by default 250 up to 10x and 1000 above."),
]
FromMs = Annotated[
    int | None, typer.Option("--from", help="Session time (ms) to begin at, by default 60 s before the start.")
]
ToMs = Annotated[int | None, typer.Option("--to", help="Session time (ms) to end at.")]


def parse_speed(text: str) -> float | None:
    """``max`` is None. Raises typer.BadParameter."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor max.") from None
    if not 0.25 <= speed <= 1_000:
        raise typer.BadParameter("The speed lies between 0.25 and 1000, or is max.")
    return speed


def _print_version(asked: bool) -> None:
    if asked:
        print(f"f1stream {version('f1stream')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Which version this is.")
    ] = False,
) -> None:
    """What can be said before the command."""


@app.command()
def demo(
    source: Annotated[
        str | None,
        typer.Option(
            help=f"Where the session comes from: {KINDS}. {WHICH}. By default the 2025 Australian Grand "
            "Prix, fetched at the first start, or a simulated race where it cannot be had.",
            metavar="SRC",
        ),
    ] = None,
    speed: Speed = "1",
    exit_when_done: Annotated[bool, typer.Option(help="Run the session through, then stop.")] = False,
    report: Annotated[Path | None, typer.Option(help="With --exit-when-done: write a JSON report there.")] = None,
    packet_ms: PacketMs = None,
    from_ms: FromMs = None,
    to_ms: ToMs = None,
    keep: Annotated[
        bool, typer.Option(help="Keep the embedded warehouse's data in F1STREAM_HOME/warehouse.")
    ] = False,
) -> None:
    """Everything with one command: broker, workers, warehouse, page and a session, all on this machine."""
    from f1stream.demo import Demo  # noqa: PLC0415 - the other commands need none of it

    if report is not None and not exit_when_done:
        raise typer.BadParameter("--report goes with --exit-when-done.")
    if report is not None and (report.is_dir() or not os.access(report.absolute().parent, os.W_OK)):
        raise typer.BadParameter(f"--report {report} cannot be written: name a file in a folder of yours.")
    parse_speed(speed)  # the source is started with it later: a wrong one is told now
    plan = Demo(source, speed, exit_when_done, report, packet_ms, from_ms, to_ms, keep)
    try:
        plan.prepare()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(_run(plan.run()))


@app.command()
def fetch(
    year: Annotated[int, typer.Argument(help="The season, from 2018.")],
    event: Annotated[
        str, typer.Argument(help="Name of the event, country or place, or part of it; the round; or Test 2.")
    ],
    session: Annotated[
        str, typer.Argument(help="FP1, FP2, FP3, Q, SQ, SS, S or R, or the full name; of a test Day 1.")
    ],
    to: Annotated[
        Path | None, typer.Option(help="The archive's folder; by default one in F1STREAM_HOME/archives.")
    ] = None,
) -> None:
    """Fetch a past session with FastF1 into a session archive, which archive:PATH replays."""
    from f1stream.sources.fastf1.fetch import fetch as fetch_session  # noqa: PLC0415 - as the functions it calls
    from f1stream.sources.fastf1.schedule import SessionRef  # noqa: PLC0415

    try:
        fetched = fetch_session(settings(), SessionRef(year, event, session).checked(), to)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    for note in fetched.notes:
        print(note)  # noqa: T201
    print(  # noqa: T201
        f"{fetched.name}: {fetched.samples:,} samples and {fetched.laps:,} laps in {fetched.folder}. "
        f"Watch it: f1stream demo --source archive:{fetched.folder}"
    )


@app.command()
def sessions(
    year: Annotated[int | None, typer.Argument(help="The season, from 2018; by default this year's.")] = None,
) -> None:
    """The sessions of a season: which can be fetched, which are here already, which are still to come."""
    from f1stream.sources.fastf1.commands import season  # noqa: PLC0415

    season(settings(), year)


@app.command()
def check(
    sources: Annotated[
        list[str],
        typer.Argument(help="Recordings and archives, or folders of them.", metavar="PATH..."),
    ],
    lag: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds by which our order may be before or behind the feed's.")
    ] = 5.0,
    details: Annotated[bool, typer.Option(help="Every difference, also those that have no bound.")] = False,
) -> None:
    """Compare what our rules make of recorded sessions with what the feed says of them: order, laps, bests, stops.

    Ends with code 1 when something is beyond its bound.
    """
    from f1stream.conformance.commands import check as check_sources  # noqa: PLC0415 - as the demo

    raise SystemExit(0 if check_sources(sources, round(lag * 1000), details=details) else 1)


@app.command()
def replay(
    source: Source,
    speed: Speed = "1",
    packet_ms: PacketMs = None,
    from_ms: FromMs = None,
    to_ms: ToMs = None,
    counts: Annotated[Path | None, typer.Option(help="Write what was published there, as JSON lines.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write what really happened (sim: only) there, as JSON.")] = None,
) -> None:
    """Publish a session into the topics."""
    sessions = [make() for make in open_source(source)]
    if truth is not None:
        known = {session.session_key: session.truth.to_json() for session in sessions if session.truth is not None}
        if not known:
            raise SourceError(f"{source} does not know what really happened; only sim: does.")
        truth.write_text(json.dumps(known) + "\n")
    runs = _run(_replay(sessions, parse_speed(speed), packet_ms, from_ms, to_ms))
    for run in runs:
        print(  # noqa: T201
            f"{run.session_key}: {run.samples:,} samples in {run.packets:,} packets, {run.laps:,} laps and "
            f"{run.messages:,} messages published in {run.seconds:.1f} s."
        )
    if counts is not None:
        counts.write_text("".join(json.dumps(run.as_dict()) + "\n" for run in runs))


async def _replay(
    sessions: list[Session],
    speed: float | None,
    packet_ms: int | None,
    from_ms: int | None,
    to_ms: int | None,
) -> list[RunCounts]:
    await create_topics(settings())
    keys = {session.session_key for session in sessions}
    await warn_of_newer_runs(settings(), keys, time.time_ns() // 1_000_000, partial(typer.echo, err=True))
    with session_progress() as bars:
        return await asyncio.gather(
            *(
                publish(
                    session,
                    settings(),
                    speed=speed,
                    packet_ms=packet_ms,
                    from_ms=from_ms,
                    to_ms=to_ms,
                    progress=bars.follow(session, from_ms, to_ms),
                )
                for session in sessions
            )
        )


@app.command()
def live(
    record: Annotated[Path | None, typer.Option(help="Also write what the feed says there, to be replayed.")] = None,
    append: Annotated[bool, typer.Option("--append", help="To a recording that was begun before.")] = False,
) -> None:
    """Publish the session that is on, from the official live timing, until it ends."""
    from f1stream.sources.livetiming.follow import follow  # noqa: PLC0415

    if append and record is None:
        raise typer.BadParameter("--append goes with --record.")
    counts = _run(follow(settings(), record, append=append))
    print(  # noqa: T201
        f"{counts.session_key}: {counts.samples:,} samples, {counts.laps:,} laps and {counts.messages:,} messages "
        "published."
    )


@app.command("whole", hidden=True)
def republish(
    start: Annotated[datetime, typer.Argument(help="When the session started (UTC), as far as is known.")],
    event: Annotated[str, typer.Option(help="Its event, which identifies it when it was moved.")] = "",
    session: Annotated[str, typer.Option(help="Its name.")] = "",
) -> None:
    """Publish a past session as fast as possible: the scheduler does so after each, and holes are filled."""
    from f1stream.sources.fastf1.fetch import fetch_if_missing  # noqa: PLC0415
    from f1stream.sources.fastf1.schedule import starting_at  # noqa: PLC0415

    _run(_ready_broker())
    wanted = starting_at(settings(), start.replace(tzinfo=UTC), event, session)
    replay(f"archive:{fetch_if_missing(settings(), wanted)}", "max")


@app.command()
def race() -> None:
    """The race worker: packets, laps and messages in, frames out."""
    _run(_ready_broker())
    _run(require_equal_partitions(settings()))
    from agents.run import run_worker  # noqa: PLC0415 - Faust is slow to import, and reads the settings

    run_worker("agents.race")


@app.command()
def archive() -> None:
    """The archive worker: every record into the warehouse, exactly once."""
    _run(_ready_broker())
    from agents.run import run_worker  # noqa: PLC0415

    run_worker("agents.archive")


@app.command()
def web() -> None:
    """The page and its API."""
    s = settings()
    check_port(s.web_host, s.web_port, "F1STREAM_WEB_PORT", "the page")
    s.ssl_context()  # what is wrong with it is said now
    from web.app import serve  # noqa: PLC0415

    logs.configure("web", s)
    logging.getLogger(__name__).info("the page is on %s", url(s.web_host, s.web_port))
    _run(serve(s))


@app.command()
def schedule() -> None:
    """The scheduler: Jolpica, then dbt, then a word to the page; every second day, weekly and after each session."""
    s = settings()
    check_port(s.web_host, s.schedule_port, "F1STREAM_SCHEDULE_PORT", "the scheduler's health and metrics")
    from f1stream.jobs.serve import schedule as serve_schedule  # noqa: PLC0415 - slow to import

    serve_schedule(s)


@app.command()
def broker() -> None:
    """The embedded broker, in the foreground. It forgets everything when it stops."""
    s = settings()
    port = s.embedded_broker_port
    check_port(EMBEDDED_HOST, port, "F1STREAM_EMBEDDED_BROKER_PORT", "the embedded broker")
    arguments = embedded_broker.command(port)
    print(f"Embedded broker on {EMBEDDED_HOST}:{port}. Ctrl-C stops it.", flush=True)  # noqa: T201
    os.execve(arguments[0], arguments, environment_for(s, "broker"))  # noqa: S606 - the binary of an installed package, no shell


@app.command()
def doctor() -> None:
    """Check configuration, broker, topics, warehouse, rights, clock and token. Exit code 1 when one needs mending."""
    from rich.console import Console  # noqa: PLC0415

    from f1stream.doctor import examine  # noqa: PLC0415 - slow to import

    console, colors = Console(highlight=False), {"ok": "green", "warning": "yellow", "problem": "red"}
    problems = 0
    for finding in examine(settings()):
        problems += finding.level == "problem"
        console.print(f"[{colors[finding.level]}]{finding.level:8}[/] {finding.about:14}", end="")
        console.print(finding.text, markup=False, soft_wrap=True)
    raise SystemExit(1 if problems else 0)


@app.command()
def topics() -> None:
    """Create the topics, where they do not exist yet; correct the settings of those that do."""
    created = _run(_ready_broker())
    _run(configure_topics(settings()))
    print("Created " + ", ".join(created) + "." if created else "All topics exist.")  # noqa: T201


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def dbt(context: typer.Context) -> None:
    """dbt on the project of the marts, with a profile made from the settings: build, test, docs generate, …"""
    from f1stream.marts.project import run_dbt  # noqa: PLC0415

    arguments = context.args or ["--help"]
    with one_at_a_time(settings()) if WRITES & set(arguments) else nullcontext(), embedded_warehouse(settings()):
        succeeded = run_dbt(settings(), arguments)
    raise SystemExit(0 if succeeded else 1)


async def _ready_broker() -> list[str]:
    return await create_topics(settings())


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(130) from None


def main() -> None:
    """Run the command. An error that the user can fix is printed as one sentence, with exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no error
    try:
        app()
    except OSError as error:
        said = disk.explain(error, settings().home)
        if said is None:
            raise
        print(f"f1stream: {said}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    except UserError as error:
        print(f"f1stream: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
