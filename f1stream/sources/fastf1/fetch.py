"""``f1stream fetch``: writes a session archive from FastF1, completely or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from f1stream.settings import Settings
from f1stream.sources.fastf1 import tables
from f1stream.sources.fastf1.client import fastf1
from f1stream.sources.fastf1.load import STEPS, circuit, load
from f1stream.sources.fastf1.schedule import SessionRef, find, title, with_feed_path
from f1stream.sources.fastf1.telemetry import samples
from f1stream.sources.session import SourceError

ROW_GROUP_ROWS = 100_000
"""Rows in a group of a Parquet file."""
MERGING = "Merging car data and positions, lap by lap"


@dataclass
class Fetched:
    """An archive on disk, with notes for the user."""

    folder: Path
    name: str
    """``2025 Australian Grand Prix, Race``."""
    laps: int
    samples: int
    notes: list[str] = field(default_factory=list)
    """A sentence for each thing that is missing."""


def archives(settings: Settings) -> Path:
    """The folder of archives."""
    return settings.home.expanduser() / "archives"


def fetched_archive(settings: Settings, wanted: SessionRef) -> Path | None:
    """The archive of a session, if there is one under this name."""
    folder = archives(settings) / wanted.folder
    return folder if (folder / "session.json").exists() else None


def fetch_if_missing(settings: Settings, wanted: SessionRef) -> Path:
    """The archive of a session; fetches it if it is missing. Raises SourceError."""
    there = fetched_archive(settings, wanted)
    return there or fetch(settings, wanted, again=False).folder


def fetch(settings: Settings, wanted: SessionRef, to: Path | None = None, *, again: bool = True) -> Fetched:
    """Fetch a session into the folder ``to``, by default F1STREAM_HOME/archives/NAME. Raises SourceError.

    The folder appears when it is complete and replaces an existing archive; with ``again=False`` that stays. A folder
    that is no archive is never replaced.
    """
    with _progress() as (show, add_steps), fastf1(settings, show) as client:
        session, proper = find(client, wanted)
        folder = settings.folder().expanduser() / "archives" / proper.folder if to is None else to.expanduser()
        if not again and (folder / "session.json").exists():
            return Fetched(folder, title(proper), 0, 0)
        with replaced_folder(folder) as partial:
            load(client, with_feed_path(settings, session, proper), proper)
            add_steps(len(session.laps))
            done = write(session, partial, show, lambda note: circuit(client, session, note))
        show(f"{title(proper)}, fetched")
    done.folder, done.name = folder, title(proper)
    if client.warnings:
        done.notes.append(f"FastF1 logged {len(client.warnings)} warnings, in {client.log}.")
    return done


def write(
    session: Any,
    folder: Path,
    step: Callable[[str], None] = lambda _: None,
    find_circuit: Callable[[Callable[[str], None]], dict[str, Any]] = lambda _: {},
) -> Fetched:
    """Write a loaded FastF1 session into an empty folder, as a session archive."""
    notes: list[str] = []
    telemetry, ahead = samples(session, lambda: step(MERGING), notes.append)
    pq.write_table(telemetry, folder / "telemetry.parquet", compression="zstd", row_group_size=ROW_GROUP_ROWS)
    pq.write_table(ahead, folder / "driver_ahead.parquet", compression="zstd", row_group_size=ROW_GROUP_ROWS)
    laps = tables.laps(session, notes.append)
    (folder / "laps.jsonl").write_text("".join(json.dumps(lap, ensure_ascii=False) + "\n" for lap in laps))
    grid = tables.grid(session)
    if not grid and session.name in session._RACE_LIKE_SESSIONS:
        notes.append("Jolpica has no result of it (yet): the grid is left out.")
    for what, rows in (("weather", tables.weather(session)), ("race control", tables.race_control(session))):
        if not rows:
            notes.append(f"There is no {what}: it is left out.")
    outline = tables.outline(session, telemetry)
    if outline is None:
        notes.append("No timed lap has positions: the track's outline is left out.")
    files = {
        "session": tables.session_facts(session),
        "drivers": tables.drivers(session),
        "grid": grid,
        "results": tables.results(session),
        "race_control": tables.race_control(session),
        "weather": tables.weather(session),
        "track_status": tables.statuses(session.track_status, "Status", "Message"),
        "track_outline": outline,
        **find_circuit(notes.append),
    }
    for name, content in files.items():
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return Fetched(folder, "", len(laps), telemetry.num_rows, notes)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` that replaces it at the end.

    An error or a kill leaves ``folder`` unchanged. Raises SourceError when ``folder`` exists and is no archive, or is
    being fetched already.
    """
    if folder.exists() and not (folder / "session.json").exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SourceError(f"{folder} exists and is no session archive: name another folder.")
    partial, old = (folder.with_name(f".{folder.name}.{what}") for what in ("partial", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            if old.exists() and not folder.exists():  # killed between the two renames
                old.rename(folder)
            for left_behind in (partial, old):
                shutil.rmtree(left_behind, ignore_errors=True)
            partial.mkdir()
            try:
                yield partial
                if folder.exists():
                    folder.rename(old)
                partial.rename(folder)
            finally:
                if old.exists() and not folder.exists():  # the second rename failed
                    old.rename(folder)
                for left_behind in (partial, old):
                    shutil.rmtree(left_behind, ignore_errors=True)
    except Timeout:
        raise SourceError(f"{folder} is being fetched by another process: wait for it.") from None
    except OSError as error:
        raise SourceError(f"{folder} cannot be written: {error}.") from None


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str], None], Callable[[int], None]]]:
    """A progress bar: functions to show a line (which may be a step), and to add steps."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Asking for the calendar", total=STEPS)

        def show(line: str) -> None:
            advance = line.startswith(("Fetching", MERGING))
            progress.update(task, advance=int(advance), description=line.partition("\n")[0][:60])

        def add(steps: int) -> None:
            progress.update(task, total=progress.tasks[task].completed + steps)

        yield show, add
