from __future__ import annotations

import orjson
import pytest

from models import Season, SessionInfo
from tests.support.page_marts import BUILT_MS, THIS_ROUND, result, season
from tests.support.page_race import head
from web.season import AFTER_THE_LAST, calendar_of, championship_at, day_of, event_of, season_at, standings_at

DAY_MS = 86_400_000


def info(name: str = "Race", days: int = 0) -> SessionInfo:
    session = head(simulated=False, name=name).info
    return session.model_copy(update={"t0_utc_ms": session.t0_utc_ms + days * DAY_MS})


def without_standings(year: Season, *numbers: int) -> Season:
    rounds = [
        each.model_copy(update={"drivers": [], "constructors": []}) if each.round in numbers else each
        for each in year.rounds
    ]
    return year.model_copy(update={"rounds": rounds})


@pytest.mark.parametrize(
    ("days", "event"),
    # the session is of the 14th of November, races are on 5, 15 and 26 November
    [(-9, 2), (-8, 2), (-7, 3), (0, 3), (1, 3), (2, 3), (3, 4), (14, AFTER_THE_LAST)],
)
def test_before_the_flag_the_date_decides_the_event_and_a_race_s_date_may_be_a_day_earlier(
    days: int, event: int
) -> None:
    assert event_of(season(), info(days=days), None) == event


def test_after_the_flag_the_result_names_the_event() -> None:
    assert event_of(season(), info(days=-30), result()) == THIS_ROUND
    assert event_of(season(), info(days=-30), result(season=2022)) == 1
    assert event_of(season(), info(days=-30), result(round=None)) == 1


def test_the_calendar_has_no_result_and_not_even_which_rounds_are_held() -> None:
    year = season(held=4)
    cancelled = year.rounds[1].model_copy(update={"status": "cancelled"})
    shown = calendar_of(year.model_copy(update={"rounds": [year.rounds[0], cancelled, *year.rounds[2:]]}))
    assert calendar_of(season(held=0)) == calendar_of(season(held=4))
    assert [each["cancelled"] for each in shown] == [False, True, False, False]
    assert set(shown[2]) == {"round", "event_name", "race_date", "cancelled", "sessions"}
    assert shown[3]["sessions"] == [{"name": "Race", "starts_ms": BUILT_MS + 4_000}]


def test_a_cancelled_event_has_no_sessions() -> None:
    year = season()
    rounds = [each.model_copy(update={"status": "cancelled"}) if each.round == 3 else each for each in year.rounds]
    assert event_of(year.model_copy(update={"rounds": rounds}), info(), None) == 4


def test_a_run_begins_on_its_clock() -> None:
    assert day_of(info()).isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(
    ("missing", "event", "over", "number", "label", "note"),
    [
        ((), 3, False, 2, "Before this event: after round\u00a02, Second Grand Prix", ""),
        ((), 3, True, 3, "After this race, round 3", ""),
        ((3,), 3, True, 2, "Not yet with this race: after round\u00a02, Second Grand Prix", ""),
        ((2,), 3, False, 1, "Before this event: after round\u00a01, First Grand Prix", ""),
        ((1, 2), 3, False, None, "", "The standings before this event are not known yet."),
        ((), 1, False, None, "", "The season starts here: there are no standings before it."),
        ((1,), 1, True, None, "", "The season starts here: its first standings come with the official results."),
        ((), AFTER_THE_LAST, False, 3, "Before this event: after round\u00a03, Test Grand Prix", ""),
    ],
)
def test_standings_are_those_before_the_event_and_with_it_after_the_flag(
    missing: tuple[int, ...], event: int, over: bool, number: int | None, label: str, note: str
) -> None:
    shown = standings_at(without_standings(season(), *missing), event, over)
    assert (shown.round and shown.round.round, shown.label, shown.note) == (number, label, note)


@pytest.mark.parametrize("name", ["Race", "Sprint", "Qualifying"])
def test_before_the_flag_nothing_of_the_event_or_of_later_ones_is_shown(name: str) -> None:
    whole, held = season(held=4), season(held=2)
    shown = season_at(whole, info(name), result(), over=False)
    # What is said is what would have been said when only two races had been held.
    assert orjson.dumps(shown) == orjson.dumps(season_at(held, info(name), None, over=False))
    assert shown["round"] == 3
    assert [each["status"] for each in shown["rounds"]] == ["held", "held", "scheduled", "scheduled"]
    assert [each.get("winner", {}).get("driver_code") for each in shown["rounds"]] == ["VER", "VER", None, None]


def test_after_the_flag_the_race_itself_is_shown_and_nothing_later() -> None:
    shown = season_at(season(held=4), info(), result(), over=True)
    assert shown["label"] == "After this race, round 3"
    assert shown["standings"]["drivers"][0]["code"] == "NOR"
    assert [each["status"] for each in shown["rounds"]] == ["held", "held", "held", "scheduled"]
    assert [row["driver_code"] for row in shown["rounds"][2]["podium"]] == ["NOR", "VER"]
    assert set(shown["rounds"][3]) == {"round", "event_name", "race_date", "status"}


def test_a_session_after_the_last_race_is_of_no_round() -> None:
    shown = season_at(season(held=4), info("Practice 1", days=20), None, over=False)
    assert (shown["round"], shown["rounds"][3]["status"]) == (None, "held")


def test_the_championship_is_the_standings_before_the_event_and_the_points_for_the_order() -> None:
    """PIA has a penalty that would cost a place; VER is out."""
    info, cars = head(simulated=False).info, [entry.model_dump() for entry in head().cars]
    states = {
        "81": {"position": 1, "position_with_penalties": 2, "status": "running"},
        "4": {"position": 2, "position_with_penalties": 1, "status": "running"},
        "1": {"position": 3, "position_with_penalties": 3, "status": "retired"},
    }
    picture = {"t": 5, "cars": states, "race": {"fastest_lap": {"driver_number": "4", "lap": 1, "ms": 1}}}
    made = championship_at(season(held=4), info, picture, cars)
    drivers = {row["code"]: (row["position"], row["points"], row["gained"]) for row in made["drivers"]}
    assert drivers == {"VER": (1, 50, 0), "NOR": (2, 36.5, 26), "PIA": (3, 18, 18)}
    assert "after round\u00a02, Second Grand Prix" in made["label"]


def test_there_is_no_championship_while_the_standings_before_are_not_known() -> None:
    year = season(held=2)
    bare = year.model_copy(
        update={"rounds": [each.model_copy(update={"drivers": [], "constructors": []}) for each in year.rounds]}
    )
    with pytest.raises(ValueError, match="not known yet"):
        championship_at(bare, head(simulated=False).info, {"t": 0, "cars": {}, "race": {}}, [])
