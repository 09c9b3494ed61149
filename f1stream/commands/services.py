"""Commands that run until they are stopped: ``demo``, ``race``, ``archive``, ``web``, ``schedule``, ``broker``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from f1stream.commands.options import FromMs, PacketMs, Speed, ToMs, parse_speed, run_async
from f1stream.sources.kinds import KINDS, WHICH


def demo(
    source: Annotated[
        str | None,
        typer.Option(
            help=f"Where the session comes from: {KINDS}. {WHICH}. By default the 2025 Australian Grand "
            "Prix, fetched at the first start, or a simulated race if it cannot be fetched.",
            metavar="SRC",
        ),
    ] = None,
    speed: Speed = "1",
    exit_when_done: Annotated[bool, typer.Option(help="Stop after the session.")] = False,
    report: Annotated[Path | None, typer.Option(help="With --exit-when-done: file for a JSON report.")] = None,
    packet_ms: PacketMs = None,
    from_ms: FromMs = None,
    to_ms: ToMs = None,
    keep: Annotated[
        bool, typer.Option(help="Keep the embedded warehouse's data in F1STREAM_HOME/warehouse.")
    ] = False,
) -> None:
    """Everything with one command: broker, workers, warehouse, page and a session, all on this machine."""
    from f1stream.demo import Demo

    if report is not None and not exit_when_done:
        raise typer.BadParameter("--report goes with --exit-when-done.")
    if report is not None and (report.is_dir() or not os.access(report.absolute().parent, os.W_OK)):
        raise typer.BadParameter(f"--report {report} cannot be written: name a file in a folder of yours.")
    parse_speed(speed)  # refuse a wrong one now: the source gets it much later
    plan = Demo(source, speed, exit_when_done, report, packet_ms, from_ms, to_ms, keep)
    try:
        plan.prepare()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(run_async(plan.run()))


def race() -> None:
    """The race worker: packets, laps and messages in, frames out."""
    from f1stream.kafka import create_topics, require_equal_partitions
    from f1stream.settings import settings

    run_async(create_topics(settings()))
    run_async(require_equal_partitions(settings()))
    from agents.run import run_worker  # Faust, which is slow to import

    run_worker("agents.race")


def archive() -> None:
    """The archive worker: every record into the warehouse, exactly once."""
    from f1stream.kafka import create_topics
    from f1stream.settings import settings

    run_async(create_topics(settings()))
    from agents.run import run_worker  # Faust, which is slow to import

    run_worker("agents.archive")


def web() -> None:
    """The page and its API."""
    import logging

    from f1stream import logs
    from f1stream.ports import check_port, url
    from f1stream.settings import settings

    s = settings()
    check_port(s.web_host, s.web_port, "F1STREAM_WEB_PORT", "the page", shared=s.web_port_shared)
    s.ssl_context()  # raises now if the setting is wrong
    from web.app import serve

    logs.configure("web", s)
    logging.getLogger(__name__).info("the page is on %s", url(s.web_host, s.web_port))
    run_async(serve(s))


def schedule() -> None:
    """The scheduler: load Jolpica, build the marts with dbt, then publish them to the page.

    It runs every second day, weekly and after each session.
    """
    from f1stream.ports import check_port
    from f1stream.settings import settings

    s = settings()
    check_port(s.web_host, s.schedule_port, "F1STREAM_SCHEDULE_PORT", "the scheduler's health and metrics")
    from f1stream.jobs.serve import schedule as serve_schedule

    serve_schedule(s)


def broker() -> None:
    """The embedded broker, in the foreground. Its data is in memory only."""
    from f1stream.child_environment import environment_for
    from f1stream.embedded import broker as embedded_broker
    from f1stream.ports import check_port
    from f1stream.settings import EMBEDDED_HOST, settings

    s = settings()
    port = s.embedded_broker_port
    check_port(EMBEDDED_HOST, port, "F1STREAM_EMBEDDED_BROKER_PORT", "the embedded broker")
    arguments = embedded_broker.command(port)
    print(f"Embedded broker on {EMBEDDED_HOST}:{port}. Ctrl-C stops it.", flush=True)
    os.execve(arguments[0], arguments, environment_for(s, "broker"))  # noqa: S606 - the binary of an installed package, no shell
