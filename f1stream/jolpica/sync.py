"""Runs of ``f1stream jolpica``: read what is due, store it, and report what is missing. The next run repeats that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import snowflake.connector

from f1stream.jolpica import plan
from f1stream.jolpica.client import ApiAnswer, BadAnswer, JolpicaClient, Unreachable
from f1stream.jolpica.landing import Landing, LastAnswer, RowChanges
from f1stream.jolpica.models import JolpicaRace
from f1stream.jolpica.plan import CalendarEvent
from f1stream.jolpica.repair import repaired
from f1stream.jolpica.resources import Query
from f1stream.warehouse.connection import error_text
from f1stream.warehouse.errors import WarehouseError

AT_ONCE = 4
"""Concurrent queries: an answer takes longer than the limiter's pause."""
GIVE_UP_AFTER = 3
"""After so many unanswered queries in a row the API counts as down, and the run makes no further ones."""


@dataclass
class SyncReport:
    """The result of a run."""

    answered: int = 0
    requests: int = 0
    landed: RowChanges = field(default_factory=RowChanges)
    waiting: list[str] = field(default_factory=list)
    """Queries whose answer is due but empty."""
    quarantined: list[str] = field(default_factory=list)
    """Queries with an answer of unexpected shape or with rows left out."""
    flaws: list[str] = field(default_factory=list)
    """Invalid values of answers that are stored without them."""
    unanswered: list[str] = field(default_factory=list)
    """A sentence for each query without an answer."""
    not_asked: int = 0
    """Queries not made because the API was down."""

    @property
    def complete(self) -> bool:
        """Whether everything that was due is stored."""
        return not (self.waiting or self.quarantined or self.unanswered or self.not_asked)

    def sentences(self) -> list[str]:
        """The report for the user."""
        sentences = [
            f"{self.answered:,} answers from {self.requests:,} requests: {self.landed.new:,} rows new, "
            f"{self.landed.changed:,} changed, {self.landed.gone:,} gone, {self.landed.same:,} unchanged."
        ]
        if self.waiting:
            sentences.append(f"Due, but not published yet: {_some(self.waiting)}. The next run asks again.")
        if self.quarantined:
            sentences.append(f"Of unexpected shape, stored in RAW.JOLPICA_QUARANTINE: {_some(self.quarantined)}.")
        if self.flaws:
            sentences.append(
                f"{len(self.flaws):,} invalid values, listed in RAW.JOLPICA_QUARANTINE: {_some(self.flaws)}."
            )
        sentences += self.unanswered[:GIVE_UP_AFTER]
        if self.not_asked:
            sentences.append(f"{self.not_asked:,} queries were not made. Run the command again to make them.")
        return sentences


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def landed_events(landing: Landing, season: int) -> list[CalendarEvent]:
    """A season's stored calendar. It is validated again, since an older version may have stored it."""
    kept = [(repaired(JolpicaRace, row, "race")[0], since) for row, since in landing.races(season)]
    return [CalendarEvent(JolpicaRace.model_validate(row), since) for row, since in kept if row is not None]


@dataclass
class Sync:
    """A run of ``sync`` or ``backfill``."""

    api: JolpicaClient
    landing: Landing
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    progress: Callable[[Query | None, int], None] = lambda _done, _more: None
    """Called with each query that is done, and with the number of requests that come in addition."""

    def __post_init__(self) -> None:
        self.outcome = SyncReport()
        """The report so far, also of a run that failed."""
        self._failures = 0
        self._calendar: dict[tuple[int, int], CalendarEvent] = {}

    async def sync(self, seasons: Iterable[int] | None = None, *, whole_season: bool = False) -> SyncReport:
        """Load what can have changed in the current season. Raises Unreachable when the calendar cannot be read."""
        seasons = plan.active_seasons(self.now().date()) if seasons is None else list(seasons)
        async with self._run():
            await self._query_all([Query(season, None, "races") for season in seasons], must=True)
            queries = [query for season in seasons for query in plan.of_season(season)]
            events = [event for season in seasons for event in self._events(season)]
            queries += plan.to_sync(events, self._answers(), self.now(), whole_season=whole_season)
            await self._query_all(queries)
        return self.outcome

    async def calendar(self) -> SyncReport:
        """Load only the calendar of the current season."""
        seasons = plan.active_seasons(self.now().date())
        async with self._run():
            await self._query_all([Query(season, None, "races") for season in seasons], must=True)
        return self.outcome

    async def backfill(
        self, seasons: Iterable[int], rounds: set[int] | None = None, *, again: bool = False
    ) -> SyncReport:
        """Load all of ``seasons``; ``again`` repeats queries that have a complete answer."""
        active = set(plan.active_seasons(self.now().date()))
        seasons = list(seasons)
        calendars = [Query(season, None, "races") for season in seasons]
        async with self._run():
            answers = {} if again else self._answers()
            await self._query_all(
                [query for query in calendars if query.season in active or not plan.is_complete(answers, query)],
                must=True,
            )
            queries = []
            for season in seasons:
                events = [event for event in self._events(season) if rounds is None or event.round in rounds]
                queries += [query for query in plan.of_season(season) if not plan.is_complete(answers, query)]
                queries += plan.to_backfill(events, answers, self.now())
            await self._query_all(queries)
        return self.outcome

    def _events(self, season: int) -> list[CalendarEvent]:
        events = landed_events(self.landing, season)
        self._calendar |= {(season, event.round): event for event in events}
        return events

    def _answers(self) -> dict[Query, LastAnswer]:
        return self.landing.answers()

    @asynccontextmanager
    async def _run(self) -> AsyncIterator[None]:
        """Record the unchanged answers at the end of a run, also of one that fails. Raises WarehouseError."""
        try:
            with ThreadPoolExecutor(1, "jolpica-writer") as self._writer:
                try:
                    yield
                finally:
                    self.outcome.requests = self.api.requests
                    await self._write(self.landing.record_unchanged)
        except snowflake.connector.Error as error:
            raise WarehouseError(error_text(error)) from error

    async def _query_all(self, queries: list[Query], *, must: bool = False) -> None:
        """Make ``queries``, a few at a time. With ``must``, a query without an answer raises Unreachable."""
        waiting = iter(queries)
        to_come = sum(query.resource.pages for query in queries)
        self.progress(None, to_come)

        async def work() -> None:
            for query in waiting:
                if self._failures >= GIVE_UP_AFTER:
                    self.outcome.not_asked += 1
                    continue
                await self._query(query, must=must)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(AT_ONCE, len(queries))):
                    tasks.create_task(work())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _query(self, query: Query, *, must: bool) -> None:
        try:
            answer = await self.api.read(query)
        except BadAnswer as bad:
            self.outcome.quarantined.append(str(query))
            await self._write(partial(self.landing.quarantine, query, bad, self.now()))
        except Unreachable as error:
            if must:
                raise
            self._failures += 1
            self.outcome.unanswered.append(str(error))
            return
        else:
            self._failures = 0
            if answer.rows:
                await self._land(query, answer)
            else:
                await self._record_empty(query)
        self.progress(query, -query.resource.pages)

    async def _land(self, query: Query, answer: ApiAnswer) -> None:
        """Store the valid part of an answer, and list the rest."""
        if answer.flaws:
            self.outcome.flaws += [f"{query} {flaw}" for flaw in answer.flaws]
            await self._write(lambda: self.landing.quarantine_flaws(query, answer, self.now()))

        def land() -> None:  # counts in the writer's thread: this task may be cancelled before the rows are stored
            self.outcome.landed += self.landing.land(query, answer.rows, self.now(), complete=answer.complete)

        await self._write(land)
        if answer.complete:
            self.outcome.answered += 1
        else:
            self.outcome.quarantined.append(str(query))

    async def _record_empty(self, query: Query) -> None:
        """Record an empty answer: final if it was due long ago, else the query is repeated."""
        now = self.now()
        if query.round is None:
            final = query.season < now.year - 1
        else:
            due = self._calendar[query.season, query.round].due(query)
            final = due is not None and now > due + plan.EMPTY_IS_FINAL_AFTER
        if final:
            self.outcome.answered += 1
        else:
            self.outcome.waiting.append(str(query))
        self.landing.record_empty(query, now, final=final)

    async def _write(self, work: Callable[[], None]) -> None:
        """Run ``work`` in the writer's thread, one at a time; it runs to its end even if this task is cancelled."""
        await asyncio.get_running_loop().run_in_executor(self._writer, work)
