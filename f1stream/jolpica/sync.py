"""Asking for what is due and landing what comes. What cannot be had is told and asked for again next time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import snowflake.connector

from f1stream.jolpica import plan
from f1stream.jolpica.client import Answered, BadAnswer, Jolpica, Unreachable
from f1stream.jolpica.landing import Answer, Landed, Landing
from f1stream.jolpica.plan import Event
from f1stream.jolpica.repair import repaired
from f1stream.jolpica.resources import Ask
from f1stream.warehouse.connection import error_text
from f1stream.warehouse.errors import WarehouseError
from models.jolpica import Race

AT_ONCE = 4
"""Asks under way together: an answer takes longer than the limiter's pause."""
GIVE_UP_AFTER = 3
"""Asks in a row that the API did not answer: it is away, and the rest waits for the next time."""


@dataclass
class Outcome:
    """What a run did."""

    answered: int = 0
    requests: int = 0
    landed: Landed = field(default_factory=Landed)
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


def landed_events(landing: Landing, season: int) -> list[Event]:
    """A season's calendar as landed, also by an older version, which refused less."""
    kept = [(repaired(Race, row, "race")[0], since) for row, since in landing.races(season)]
    return [Event(Race.model_validate(row), since) for row, since in kept if row is not None]


@dataclass
class Sync:
    """A run of ``sync`` or ``backfill``."""

    api: Jolpica
    landing: Landing
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    progress: Callable[[Ask | None, int], None] = lambda _done, _more: None
    """Told of each ask that is done, and of how many requests more are to come."""

    def __post_init__(self) -> None:
        self.outcome = Outcome()
        self._writing = asyncio.Lock()
        self._failures = 0
        self._calendar: dict[tuple[int, int], Event] = {}

    async def sync(self, seasons: Iterable[int] | None = None, *, whole_season: bool = False) -> Outcome:
        """What can have changed in the running season. Raises Unreachable when there is no API at all."""
        seasons = plan.seasons_to_follow(self.now().date()) if seasons is None else list(seasons)
        await self._ask([Ask(season, None, "races") for season in seasons], must=True)
        asks = [ask for season in seasons for ask in plan.of_season(season)]
        events = [event for season in seasons for event in self._events(season)]
        asks += plan.to_sync(events, self._answers(), self.now(), whole_season=whole_season)
        await self._ask(asks)
        return self._ended()

    async def calendar(self) -> Outcome:
        """Only when and where the running season's races are."""
        await self._ask(
            [Ask(season, None, "races") for season in plan.seasons_to_follow(self.now().date())], must=True
        )
        return self._ended()

    async def backfill(
        self, seasons: Iterable[int], rounds: set[int] | None = None, *, again: bool = False
    ) -> Outcome:
        """Everything of ``seasons``; what was answered before is not asked for again unless ``again``."""
        answers = {} if again else self._answers()
        running = set(plan.seasons_to_follow(self.now().date()))
        seasons = list(seasons)
        calendars = [Ask(season, None, "races") for season in seasons]
        await self._ask(
            [ask for ask in calendars if ask.season in running or not plan.is_complete(answers, ask)], must=True
        )
        asks = []
        for season in seasons:
            events = [event for event in self._events(season) if rounds is None or event.round in rounds]
            asks += [ask for ask in plan.of_season(season) if not plan.is_complete(answers, ask)]
            asks += plan.to_fill(events, answers, self.now())
        await self._ask(asks)
        return self._ended()

    def _events(self, season: int) -> list[Event]:
        events = landed_events(self.landing, season)
        self._calendar |= {(season, event.round): event for event in events}
        return events

    def _answers(self) -> dict[Ask, Answer]:
        return self.landing.answers()

    def _ended(self) -> Outcome:
        self.outcome.requests = self.api.requests
        return self.outcome

    async def _ask(self, asks: list[Ask], *, must: bool = False) -> None:
        """All of ``asks``, a few at a time. With ``must``, nothing goes on without an answer."""
        waiting = iter(asks)
        to_come = sum(ask.resource.pages for ask in asks)
        self.progress(None, to_come)

        async def work() -> None:
            for ask in waiting:
                if self._failures >= GIVE_UP_AFTER:
                    self.outcome.not_asked += 1
                    continue
                await self._one(ask, must=must)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(AT_ONCE, len(asks))):
                    tasks.create_task(work())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _one(self, ask: Ask, *, must: bool) -> None:
        try:
            answered = await self.api.read(ask)
        except BadAnswer as bad:
            self.outcome.quarantined.append(str(ask))
            await self._write(partial(self.landing.quarantine, ask, bad, self.now()))
        except Unreachable as error:
            if must:
                raise
            self._failures += 1
            self.outcome.unanswered.append(str(error))
            return
        else:
            self._failures = 0
            if answered.rows:
                await self._land(ask, answered)
            else:
                await self._nothing(ask)
        self.progress(ask, -ask.resource.pages)

    async def _land(self, ask: Ask, answered: Answered) -> None:
        """What can be used of an answer; the rest is listed."""
        if answered.flaws:
            self.outcome.flaws += [f"{ask} {flaw}" for flaw in answered.flaws]
            await self._write(lambda: self.landing.list_flaws(ask, answered, self.now()))
        landed = await self._write(
            lambda: self.landing.land(ask, answered.rows, self.now(), complete=answered.complete)
        )
        self.outcome.landed += landed  # not "+= await": others add meanwhile
        if answered.complete:
            self.outcome.answered += 1
        else:
            self.outcome.quarantined.append(str(ask))

    async def _nothing(self, ask: Ask) -> None:
        """An empty answer: true for what is long past, else to be asked for again."""
        now = self.now()
        if ask.round is None:
            true = ask.season < now.year - 1
        else:
            due = self._calendar[ask.season, ask.round].due(ask)
            true = due is not None and now > due + plan.EMPTY_IS_TRUE_AFTER
        if true:
            self.outcome.answered += 1
        else:
            self.outcome.waiting.append(str(ask))
        await self._write(lambda: self.landing.nothing_came(ask, now, taken_for_true=true))

    async def _write(self, work: Callable[[], Landed | None]) -> Landed:
        """One at a time, beside the event loop."""
        async with self._writing:
            try:
                return await asyncio.to_thread(work) or Landed()
            except snowflake.connector.Error as error:
                raise WarehouseError(error_text(error)) from error
