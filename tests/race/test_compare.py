"""Laps on a common axis: a car at an even pace, and the 2025 Australian Grand Prix with its official times."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, pairwise
from statistics import median

import numpy as np
import pytest

from f1stream.race.compare import Driven, Samples, TooFewSamplesError, compare, resample, speed_length
from f1stream.race.line import ReferenceLine
from f1stream.sources.session import Session
from models import Lap, Track
from tests.support.figures import figures

LENGTH_M = 2 * math.pi * 600
CIRCLE = [(6000 * math.cos(2 * math.pi * i / 720), 6000 * math.sin(2 * math.pi * i / 720)) for i in range(720)]
MARGIN_MS = 1_500


def driven(lap_ms: int, start_ms: int = 0, clock_ms: int = 0, every_ms: int = 200) -> Driven:
    """A lap of a circle at an even pace. ``clock_ms``: how far the positions' clock is ahead of the timing's."""
    t = np.arange(start_ms - MARGIN_MS, start_ms + lap_ms + MARGIN_MS, every_ms)
    angle = 2 * np.pi * (t - start_ms) / lap_ms
    n = len(t)
    samples = Samples(
        t=t + clock_ms, x=6000 * np.cos(angle), y=6000 * np.sin(angle), speed=np.full(n, LENGTH_M / lap_ms * 3600),
        throttle=np.full(n, 104), brake=np.arange(n) % 2, gear=np.arange(n) % 9, drs=np.zeros(n),
    )  # fmt: skip
    return Driven(samples, start_ms, start_ms + lap_ms)


def test_at_an_even_pace_the_difference_grows_evenly() -> None:
    found = compare(driven(60_000), driven(63_000, start_ms=70_000), ReferenceLine(CIRCLE))
    expected = found.distance_m / found.distance_m[-1] * 3_000
    assert np.abs(found.delta_ms - expected).max() < 15
    assert (found.delta_ms[0], found.delta_ms[-1]) == (0, 3_000)
    assert found.distance_m[-1] == pytest.approx(LENGTH_M, rel=1e-3)
    assert np.diff(found.distance_m) == pytest.approx(5.0, abs=0.01)


def test_a_clock_that_is_ahead_makes_no_difference() -> None:
    line = ReferenceLine(CIRCLE)
    right, ahead = (compare(driven(60_000), driven(61_000, clock_ms=ms), line) for ms in (0, 400))
    assert np.abs(right.delta_ms - ahead.delta_ms).max() < 15


def test_an_unknown_position_bends_nothing() -> None:
    """The feed sends (0, 0). The circle is moved so that this is beside its line, near the finish."""
    moved = ReferenceLine([(x - 6000, y) for x, y in CIRCLE])
    laps = [driven(90_000), driven(91_000)]
    for lap in laps:
        lap.samples.x[:] -= 6000
    plain = compare(*laps, moved)
    lost = laps[1].samples
    lost.x[40] = lost.y[40] = 0
    assert compare(*laps, moved).delta_ms == pytest.approx(plain.delta_ms, abs=30)


def test_without_a_line_speeds_are_the_axis() -> None:
    found = compare(driven(60_000), driven(61_000), None)
    assert found.distance_m[-1] == pytest.approx(LENGTH_M, rel=1e-3)
    assert np.abs(found.delta_ms - found.distance_m / found.distance_m[-1] * 1_000).max() < 5
    assert speed_length(driven(60_000)) == pytest.approx(LENGTH_M, rel=1e-3)


def test_a_lap_against_itself_is_no_difference_and_two_the_other_way_round_are_its_negative() -> None:
    line, a, b = ReferenceLine(CIRCLE), driven(60_000), driven(61_300)
    assert not compare(a, a, line).delta_ms.any()
    np.testing.assert_array_equal(compare(a, b, line).delta_ms, -compare(b, a, line).delta_ms)


def test_no_data_for_the_throttle_is_no_more_than_full_and_steps_stay_steps() -> None:
    axis = np.linspace(0.0, LENGTH_M, 100)
    found = resample(driven(60_000), axis, ReferenceLine(CIRCLE))
    assert found.throttle.max() == 100
    assert set(found.gear.tolist()) <= set(range(9))
    assert set(found.brake.tolist()) == {0, 1}


def test_a_car_that_stands_has_left_a_place_when_it_last_was_there() -> None:
    lap = driven(60_000)
    stands = (lap.samples.t >= 30_000) & (lap.samples.t < 30_200)
    at = int(np.flatnonzero(stands)[0])
    # It stops for ten seconds where it was after 30 s.
    columns = {}
    for name, column in lap.samples._asdict().items():
        waiting = np.full(50, 0.0 if name == "speed" else column[at])
        columns[name] = np.concatenate([column[: at + 1], waiting, column[at + 1 :]])
    columns["t"] = np.concatenate(
        [lap.samples.t[: at + 1], 30_000 + 200 * np.arange(1, 51), lap.samples.t[at + 1 :] + 10_000]
    )
    waited = Driven(Samples(**columns), 0, 70_000)
    found = compare(lap, waited, ReferenceLine(CIRCLE))
    half = len(found.distance_m) // 2
    # It reaches its speed at once, so speeds and positions differ by some metres on where it stopped.
    assert abs(found.delta_ms[half - 10]) < 400
    assert abs(found.delta_ms[half + 10] - 10_000) < 400
    assert found.delta_ms[-1] == 10_000


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lap: replace(lap, samples=Samples(*(column[:0] for column in lap.samples))), "only 0 samples"),
        (lambda lap: replace(lap, end_ms=lap.start_ms + 3_000), "only 15 samples"),
        (lambda lap: replace(lap, samples=lap.samples._replace(speed=lap.samples.speed * 0)), "did not move"),
    ],
)
def test_a_lap_that_cannot_be_compared_says_why(change, why: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TooFewSamplesError, match=why):
        compare(driven(60_000), change(driven(60_000)), ReferenceLine(CIRCLE))


def test_speeds_of_no_circuit_are_refused() -> None:
    fast = driven(60_000)
    fast = replace(fast, samples=fast.samples._replace(speed=fast.samples.speed * 9))
    with pytest.raises(TooFewSamplesError, match="longer than any circuit"):
        compare(fast, fast, None)


# -- a recorded race ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line(aus_session: Session) -> ReferenceLine:
    (track,) = (message for message in aus_session.messages if isinstance(message, Track))
    return ReferenceLine(track.outline)


def recorded(session: Session, lap: Lap) -> Driven:
    assert lap.lap_time_ms is not None
    columns = session.telemetry[lap.driver_number]
    start = lap.end_ms - lap.lap_time_ms
    t = columns["session_time_ms"]
    cut = slice(*np.searchsorted(t, [start - MARGIN_MS, lap.end_ms + MARGIN_MS]))
    known = {"t": t[cut], **{name: columns[name][cut] for name in Samples._fields if name not in {"t", "drs"}}}
    return Driven(Samples(drs=np.zeros(len(t[cut])), **known), start, lap.end_ms)


@pytest.fixture(scope="module")
def pairs(aus_session: Session) -> list[tuple[Lap, Lap]]:
    """Every fourth lap of four cars, against each other: laps with every time official, in and out laps left out."""
    laps = [
        lap
        for lap in aus_session.laps
        if lap.driver_number in {"4", "1", "63", "23"} and lap.lap_number % 4 == 0 and lap.pit_in_ms is None
        and lap.pit_out_ms is None and None not in (lap.lap_time_ms, lap.sector1_ms, lap.sector2_ms, lap.sector3_ms)
    ]  # fmt: skip
    return [(a, b) for a, b in combinations(laps, 2) if a.lap_number == b.lap_number]


def test_the_difference_at_the_line_is_that_of_the_official_lap_times(
    aus_session: Session, line: ReferenceLine, pairs: list[tuple[Lap, Lap]]
) -> None:
    assert len(pairs) > 30
    errors = []
    for a, b in pairs:
        found = compare(recorded(aus_session, a), recorded(aus_session, b), line)
        assert a.lap_time_ms is not None
        assert b.lap_time_ms is not None
        errors.append(abs(found.delta_ms[-1] - (b.lap_time_ms - a.lap_time_ms)))
        assert all(earlier <= later for earlier, later in pairwise(found.a.time_ms)), "time never falls"
    figures.append(f"compare: {len(pairs)} pairs of laps, at the line off by at most {max(errors):.3f} ms")
    assert max(errors) < 0.001


@pytest.mark.parametrize(
    ("a", "b"), [(("4", 43), ("1", 43)), (("63", 30), ("81", 30)), (("4", 57), ("1", 57)), (("4", 28), ("1", 28))]
)
def test_the_difference_of_two_laps_does_not_jump(
    aus_session: Session, line: ReferenceLine, a: tuple[str, int], b: tuple[str, int]
) -> None:
    by_number = {(lap.driver_number, lap.lap_number): lap for lap in aus_session.laps}
    first, second = by_number[a], by_number[b]
    found = compare(recorded(aus_session, first), recorded(aus_session, second), line)
    steps = np.abs(np.diff(found.delta_ms))
    figures.append(f"compare {a} with {b}: the difference changes by at most {steps.max():.0f} ms within 5 m")
    assert steps.max() <= 40
    assert first.lap_time_ms is not None
    assert second.lap_time_ms is not None
    assert found.delta_ms[-1] == pytest.approx(second.lap_time_ms - first.lap_time_ms, abs=0.001)


@pytest.mark.parametrize("with_line", [True, False], ids=["line", "speeds"])
def test_the_difference_at_the_ends_of_sectors_is_near_that_of_the_official_sector_times(
    aus_session: Session, line: ReferenceLine, pairs: list[tuple[Lap, Lap]], with_line: bool
) -> None:
    errors: dict[int, list[float]] = {1: [], 2: []}
    for a, b in pairs:
        found = compare(recorded(aus_session, a), recorded(aus_session, b), line if with_line else None)
        passed = {1: (a.sector1_ms, b.sector1_ms)}
        passed[2] = tuple(one + two for one, two in zip(passed[1], (a.sector2_ms, b.sector2_ms), strict=True))  # type: ignore[operator, assignment]
        for sector, (first, second) in passed.items():
            assert first is not None
            assert second is not None
            where = np.interp(first, found.a.time_ms, found.distance_m)
            shown = np.interp(where, found.distance_m, found.delta_ms)
            errors[sector].append(abs(shown - (second - first)))
    for sector, off in errors.items():
        figures.append(
            f"compare by {'line' if with_line else 'speeds'}, end of sector {sector}: off by {median(off):.0f} ms"
            f" (median), {np.quantile(off, 0.9):.0f} ms (90 %), {max(off):.0f} ms (at most) of {len(off)} pairs"
        )
        assert median(off) < (60 if with_line else 150)
