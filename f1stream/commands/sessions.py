"""Commands about sessions: ``fetch``, ``sessions``, ``check``, ``replay``, ``live`` and the scheduler's ``whole``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from f1stream.commands.options import FromMs, PacketMs, Source, Speed, ToMs, parse_speed, run_async


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
    from f1stream.settings import settings
    from f1stream.sources.fastf1.fetch import fetch as fetch_session
    from f1stream.sources.fastf1.schedule import SessionRef

    try:
        fetched = fetch_session(settings(), SessionRef(year, event, session).checked(), to)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    for note in fetched.notes:
        print(note)
    print(
        f"{fetched.name}: {fetched.samples:,} samples and {fetched.laps:,} laps in {fetched.folder}. "
        f"Watch it: f1stream demo --source archive:{fetched.folder}"
    )


def sessions(
    year: Annotated[int | None, typer.Argument(help="The season, from 2018; by default this year's.")] = None,
) -> None:
    """The sessions of a season: which can be fetched, which are here already, which are still to come."""
    from f1stream.settings import settings
    from f1stream.sources.fastf1.commands import season

    season(settings(), year)


def check(
    sources: Annotated[
        list[str],
        typer.Argument(help="Recordings and archives, or folders of them.", metavar="PATH..."),
    ],
    lag: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds by which our order may be ahead of or behind the feed's.")
    ] = 5.0,
    details: Annotated[bool, typer.Option(help="Every difference, also those that have no bound.")] = False,
) -> None:
    """Compare what our rules compute from recorded sessions with what the feed reports: order, laps, bests, stops.

    Ends with code 1 if a difference exceeds its bound.
    """
    from f1stream.conformance.commands import check as check_sources

    raise SystemExit(0 if check_sources(sources, round(lag * 1000), details=details) else 1)


def replay(
    source: Source,
    speed: Speed = "1",
    packet_ms: PacketMs = None,
    from_ms: FromMs = None,
    to_ms: ToMs = None,
    counts: Annotated[
        Path | None, typer.Option(help="File for the numbers of published records, as JSON lines.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="File for the exact facts of the race (sim: only), as JSON.")
    ] = None,
) -> None:
    """Publish a session into the topics."""
    from f1stream.settings import settings
    from f1stream.sources.replay import replay as publish_sessions
    from f1stream.sources.replay import write_truth
    from f1stream.sources.spec import open_source

    opened = [make() for make in open_source(source)]
    if truth is not None:
        write_truth(opened, truth, source)
    runs = run_async(publish_sessions(settings(), opened, parse_speed(speed), packet_ms, from_ms, to_ms))
    for run in runs:
        print(
            f"{run.session_key}: {run.samples:,} samples in {run.packets:,} packets, {run.laps:,} laps and "
            f"{run.messages:,} messages published in {run.seconds:.1f} s."
        )
    if counts is not None:
        import json

        counts.write_text("".join(json.dumps(run.as_dict()) + "\n" for run in runs))


def live(
    record: Annotated[
        Path | None, typer.Option(help="Also record the feed's messages in this file, which recording:PATH replays.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Append to a recording that exists.")] = False,
) -> None:
    """Publish the current session from the official live timing, until it ends."""
    from f1stream.settings import settings
    from f1stream.sources.livetiming.follow import follow

    if append and record is None:
        raise typer.BadParameter("--append goes with --record.")
    counts = run_async(follow(settings(), record, append=append))
    print(
        f"{counts.session_key}: {counts.samples:,} samples, {counts.laps:,} laps and {counts.messages:,} messages "
        "published."
    )


def republish(
    start: Annotated[datetime, typer.Argument(help="Start of the session (UTC), as far as it is known.")],
    event: Annotated[str, typer.Option(help="Its event, which identifies the session after it was moved.")] = "",
    session: Annotated[str, typer.Option(help="Its name.")] = "",
) -> None:
    """Publish a past session again, complete, at full speed. The scheduler does this after each session."""
    from f1stream.kafka import create_topics
    from f1stream.settings import settings
    from f1stream.sources.fastf1.fetch import fetch_if_missing
    from f1stream.sources.fastf1.schedule import starting_at

    run_async(create_topics(settings()))
    wanted = starting_at(settings(), start.replace(tzinfo=UTC), event, session)
    replay(f"archive:{fetch_if_missing(settings(), wanted)}", "max")
