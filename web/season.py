"""The season around a session as it was known at a viewer's time: no spoilers. No I/O.

The marts have the whole season, including the session itself. Of the session's own event and of later ones only the
calendar is shown, until the session is that event's race and has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from f1stream.race.points import Running, championship
from models import Round, Season, SessionInfo, SessionResult
from models.session_type import is_grand_prix

AFTER_THE_LAST = 1 << 30
"""The round of a session after the last race."""
PODIUM = 3


@dataclass(frozen=True, slots=True)
class Standings:
    """The round whose standings are shown, their heading, and the note shown instead when there are none."""

    round: Round | None
    label: str
    note: str


def day_of(info: SessionInfo) -> datetime:
    """When a session starts, UTC."""
    return datetime.fromtimestamp((info.t0_utc_ms + info.start_ms) / 1000, UTC)


def event_of(season: Season, info: SessionInfo, result: SessionResult | None) -> int:
    """The round of the calendar that a session belongs to; ``AFTER_THE_LAST`` after the last.

    ``result`` has it, but is not used before the flag. The date decides then: an event's sessions end with its race,
    whose date may be the local one and so a day earlier.
    """
    if result is not None and result.round is not None and result.season == season.season:
        return result.round
    earliest = (day_of(info) - timedelta(days=1)).date().isoformat()
    coming = (each.round for each in season.rounds if each.status != "cancelled" and each.race_date >= earliest)
    return next(coming, AFTER_THE_LAST)


def standings_at(season: Season, event: int, over: bool) -> Standings:
    """The standings before round ``event``, or after it when it is ``over``."""
    published = [each for each in season.rounds if each.drivers]
    here = next((each for each in published if over and each.round == event), None)
    if here is not None:
        return Standings(here, f"After this race, round {here.round}", "")
    before = next((each for each in reversed(published) if each.round < event), None)
    if before is not None:
        label = "Not yet with this race: after" if over else "Before this event: after"
        return Standings(before, f"{label} {_round_name(before)}", "")
    if any(each.round < event and each.status == "held" for each in season.rounds):
        return Standings(None, "", "The standings before this event are not known yet.")
    if over:
        return Standings(None, "", "The season starts here: its first standings come with the official results.")
    return Standings(None, "", "The season starts here: there are no standings before it.")


def season_at(season: Season, info: SessionInfo, result: SessionResult | None, over: bool) -> dict[str, Any]:
    """The season around a session. ``over``: it is its event's race and has ended; ``result`` is used only then."""
    event = event_of(season, info, result if over else None)
    shown = standings_at(season, event, over)
    standings = shown.round and {
        kind: [row.model_dump() for row in getattr(shown.round, kind)] for kind in ("drivers", "constructors")
    }
    return {
        "season": season.season,
        "round": None if event == AFTER_THE_LAST else event,
        "label": shown.label,
        "note": shown.note,
        "standings": standings,
        "rounds": [_round(each, event, over) for each in season.rounds],
    }


def championship_at(season: Season, info: SessionInfo, picture: dict[str, Any], cars: list[Any]) -> dict[str, Any]:
    """The championships if the session ended in the order of ``picture``; ``cars`` are the head's.

    Penalties not served yet count for the order; retired cars score nothing. In the first round all start at 0.
    Raises ValueError when the standings before the event or the season's points are not known.
    """
    event = event_of(season, info, None)
    before = standings_at(season, event, over=False).round
    if before is None and any(each.round < event and each.status == "held" for each in season.rounds):
        raise ValueError("the standings before this event are not known yet")
    states = picture["cars"]
    order = sorted(
        (car for car in cars if states.get(car["driver_number"], {}).get("status") not in {"retired", None}),
        key=lambda car: _place(states[car["driver_number"]]),
    )
    fastest = picture["race"].get("fastest_lap") or {}
    codes = {car["driver_number"]: car["tla"] for car in cars}
    drivers, constructors = championship(
        before.drivers if before else [],
        before.constructors if before else [],
        [Running(car["tla"], car["name"], car["team"]) for car in order],
        season=season.season,
        sprint=not is_grand_prix(info.type),
        fastest_lap=codes.get(fastest.get("driver_number", "")),
    )
    since = f"standings after {_round_name(before)}" if before else "no standings before this event"
    return {
        "season": season.season,
        "t": picture["t"],
        "label": f"If it ended now: {since}, and the points for this order",
        "drivers": [row.model_dump() for row in drivers],
        "constructors": [row.model_dump() for row in constructors],
    }


def calendar_of(season: Season) -> list[dict[str, Any]]:
    """The events of a season without anything of their results, not even whether they have been held."""
    return [
        {
            "round": each.round,
            "event_name": each.event_name,
            "race_date": each.race_date,
            "cancelled": each.status == "cancelled",
            "sessions": [session.model_dump() for session in each.sessions],
        }
        for each in season.rounds
    ]


def _place(state: dict[str, Any]) -> int:
    with_penalties: int | None = state.get("position_with_penalties")
    return with_penalties or int(state.get("position") or 999)


def _round(each: Round, event: int, over: bool) -> dict[str, Any]:
    """A round with its outcome, which is left out for later rounds, and for the event itself until it is over."""
    calendar = {"round": each.round, "event_name": each.event_name, "race_date": each.race_date}
    if each.round > event or (each.round == event and not over):
        return {**calendar, "status": "scheduled"}
    podium = [row.model_dump() for row in each.results if row.position is not None and row.position <= PODIUM]
    outcome = {"winner": podium[0], "podium": podium} if podium else {}
    return {**calendar, "status": each.status, **outcome}


def _round_name(each: Round) -> str:
    return f"round\u00a0{each.round}, {each.event_name}"
