"""Which queries are due: pure functions of the calendar, the clock and the last answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from f1stream.jolpica import PUBLISHED_AFTER
from f1stream.jolpica.landing import AnswerStatus, LastAnswer
from f1stream.jolpica.models import JolpicaRace, SessionStart
from f1stream.jolpica.rate_limit import PER_SECOND
from f1stream.jolpica.resources import ALL, RACES, Query

EMPTY_IS_FINAL_AFTER = timedelta(days=14)
"""An answer that is still empty this long after it was due is final: some races have no pit stops or lap times."""
LATEST_ROUNDS = 2
"""The newest rounds whose queries every sync repeats."""
SESSIONS = {
    "FirstPractice": "first_practice", "SecondPractice": "second_practice", "ThirdPractice": "third_practice",
    "SprintShootout": "sprint_shootout", "SprintQualifying": "sprint_qualifying", "Sprint": "sprint",
    "Qualifying": "qualifying",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """A race weekend of the calendar."""

    race: JolpicaRace
    since: datetime
    """Since when (UTC) the stored calendar has this content."""

    @property
    def season(self) -> int:
        """The year."""
        return int(self.race.season)

    @property
    def round(self) -> int:
        """The present round number; rounds are renumbered."""
        return int(self.race.round)

    def sessions(self) -> dict[str, datetime]:
        """The start of each session (UTC); 12:00 where the API has no time."""
        starts = {name: getattr(self.race, field) for name, field in SESSIONS.items()}
        starts["Race"] = SessionStart(date=self.race.date, time=self.race.time)
        return {name: _starts(start) for name, start in starts.items() if start is not None}

    def due(self, query: Query) -> datetime | None:
        """When an answer is due (UTC); None if the season or weekend has no such resource."""
        if query.season < query.resource.since:
            return None
        session = self.sessions().get(query.resource.session)
        if session is None and query.resource.session == "Qualifying":  # older calendars list races only
            session = _starts(SessionStart(date=self.race.date, time=self.race.time))
        return None if session is None else session + PUBLISHED_AFTER


def _starts(start: SessionStart) -> datetime:
    at = time.fromisoformat(start.time) if start.time else time(12, tzinfo=UTC)
    return datetime.combine(start.date, at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def of_season(season: int) -> list[Query]:
    """The queries of a season, except that of its calendar."""
    return [Query(season, None, resource.name) for resource in ALL if not resource.of_round and resource is not RACES]


def of_round(event: CalendarEvent) -> list[Query]:
    """The queries of a race."""
    return [Query(event.season, event.round, resource.name) for resource in ALL if resource.of_round]


def active_seasons(today: date) -> list[int]:
    """The current season; before March also the last one, which ended in December and may still be revised."""
    return [today.year - 1, today.year] if today.month < 3 else [today.year]


def to_sync(
    events: Iterable[CalendarEvent], answers: Mapping[Query, LastAnswer], now: datetime, *, whole_season: bool = False
) -> list[Query]:
    """The queries whose answers can have changed: new rounds, the latest two, races that moved or were renumbered.

    ``whole_season`` includes every round that was held: results are revised months later.
    """
    events = sorted(events, key=lambda event: event.sessions()["Race"])
    held = [event for event in events if event.sessions()["Race"] + PUBLISHED_AFTER <= now]
    latest = {(event.season, event.round) for event in held[-LATEST_ROUNDS:]}
    queries = []
    for event in events:
        for query in of_round(event):
            due = event.due(query)
            if due is None or due > now:
                continue
            answer = answers.get(query)
            if (
                whole_season
                or (event.season, event.round) in latest
                or answer is None
                or answer.outcome is not AnswerStatus.COMPLETE
                or answer.answered_at < max(due, event.since)
            ):
                queries.append(query)
    return queries


def to_backfill(events: Iterable[CalendarEvent], answers: Mapping[Query, LastAnswer], now: datetime) -> list[Query]:
    """The queries of held races that have no complete answer."""
    return [
        query
        for event in sorted(events, key=lambda event: event.sessions()["Race"])
        for query in of_round(event)
        if (due := event.due(query)) is not None and due <= now and not is_complete(answers, query)
    ]


def is_complete(answers: Mapping[Query, LastAnswer], query: Query) -> bool:
    """Whether the last answer to a query is complete."""
    answer = answers.get(query)
    return answer is not None and answer.outcome is AnswerStatus.COMPLETE


def seconds_for(requests: int, asked_this_hour: int, hourly: int) -> float:
    """Estimate how long ``requests`` take when ``asked_this_hour`` of the ``hourly`` limit are used.

    Assumes the worst case, that the limit is free again an hour after it was used up.
    """
    a_second = PER_SECOND.limit / PER_SECOND.interval * 1000
    at_once = max(hourly - asked_this_hour, 0)
    if requests <= at_once:
        return requests / a_second
    hours, rest = divmod(requests - at_once - 1, hourly)
    return 3600.0 * (hours + 1) + (rest + 1) / a_second
