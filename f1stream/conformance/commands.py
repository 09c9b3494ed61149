"""``f1stream check``: prints the table and the differences."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from f1stream.conformance.compare import Report, check_source
from f1stream.sources.session import SourceError

MOST_DETAILS = 20
"""Differences of one check that are printed; further ones are counted."""
TABLE_WIDTH = 140
"""The table's least width (characters)."""


def check(sources: list[str], lag_ms: int, *, details: bool, workers: int | None = None) -> bool:
    """Print each source's comparison, in order; returns whether all passed. Raises SourceError if there is none."""
    names = [name for source in sources for name in _expanded(source)]
    if not names:
        raise SourceError(f"{', '.join(sources)}: it contains no recording and no archive.")
    reports = {report.source: report for report in _reports(names, lag_ms, workers)}
    console = Console()
    console = Console(width=max(console.width, TABLE_WIDTH))  # a narrow terminal wraps lines instead of cutting cells
    console.print(_table([reports[name] for name in names]))
    for name in names:
        for line in _sentences(reports[name], all_of_them=details):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    return all(report.passed for report in reports.values())


def _expanded(source: str) -> Iterator[str]:
    """A folder of recordings and archives, each in a folder of its own, means all of them."""
    path = Path(source).expanduser()
    if ":" in source or not path.is_dir() or _is_one(path):
        yield source
        return
    for below in sorted(path.iterdir()):
        if below.is_dir() and _is_one(below):
            yield str(below)
        else:
            yield from (str(file) for file in _recordings(below))


def _is_one(folder: Path) -> bool:
    names = {path.name.removesuffix(".gz") for path in folder.iterdir()}
    streams = {name for name in names if name.endswith(".jsonStream")}
    return bool(streams or names & {"session.json", "live.txt", "live.jsonl"})


def _recordings(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.name.removesuffix(".gz").endswith(".jsonl"))
    return [path] if path.name.removesuffix(".gz").endswith(".jsonl") else []


def _reports(names: list[str], lag_ms: int, workers: int | None) -> Iterator[Report]:
    work = partial(check_source, lag_ms=lag_ms)
    if len(names) == 1:
        yield work(names[0])
        return
    columns = TextColumn("Checking sessions"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    pool = ProcessPoolExecutor(min(workers or os.cpu_count() or 1, len(names)), get_context("spawn"))
    with Progress(*columns, transient=True) as progress, pool:
        task = progress.add_task("", total=len(names))
        for future in as_completed([pool.submit(work, name) for name in names]):
            progress.advance(task)
            yield future.result()


def _table(reports: list[Report]) -> Table:
    table = Table("session", box=None, pad_edge=False)
    named = next((report for report in reports if report.checks), None)
    for one in named.checks if named else ():
        table.add_column(one.name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for report in reports:
        cells = [f"[red]{one.result}[/]" if not one.passed else one.result for one in report.checks]
        cells += [""] * (len(table.columns) - 2 - len(cells))
        table.add_row(_name(report), *cells, report.verdict if report.passed else f"[red]{report.verdict}[/]")
    return table


def _name(report: Report) -> str:
    path = Path(report.source.partition(":")[2] or report.source)
    return path.parent.name if path.name.startswith(("recording.", "live.")) else path.name


def _sentences(report: Report, *, all_of_them: bool) -> Iterator[str]:
    if report.error:
        yield f"{_name(report)}: {report.error}"
    for one in report.checks:
        if all_of_them or not one.passed:
            yield from (f"{_name(report)}: {text}" for text in one.details[:MOST_DETAILS])
            if len(one.details) > MOST_DETAILS:
                yield f"{_name(report)}: {len(one.details) - MOST_DETAILS} more of {one.name}"
