"""Stints, by hand and against those of the 2025 Australian Grand Prix."""

from __future__ import annotations

import json
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from f1stream.race.car import Car, PitVisit
from f1stream.race.state import Race
from f1stream.race.tyres import TyreSet, after_lap, stints
from f1stream.sources.session import Session
from models import TyreChange
from models.frame import Stint
from tests.support.pipeline import without_samples


@pytest.fixture(scope="module")
def expected(archive_path: Path) -> dict[str, Any]:
    return dict(json.loads((archive_path / "expected.json").read_text()))


@pytest.fixture(scope="module")
def driven(aus_session: Session) -> Race:
    return without_samples(aus_session)


@pytest.fixture(scope="module")
def shown(driven: Race, aus_session: Session) -> dict[str, tuple[Stint, ...]]:
    """By driver, at the race's end."""
    names = {lap.driver_number: lap.driver for lap in aus_session.laps}
    return {names[car.number]: stints(car.sets, car.lap) for car in driven.cars.values() if car.lap > 0}


def runs(shown: tuple[Stint, ...]) -> list[tuple[str, int, int]]:
    """(compound, first lap, last lap) of each stretch on one compound."""
    found = []
    for compound, group in groupby(shown, key=lambda stint: stint.compound):
        each = [stint for stint in group if stint.laps]
        if each:
            found.append((compound, each[0].first_lap, each[-1].first_lap + each[-1].laps - 1))
    return found


def test_compounds_of_all(shown: dict[str, tuple[Stint, ...]], expected: dict[str, Any]) -> None:
    """A lap on which a car retired is not completed: its stint is a lap shorter than in the records."""
    done = expected["laps_completed_official"]
    for driver, mine in shown.items():
        of_records = [(run["compound"], run["first_lap"], min(run["last_lap"], done[driver]))
                      for run in expected["compound_runs"][driver]]  # fmt: skip
        assert runs(mine) == of_records, driver


def test_stints_of_all(shown: dict[str, tuple[Stint, ...]], expected: dict[str, Any]) -> None:
    """Without those whose records restart the tyres' age where no tyres were changed; see test_stops for them."""
    done = expected["laps_completed_official"]
    contradicted = {
        driver
        for driver, sets in expected["tyre_stints"].items()
        if [run["first_lap"] - 1 for run in sets[1:]] != expected["tyre_changes"][driver]
    }
    assert contradicted == {"ALB", "LAW", "STR"}
    for driver in shown.keys() - contradicted - {*expected["tyre_data_uncertain"]}:
        of_records = [
            (run["compound"], run["first_lap"], min(run["last_lap"], done[driver]) - run["first_lap"] + 1,
             run["tyre_life_at_start"] - 1, run["fresh"])
            for run in expected["tyre_stints"][driver]
        ]  # fmt: skip
        mine = [(s.compound, s.first_lap, s.laps, s.tyre_life_before, s.fresh) for s in shown[driver]]
        assert mine == of_records, driver


def test_stints_leave_out_no_lap(shown: dict[str, tuple[Stint, ...]], driven: Race) -> None:
    laps = [car.lap for car in driven.cars.values() if car.lap > 0]
    assert len(laps) == 17  # three did not get through lap 1
    assert [sum(stint.laps for stint in mine) for mine in shown.values()] == laps
    for mine in shown.values():
        for one, following in pairwise(mine):
            assert one.first_lap + one.laps == following.first_lap


def test_a_set_put_on_in_the_pits_has_no_laps_yet() -> None:
    sets = [TyreSet("MEDIUM", 1, 3, fresh=False), TyreSet("HARD", 21, 0, fresh=True)]
    first, second = stints(sets, lap=20)
    assert (first.laps, first.tyre_life_before, second.laps) == (20, 3, 0)
    assert stints(sets, lap=19)[1].laps == 0


def test_a_record_that_knows_better_corrects_the_set() -> None:
    sets = [TyreSet("HARD", 21, 0, fresh=True)]
    after_lap(sets, "MEDIUM", 4, 22, [20])
    assert sets == [TyreSet("MEDIUM", 21, 2, fresh=True)]


def test_a_set_younger_than_its_stint_was_fitted_at_a_visit_without_a_message() -> None:
    sets = [TyreSet("MEDIUM", 1, 0, fresh=True)]
    after_lap(sets, "HARD", 2, 12, [10])
    assert sets == [TyreSet("MEDIUM", 1, 0, fresh=True), TyreSet("HARD", 11, 0, None)]
    sets = [TyreSet("MEDIUM", 1, 0, fresh=True)]
    after_lap(sets, "MEDIUM", 2, 12, [])
    assert sets == [TyreSet("MEDIUM", 11, 0, fresh=True)]


def test_a_late_record_of_the_set_before_changes_nothing() -> None:
    sets = [TyreSet("MEDIUM", 1, 0, fresh=True), TyreSet("HARD", 21, 0, fresh=True)]
    after_lap(sets, "MEDIUM", 20, 20, [20])
    assert [each.compound for each in sets] == ["MEDIUM", "HARD"]


def test_without_messages_the_lap_records_show_the_sets() -> None:
    sets: list[TyreSet] = []
    after_lap(sets, "SOFT", 5, 2, [])
    assert sets == [TyreSet("SOFT", 1, 3, None)]


def test_a_set_whose_first_lap_is_corrected_is_no_stop_more() -> None:
    car = Car("4", 0)
    car.fit_tyres(
        TyreChange(session_time_ms=0, driver_number="4", lap=1, compound="SOFT", tyre_life=0, fresh=True),
        racing=False,
    )
    car.update_tyres("SOFT", 1, 3)
    assert (car.sets[0].first_lap, len(car.stops()) + car.stops_unseen()) == (3, 0)
    car.visits.append(PitVisit(lap=19, in_ms=1_000, out_ms=30_000))
    change = TyreChange(session_time_ms=0, driver_number="4", lap=20, compound="HARD", tyre_life=0, fresh=True)
    car.fit_tyres(change, racing=True)
    car.update_tyres("HARD", 1, 22)
    assert (car.sets[1].first_lap, len(car.stops()) + car.stops_unseen()) == (22, 1)
