"""The cost of a pit stop: in small races, and recomputed for the 2025 Australian Grand Prix."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from f1stream.race.car import Car, PitVisit
from f1stream.race.frames import FrameBuilder
from f1stream.race.pit_loss import OF_STATUS, Condition, pit_loss
from f1stream.race.state import Race
from f1stream.sources.session import Session
from tests.support.pipeline import without_samples

LAP = 90_000


def car(number: str, *stops: PitVisit, lost: int = 0, laps: int = 12, slower: int = 0) -> Car:
    """A car with laps of 90 s (and ``slower``) that loses ``lost`` on each out lap."""
    made = Car(number, 0, visits=list(stops))
    at = 0
    for lap in range(1, laps + 1):
        at += LAP + slower + lost * any(stop.lap == lap - 1 for stop in stops)
        made.lap_ends[str(lap)] = at
    return made


def stop(lap: int, *, changed: bool = True, suspended: bool = False, lasts: int = 20_000) -> PitVisit:
    """In at 10 s before the end of ``lap``."""
    at = lap * LAP - 10_000
    return PitVisit(lap, at, at + lasts, changed=changed, suspended=suspended)


def losses(cars: list[Car], *changes: tuple[int, Condition]) -> list[tuple[str, int, int]]:
    return [(each.condition, each.loss_ms, each.stops) for each in pit_loss(cars, changes)]


FIELD = [car("81"), car("1", slower=100), car("63", slower=-100)]


def test_loss_is_against_the_median_of_those_who_stayed_out() -> None:
    assert losses([car("4", stop(5), lost=21_000), *FIELD]) == [("green", 21_000, 1)]
    assert losses([car("4", stop(5), lost=21_000), car("16", stop(7), lost=23_000), *FIELD]) == [("green", 22_000, 2)]


def test_there_is_no_loss_without_a_stop_or_without_other_cars() -> None:
    assert losses(FIELD) == []
    assert losses([car("4", stop(5), lost=21_000)]) == []
    assert (
        losses([car("4", stop(5), lost=21_000), car("81", stop(6), lost=21_000)]) == []
    )  # laps 5, 6: both in the pits


def test_a_stop_counts_once_the_out_lap_is_complete() -> None:
    assert losses([car("4", stop(5), lost=21_000, laps=5), *FIELD]) == []
    assert losses([car("4", stop(5), lost=21_000, laps=6), *FIELD]) == [("green", 21_000, 1)]


def test_cars_that_have_not_got_so_far_are_not_compared() -> None:
    assert losses([car("4", stop(5), lost=21_000), car("81", slower=5_000, laps=5), *FIELD]) == [("green", 21_000, 1)]


def test_stops_are_kept_apart_by_condition_at_the_pit_entry() -> None:
    cars = [car("4", stop(3), lost=21_000), car("16", stop(6), lost=13_000), car("44", stop(9), lost=10_000), *FIELD]
    changes: list[tuple[int, Condition]] = [(450_000, "vsc"), (640_000, "green"), (740_000, "sc")]
    assert losses(cars, *changes) == [("green", 21_000, 1), ("vsc", 13_000, 1), ("sc", 10_000, 1)]


@pytest.mark.parametrize(
    ("why", "visits", "changes"),
    [
        ("lap 1 begins at standstill", [stop(1)], []),
        ("a visit without new tyres is no stop", [stop(5, changed=False)], []),
        ("tyres changed while the race was suspended", [stop(5, suspended=True)], []),
        ("two stops share a lap", [stop(5), stop(6)], []),
        ("red flag on the out lap", [stop(5)], [(500_000, "red")]),
        ("red flag on the in lap, over by the pit entry", [stop(5)], [(370_000, "red"), (400_000, "green")]),
        ("safety car while in the pit lane", [stop(5)], [(450_000, "sc")]),
        ("safety car on the out lap", [stop(5)], [(500_000, "sc")]),
        ("green again while in the pit lane", [stop(5)], [(400_000, "vsc"), (450_000, "green")]),
    ],
)
def test_stops_that_cannot_be_compared_are_left_out(
    why: str, visits: list[PitVisit], changes: list[tuple[int, Condition]]
) -> None:
    assert losses([car("4", *visits, lost=21_000), *FIELD], *changes) == [], why


def test_what_slows_all_before_the_entry_or_after_the_exit_of_a_stop_behind_the_safety_car_counts() -> None:
    field = [car("4", stop(5), lost=9_000), *FIELD]
    assert losses(field, (400_000, "sc"), (500_000, "green")) == [("sc", 9_000, 1)]
    assert losses(field, (300_000, "sc"), (400_000, "green")) == [("green", 9_000, 1)]


def recomputed(archive: Path) -> dict[str, tuple[int, int]]:
    """The same from the archive's own tables, with lap ends of laps.jsonl and the stops of expected.json."""
    laps = pd.read_json(archive / "laps.jsonl", lines=True)
    ends = laps[~laps["FastF1Generated"].astype(bool)].pivot_table(index="LapNumber", columns="Driver", values="Time")
    two_laps = ends.shift(-1) - ends.shift(1)
    through = laps[laps["PitInTime"].notna()].assign(here=1)
    visits = through.pivot_table(index="LapNumber", columns="Driver", values="here").reindex_like(ends).notna()
    near = visits | visits.shift(1, fill_value=False) | visits.shift(-1, fill_value=False)
    others = two_laps.where(~near).median(axis=1)
    status = pd.read_json(archive / "track_status.json", convert_dates=False, dtype={"Status": str})
    condition = status.assign(is_=status["Status"].map(OF_STATUS).fillna("green"))

    def over(begin: float, end: float) -> set[str]:
        return {
            *condition[condition["Time"] <= begin]["is_"].iloc[-1:],
            *condition[condition["Time"].between(begin, end)]["is_"],
        }

    rows = []
    for driver, stops in json.loads((archive / "expected.json").read_text())["pit_lane_visits"].items():
        for visit in (each for each in stops if each["tyre_change"]):
            n, alone = (
                visit["in_lap"],
                not visits[driver].get(visit["in_lap"] - 1) | visits[driver].get(visit["in_lap"] + 1, False),
            )
            held = over(visit["pit_in_ms"], visit["pit_out_ms"])
            if held == {"green"}:
                held = over(visit["pit_in_ms"], ends[driver].get(n + 1, float("inf")))
            if alone and len(held) == 1:
                rows.append((*held, two_laps[driver][n] - others[n]))
    by = pd.DataFrame(rows, columns=["condition", "loss"]).dropna().groupby("condition")["loss"]
    return {str(name): (round(losses.median()), len(losses)) for name, losses in by}


def test_australia_2025(aus_session: Session, archive_path: Path) -> None:
    """In the rain of lap 44 cars on track were slow too; the medians are those usual for Melbourne, 18 to 20 s."""
    race = without_samples(aus_session)
    found = {each.condition: (each.loss_ms, each.stops) for each in race.pit_loss}
    assert found == recomputed(archive_path)
    assert found.keys() == {"green", "sc"}
    assert 17_000 < found["green"][0] < 22_000


def test_only_what_was_known_is_used(aus_session: Session) -> None:
    """The first stops with others to compare are those of lap 33; they count once lap 34 is complete."""
    ends = [lap.end_ms for lap in aus_session.laps if lap.lap_number == 34 and not lap.generated]
    assert without_samples(aus_session, min(ends) - 1).pit_loss == ()
    later = without_samples(aus_session, max(ends))
    assert [each.condition for each in later.pit_loss] == ["sc"]
    assert Race.load(later.dump()) == later


def test_frames_have_the_pit_loss(aus_session: Session) -> None:
    race = without_samples(aus_session)
    assert FrameBuilder(race).frame(race.flag_ms or 0).race.pit_loss == race.pit_loss != ()
