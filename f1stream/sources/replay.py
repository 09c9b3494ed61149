"""``f1stream replay``: publishes sessions concurrently, with a progress bar each."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path

from f1stream.kafka import create_topics
from f1stream.progress import session_progress
from f1stream.settings import Settings
from f1stream.sources.newer_runs import warn_of_newer_runs
from f1stream.sources.publish import RunCounts, publish
from f1stream.sources.session import Session, SourceError


async def replay(
    settings: Settings,
    sessions: list[Session],
    speed: float | None,
    packet_ms: int | None,
    from_ms: int | None,
    to_ms: int | None,
) -> list[RunCounts]:
    """Publish the sessions, and return the numbers of records of each. ``speed`` None is as fast as possible."""
    await create_topics(settings)
    keys = {session.session_key for session in sessions}
    await warn_of_newer_runs(settings, keys, time.time_ns() // 1_000_000, partial(print, file=sys.stderr))
    with session_progress() as bars:
        return await asyncio.gather(
            *(
                publish(
                    session,
                    settings,
                    speed=speed,
                    packet_ms=packet_ms,
                    from_ms=from_ms,
                    to_ms=to_ms,
                    progress=bars.follow(session, from_ms, to_ms),
                )
                for session in sessions
            )
        )


def write_truth(sessions: list[Session], file: Path, source: str) -> None:
    """Write the truth of simulated sessions, by session key. Raises SourceError for other sources."""
    known = {session.session_key: session.truth.to_json() for session in sessions if session.truth is not None}
    if not known:
        raise SourceError(f"{source} has no truth to write; only sim: has.")
    file.write_text(json.dumps(known) + "\n")
