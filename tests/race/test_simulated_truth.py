"""Simulated races, compared with the simulator's truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations

import pytest

from f1stream.race.state import Race
from f1stream.race.timing_points import FINISH
from f1stream.sources.session import Session
from f1stream.sources.simulator import Truth, simulate
from tests.support.figures import figures, median_and_p95
from tests.support.pipeline import Run, run

APART_MS = 150


@dataclass
class Simulated:
    session: Session
    truth: Truth
    measured: Run
    corrected: Run

    @property
    def race(self) -> Race:
        assert self.corrected.race.race is not None
        return self.corrected.race.race


@pytest.fixture(scope="module", params=[(1, 14, 15), (5, 10, 13)], ids=lambda p: "seed {} cars {} laps {}".format(*p))
def simulated(request: pytest.FixtureRequest) -> Simulated:
    seed, cars, laps = request.param
    session = simulate(seed, cars=cars, laps=laps)
    return Simulated(session, session.truth, run(session, 3_000, official=False), run(session, 3_000))


def measured_ends(race: Run) -> dict[int, dict[str, int]]:
    """By lap, when each car was measured at its end."""
    ends: dict[int, dict[str, int]] = {}
    for crossing in race.compared:
        if crossing.point == FINISH:
            ends.setdefault(crossing.lap, {})[crossing.car] = crossing.measured_ms
    return ends


def test_every_lap_is_measured(simulated: Simulated) -> None:
    ends = measured_ends(simulated.measured)
    counted = {car: sum(car in cars for cars in ends.values()) for car in simulated.truth.lap_end_ms}
    assert counted == {car: len(laps) for car, laps in simulated.truth.lap_end_ms.items()}


def test_final_order(simulated: Simulated) -> None:
    assert simulated.race.order == simulated.truth.order
    assert {car.number for car in simulated.race.cars.values() if car.finished} == set(simulated.truth.finish_ms)


def test_measured_order_at_every_lap_end(simulated: Simulated) -> None:
    wrong = []
    for lap, ends in measured_ends(simulated.measured).items():
        for one, other in combinations(ends, 2):
            apart = simulated.truth.lap_end_ms[one][lap - 1] - simulated.truth.lap_end_ms[other][lap - 1]
            if abs(apart) >= APART_MS and (ends[one] - ends[other]) * apart <= 0:
                wrong.append((lap, one, other, apart))
    assert wrong == []


def test_measured_gaps(simulated: Simulated) -> None:
    errors = []
    for lap, ends in measured_ends(simulated.measured).items():
        leader = simulated.truth.order_by_lap[lap - 1][0]
        errors += [
            abs(end - ends[leader] - simulated.truth.gap_ms(car, lap)) for car, end in ends.items() if car != leader
        ]
    p50, p95 = median_and_p95(errors)
    figures.append(
        f"{simulated.session.session_key}: measured gap error at lap ends, pits and standing cars included: "
        f"median {p50:.0f} ms, p95 {p95:.0f} ms, {len(errors)} laps"
    )
    assert p50 <= 40
    assert p95 <= 200


def test_stops_are_those_that_happened_and_none_of_the_suspension(simulated: Simulated) -> None:
    assert simulated.truth.suspension_tyre_changes, "the race was suspended and tyres were changed"
    stops = {car.number: [visit.lap for visit in car.stops()] for car in simulated.race.cars.values()}
    happened: dict[str, list[int]] = {number: [] for number in stops}
    for stop in simulated.truth.stops:
        happened[stop.driver_number].append(stop.lap)
    assert stops == happened


def test_standing_times_of_stops(simulated: Simulated) -> None:
    for stop in simulated.truth.stops:
        visit = next(v for v in simulated.race.cars[stop.driver_number].stops() if v.lap == stop.lap)
        assert visit.out_ms is not None
        assert abs((visit.out_ms - visit.in_ms) - (stop.pit_out_ms - stop.pit_in_ms)) <= 2
        assert abs(visit.stationary_ms - stop.stationary_ms) < 1_500, "samples come every 130 ms, sometimes 1.2 s"


def test_retired_cars_are_retired_and_no_other(simulated: Simulated) -> None:
    retired = {car.number for car in simulated.race.cars.values() if car.retired}
    assert retired == {retirement.driver_number for retirement in simulated.truth.retirements}


def test_pit_lane_starter_is_last_until_it_has_left_the_pits(simulated: Simulated) -> None:
    for number in simulated.truth.pit_lane_start:
        at = [
            frame.cars[number].position
            for frame in simulated.corrected.frames
            if frame.kind == "key" and frame.t <= simulated.truth.start_ms + 10_000
        ]
        assert set(at) == {len(simulated.truth.grid)}


def test_lapped_cars_have_laps_and_the_rest_in_ms(simulated: Simulated) -> None:
    for car in simulated.race.cars.values():
        if car.finished:
            gap = simulated.race.gaps[car.number]
            led = len(simulated.truth.lap_end_ms[simulated.truth.order[0]])
            assert gap.laps == led - len(simulated.truth.lap_end_ms[car.number])
            assert gap.ms is not None


def test_truth_as_a_file_has_order_gaps_and_stops(simulated: Simulated) -> None:
    stored = json.loads(json.dumps(simulated.truth.to_json()))
    assert stored["order"] == simulated.truth.order
    assert {stop["driver_number"] for stop in stored["stops"]} == {s.driver_number for s in simulated.truth.stops}
    for number, gaps in stored["gap_ms"].items():
        ends = stored["lap_end_ms"][number]
        first = [stored["lap_end_ms"][order[0]][lap] for lap, order in enumerate(stored["order_by_lap"])]
        assert gaps == pytest.approx([end - first[lap] for lap, end in enumerate(ends)])
