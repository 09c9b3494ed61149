"""Asking for what is due and landing what comes. What cannot be had is told and asked for again next time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
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
"""Asks under way together: an answer takes longer than the limiter's pause."""
GIVE_UP_AFTER = 3
"""Asks in a row that the API did not answer: it is away, and the rest waits for the next time."""


@dataclass
class SyncReport:
    """What a run did."""

    answered: int = 0
    requests: int = 0
    landed: RowChanges = field(default_factory=RowChanges)
    waiting: list[str] = field(default_factory=list)
    """Due and empty."""
    quarantined: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    """Values that could not be used, of answers that were landed without them."""
    unanswered: list[str] = field(default_factory=list)
    not_asked: int = 0
    """Left out because the API had stopped answering."""

    @property
    def complete(self) -> bool:
        """Whether everything that was due is there."""
        return not (self.waiting or self.quarantined or self.unanswered or self.not_asked)

    def sentences(self) -> list[str]:
        """For the user."""
        told = [
            f"{self.answered:,} answers from {self.requests:,} requests: {self.landed.new:,} rows new, "
            f"{self.landed.changed:,} changed, {self.landed.gone:,} gone, {self.landed.same:,} as they were."
        ]
        if self.waiting:
            told.append(f"Due, but not published yet: {_some(self.waiting)}. They are asked for again next time.")
        if self.quarantined:
            told.append(f"Of unexpected shape, kept in RAW.JOLPICA_QUARANTINE: {_some(self.quarantined)}.")
        if self.flaws:
            told.append(
                f"{len(self.flaws):,} values could not be used (in RAW.JOLPICA_QUARANTINE): {_some(self.flaws)}."
            )
        told += self.unanswered[:GIVE_UP_AFTER]
        if self.not_asked:
            told.append(f"{self.not_asked:,} were not asked for. Run the command again: what is there is kept.")
        return told


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def landed_events(landing: Landing, season: int) -> list[CalendarEvent]:
    """A season's calendar as landed, also by an older version, which refused less."""
    kept = [(repaired(JolpicaRace, row, "race")[0], since) for row, since in landing.races(season)]
    return [CalendarEvent(JolpicaRace.model_validate(row), since) for row, since in kept if row is not None]


@dataclass
class Sync:
    """A run of ``sync`` or ``backfill``."""

    api: JolpicaClient
    landing: Landing
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    progress: Callable[[Query | None, int], None] = lambda _done, _more: None
    """Told of each ask that is done, and of how many requests more are to come."""

    def __post_init__(self) -> None:
        self.outcome = SyncReport()
        self._writing = asyncio.Lock()
        self._failures = 0
        self._calendar: dict[tuple[int, int], CalendarEvent] = {}

    async def sync(self, seasons: Iterable[int] | None = None, *, whole_season: bool = False) -> SyncReport:
        """What can have changed in the running season. Raises Unreachable when there is no API at all."""
        seasons = plan.seasons_to_follow(self.now().date()) if seasons is None else list(seasons)
        await self._ask([Query(season, None, "races") for season in seasons], must=True)
        queries = [query for season in seasons for query in plan.of_season(season)]
        events = [event for season in seasons for event in self._events(season)]
        queries += plan.to_sync(events, self._answers(), self.now(), whole_season=whole_season)
        await self._ask(queries)
        return self._ended()

    async def calendar(self) -> SyncReport:
        """Only when and where the running season's races are."""
        await self._ask(
            [Query(season, None, "races") for season in plan.seasons_to_follow(self.now().date())], must=True
        )
        return self._ended()

    async def backfill(
        self, seasons: Iterable[int], rounds: set[int] | None = None, *, again: bool = False
    ) -> SyncReport:
        """Everything of ``seasons``; what was answered before is not asked for again unless ``again``."""
        answers = {} if again else self._answers()
        running = set(plan.seasons_to_follow(self.now().date()))
        seasons = list(seasons)
        calendars = [Query(season, None, "races") for season in seasons]
        await self._ask(
            [query for query in calendars if query.season in running or not plan.is_complete(answers, query)],
            must=True,
        )
        queries = []
        for season in seasons:
            events = [event for event in self._events(season) if rounds is None or event.round in rounds]
            queries += [query for query in plan.of_season(season) if not plan.is_complete(answers, query)]
            queries += plan.to_fill(events, answers, self.now())
        await self._ask(queries)
        return self._ended()

    def _events(self, season: int) -> list[CalendarEvent]:
        events = landed_events(self.landing, season)
        self._calendar |= {(season, event.round): event for event in events}
        return events

    def _answers(self) -> dict[Query, LastAnswer]:
        return self.landing.answers()

    def _ended(self) -> SyncReport:
        self.outcome.requests = self.api.requests
        return self.outcome

    async def _ask(self, queries: list[Query], *, must: bool = False) -> None:
        """All of ``asks``, a few at a time. With ``must``, nothing goes on without an answer."""
        waiting = iter(queries)
        to_come = sum(query.resource.pages for query in queries)
        self.progress(None, to_come)

        async def work() -> None:
            for query in waiting:
                if self._failures >= GIVE_UP_AFTER:
                    self.outcome.not_asked += 1
                    continue
                await self._one(query, must=must)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(AT_ONCE, len(queries))):
                    tasks.create_task(work())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _one(self, query: Query, *, must: bool) -> None:
        try:
            answered = await self.api.read(query)
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
            if answered.rows:
                await self._land(query, answered)
            else:
                await self._nothing(query)
        self.progress(query, -query.resource.pages)

    async def _land(self, query: Query, answered: ApiAnswer) -> None:
        """What can be used of an answer; the rest is listed."""
        if answered.flaws:
            self.outcome.flaws += [f"{query} {flaw}" for flaw in answered.flaws]
            await self._write(lambda: self.landing.list_flaws(query, answered, self.now()))
        landed = await self._write(
            lambda: self.landing.land(query, answered.rows, self.now(), complete=answered.complete)
        )
        self.outcome.landed += landed  # not "+= await": others add meanwhile
        if answered.complete:
            self.outcome.answered += 1
        else:
            self.outcome.quarantined.append(str(query))

    async def _nothing(self, query: Query) -> None:
        """An empty answer: true for what is long past, else to be asked for again."""
        now = self.now()
        if query.round is None:
            true = query.season < now.year - 1
        else:
            due = self._calendar[query.season, query.round].due(query)
            true = due is not None and now > due + plan.EMPTY_IS_TRUE_AFTER
        if true:
            self.outcome.answered += 1
        else:
            self.outcome.waiting.append(str(query))
        await self._write(lambda: self.landing.nothing_came(query, now, taken_for_true=true))

    async def _write(self, work: Callable[[], RowChanges | None]) -> RowChanges:
        """One at a time, beside the event loop."""
        async with self._writing:
            try:
                return await asyncio.to_thread(work) or RowChanges()
            except snowflake.connector.Error as error:
                raise WarehouseError(error_text(error)) from error
