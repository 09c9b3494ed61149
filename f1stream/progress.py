"""Progress bars in session time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from f1stream.sources.session import Session
from models import SessionInfo


class SessionBars:
    """One progress bar per session."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def follow(self, session: Session, from_ms: int | None, to_ms: int | None) -> Callable[[int], None]:
        """Add a bar for ``session``; the returned function takes the session time (ms) reached."""
        info = next(message for message in session.messages if isinstance(message, SessionInfo))
        begin, end = from_ms or info.start_ms, to_ms or session.end_ms
        task = self._progress.add_task(f"{info.meeting} {info.name}", total=end - begin)
        return lambda now: self._progress.update(task, completed=now - begin)


@contextmanager
def session_progress() -> Iterator[SessionBars]:
    """Progress bars on the terminal; none without a terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns) as progress:
        yield SessionBars(progress)
