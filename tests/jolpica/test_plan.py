"""Which queries are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from f1stream.commands.jolpica import parse_rounds
from f1stream.jolpica import plan
from f1stream.jolpica.landing import AnswerStatus, LastAnswer, by_entity, content_hash, difference
from f1stream.jolpica.models import JolpicaRace
from f1stream.jolpica.plan import CalendarEvent
from f1stream.jolpica.resources import Query

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def event(round_: int, day: str, **sessions: str) -> CalendarEvent:
    race = {
        "season": day[:4], "round": str(round_), "raceName": f"Grand Prix {round_}", "date": day, "time": "13:00:00Z",
        "Circuit": {
            "circuitId": f"circuit_{round_}", "circuitName": "C", "Location": {"locality": "L", "country": "C"},
        },
        **{name: {"date": date, "time": "10:00:00Z"} for name, date in sessions.items()},
    }  # fmt: skip
    return CalendarEvent(JolpicaRace.model_validate(race), LONG_AGO)


SEASON = [
    event(1, "2024-03-02", Qualifying="2024-03-01"),
    event(2, "2024-03-09", Qualifying="2024-03-08"),
    event(3, "2024-03-24", Qualifying="2024-03-23", Sprint="2024-03-23"),
    event(4, "2024-04-07", Qualifying="2024-04-06"),
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def answered(*queries: Query, when: str = "2024-03-30 00:00") -> dict[Query, LastAnswer]:
    return {query: LastAnswer(AnswerStatus.COMPLETE, at(when)) for query in queries}


def all_of(*rounds: int) -> list[Query]:
    return [query for event in SEASON if event.round in rounds for query in plan.of_round(event)]


def asked(queries: list[Query]) -> set[tuple[int | None, str]]:
    return {(query.round, query.name) for query in queries}


EVERY = {"qualifying", "results", "driverstandings", "constructorstandings", "pitstops", "laps"}


def test_before_the_first_session_nothing_is_due() -> None:
    assert plan.to_sync(SEASON, {}, at("2024-02-20 00:00")) == []


def test_qualifying_is_due_on_the_day_before_the_race() -> None:
    assert asked(plan.to_sync(SEASON, {}, at("2024-03-01 13:59"))) == set()
    assert asked(plan.to_sync(SEASON, {}, at("2024-03-01 14:00"))) == {(1, "qualifying")}


def test_after_the_race_everything_is_due_but_a_sprint_only_where_there_was_one() -> None:
    assert asked(plan.to_sync(SEASON, {}, at("2024-03-02 17:00"))) == {(1, name) for name in EVERY}
    third = plan.to_sync(SEASON, answered(*all_of(1, 2)), at("2024-03-25 00:00"))
    assert {name for number, name in asked(third) if number == 3} == EVERY | {"sprint"}


def test_the_latest_two_rounds_are_repeated_and_older_ones_are_not() -> None:
    queries = plan.to_sync(SEASON, answered(*all_of(1, 2, 3)), at("2024-03-31 00:00"))
    assert {number for number, _ in asked(queries)} == {2, 3}


def test_a_round_that_was_missed_or_empty_is_repeated() -> None:
    answers = answered(*all_of(2, 3), *all_of(1)[1:])
    answers[Query(2024, 1, "results")] = LastAnswer(AnswerStatus.EMPTY, at("2024-03-03 00:00"))
    queries = plan.to_sync(SEASON, answers, at("2024-03-31 00:00"))
    assert {name for number, name in asked(queries) if number == 1} == {all_of(1)[0].name, "results"}


def test_whole_season_repeats_every_round() -> None:
    queries = plan.to_sync(SEASON, answered(*all_of(1, 2, 3)), at("2024-03-31 00:00"), whole_season=True)
    assert {number for number, _ in asked(queries)} == {1, 2, 3}


def test_a_round_whose_race_changed_is_repeated() -> None:
    renumbered = CalendarEvent(SEASON[0].race, at("2024-04-20 00:00"))
    answers = answered(*all_of(1, 2, 3, 4), when="2024-04-10 00:00")
    queries = plan.to_sync([renumbered, *SEASON[1:]], answers, at("2024-04-21 00:00"))
    assert {number for number, _ in asked(queries)} == {1, 3, 4}


def test_resources_that_a_season_lacks_are_not_queried() -> None:
    old = event(1, "1957-01-13")
    assert asked(plan.to_backfill([old], {}, at("2024-01-01 00:00"))) == {(1, "results"), (1, "driverstandings")}


def test_a_backfill_queries_only_what_was_never_answered() -> None:
    done = answered(*all_of(1), *all_of(2)[:3])
    left = plan.to_backfill(SEASON, done, at("2024-03-10 00:00"))
    assert asked(left) == {(2, query.name) for query in all_of(2)[3:] if query.name != "sprint"}


def test_until_march_the_season_that_ended_is_followed_too() -> None:
    assert plan.active_seasons(at("2025-02-01 00:00").date()) == [2024, 2025]
    assert plan.active_seasons(at("2025-03-01 00:00").date()) == [2025]


@pytest.mark.parametrize(
    ("requests", "asked_this_hour", "seconds"),
    [(0, 0, 0), (16, 0, 5), (500, 0, 156), (501, 0, 3_600), (1_000, 0, 3_756), (2_100, 0, 14_431), (100, 500, 3_631)],
)
def test_the_estimate_knows_the_hourly_limit(requests: int, asked_this_hour: int, seconds: float) -> None:
    assert plan.seconds_for(requests, asked_this_hour, 500) == pytest.approx(seconds, abs=1.0)


def test_rounds_are_given_as_numbers_and_ranges() -> None:
    assert parse_rounds("1-3,7") == {1, 2, 3, 7}
    assert parse_rounds(None) is None
    with pytest.raises(typer.BadParameter, match="'x' is neither a round nor a range"):
        parse_rounds("1,x")


@pytest.mark.parametrize("impossible", ["0-3", "9-1", "1-99999999999", "\u00b2"])
def test_rounds_that_no_season_has_are_refused(impossible: str) -> None:
    with pytest.raises(typer.BadParameter, match="round"):
        parse_rounds(impossible)


def test_the_same_content_in_another_order_is_the_same() -> None:
    assert content_hash({"a": "1", "b": {"c": "2", "d": "3"}}) == content_hash({"b": {"d": "3", "c": "2"}, "a": "1"})
    assert content_hash({"a": "1"}) != content_hash({"a": "2"})


def test_the_difference_between_two_answers() -> None:
    found = difference({"nor": "1", "pia": "2", "doo": "3"}, {"nor": "1", "pia": "x", "col": "4"})
    assert (found.new, found.changed, found.gone) == (["col"], ["pia"], ["doo"])


def test_a_driver_who_shared_two_cars_has_two_rows() -> None:
    rows = [{"Driver": {"driverId": "fangio"}, "position": position} for position in ("1", "9")]
    assert list(by_entity(Query(1956, 1, "results"), rows)) == ["fangio", "fangio#2"]


def test_an_event_s_sessions_are_in_utc() -> None:
    sessions = SEASON[2].sessions()
    assert sessions["Sprint"] == at("2024-03-23 10:00")
    assert sessions["Race"] - sessions["Sprint"] == timedelta(days=1, hours=3)
