from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from f1stream.sources.session import Session, SourceError
from f1stream.sources.simulator import SimOptions, Truth, simulate
from f1stream.sources.simulator.circuit import circuit
from models import Entries, Packet, SessionInfo, Track
from models.message import (
    LapCount,
    PitIn,
    PitOut,
    RaceControl,
    Retirement,
    SectorTime,
    SessionStatus,
    TrackStatus,
    TyreChange,
)
from models.packet import COLUMNS


@pytest.fixture(scope="module")
def sprint() -> Session:
    return simulate(seed=4, cars=8, laps=6)


@pytest.fixture(scope="module")
def race() -> Session:
    return simulate(seed=2, cars=10, laps=15)


@pytest.fixture(scope="module", params=["sprint", "race"])
def session(request: pytest.FixtureRequest) -> Session:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Session)
    return found


def truth_of(session: Session) -> Truth:
    assert isinstance(session.truth, Truth)
    return session.truth


def messages_of(session: Session, kind: type) -> list:
    return [message for message in session.messages if isinstance(message, kind)]


def texts(session: Session) -> str:
    return "\n".join(message.message for message in messages_of(session, RaceControl))


def rows_of(truth: Truth, begin_ms: float, end_ms: float) -> slice:
    """Rows of the trace between two session times."""
    begin, end = ((ms - truth.start_ms) / 1000 - truth.trace.begin_s for ms in (begin_ms, end_ms))
    return slice(round(begin / 0.1), round(end / 0.1))


# Options


def test_options_default_to_a_full_race() -> None:
    assert SimOptions.parse("") == SimOptions(cars=22, laps=57, seed=1, sessions=1)


def test_options_are_read_by_name() -> None:
    assert SimOptions.parse("cars=20, laps=5,seed=3,sessions=5") == SimOptions(20, 5, 3, 5)


@pytest.mark.parametrize(
    "text", ["wheels=4", "cars", "cars=", "cars=many", "cars=0", "cars=41", "laps=201", "sessions=0", "laps=5,laps=6"]
)
def test_a_bad_option_is_one_sentence(text: str) -> None:
    with pytest.raises(SourceError, match=r"^The simulator.*\.$"):
        SimOptions.parse(text)


# The session


def test_the_same_seed_makes_the_same_session(sprint: Session) -> None:
    again = simulate(seed=4, cars=8, laps=6)
    assert again.messages == sprint.messages
    assert again.laps == sprint.laps
    for number, columns in sprint.telemetry.items():
        for name, column in columns.items():
            assert (again.telemetry[number][name] == column).all(), (number, name)


def test_another_seed_makes_another_session(sprint: Session) -> None:
    other = simulate(seed=5, cars=8, laps=6)
    assert other.session_key == "sim-5"
    assert other.laps != sprint.laps


def test_a_shifted_utc_origin_leaves_the_session_clock_alone(sprint: Session) -> None:
    shifted = simulate(seed=4, cars=8, laps=6, t0_utc_ms=sprint.t0_utc_ms + 5_000)
    assert shifted.t0_utc_ms == sprint.t0_utc_ms + 5_000
    assert [lap.end_ms for lap in shifted.laps] == [lap.end_ms for lap in sprint.laps]


def test_messages_begin_with_session_entries_and_track_and_are_in_order(session: Session) -> None:
    assert [type(message) for message in session.messages[:3]] == [SessionInfo, Entries, Track]
    info = session.messages[0]
    assert isinstance(info, SessionInfo)
    assert info.simulated
    assert info.session_time_ms == info.start_ms == session.start_ms - 20_000
    times = [message.session_time_ms for message in session.messages]
    assert times == sorted(times)
    assert times[-1] <= session.end_ms


def test_entries_are_the_grid(session: Session) -> None:
    (entries,) = messages_of(session, Entries)
    truth = truth_of(session)
    assert [entry.driver_number for entry in entries.entries] == truth.grid == list(session.telemetry)
    assert [entry.driver_number for entry in entries.entries if entry.pit_lane_start] == truth.pit_lane_start
    assert len(truth.pit_lane_start) == 1
    assert len({entry.tla for entry in entries.entries}) == len(entries.entries)
    assert max(Counter(entry.team for entry in entries.entries).values()) == 2


def test_the_largest_field_has_distinct_drivers_and_colours() -> None:
    (entries,) = messages_of(simulate(seed=1, cars=40, laps=1), Entries)
    assert len({entry.tla for entry in entries.entries}) == 40
    assert len({entry.driver_number for entry in entries.entries}) == 40
    assert len({(entry.team, entry.team_color) for entry in entries.entries}) == 20
    assert len({entry.team_color for entry in entries.entries}) == 20


def test_one_car_alone_finishes_one_lap() -> None:
    alone = simulate(seed=1, cars=1, laps=1)
    assert [lap.lap_number for lap in alone.laps] == [1]
    assert truth_of(alone).order == truth_of(alone).grid


def test_the_track_is_a_closed_line_that_does_not_touch_itself(sprint: Session) -> None:
    (track,) = messages_of(sprint, Track)
    points = np.array(track.outline)
    steps = np.hypot(*(np.roll(points, -1, axis=0) - points).T) / 10
    assert 4_900 < steps.sum() < 5_300
    assert steps.max() < 12
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) / 10
    along = np.abs(np.subtract.outer(np.arange(len(points)), np.arange(len(points))))
    along = np.minimum(along, len(points) - along)
    assert apart[along * 8 > 150].min() > 60
    assert len(track.corners) >= 10
    assert [number for number, *_ in track.marshal_sectors] == list(range(1, 21))
    assert track.marshal_sectors[0][1:] == track.outline[0]
    assert {(x, y) for _, x, y in track.marshal_sectors[::2]} <= set(track.outline), "every 512 m"


# Telemetry


def test_any_slice_of_samples_is_a_valid_packet(sprint: Session) -> None:
    for number, columns in sprint.telemetry.items():
        assert set(columns) == set(COLUMNS) - {"status"}
        for begin in range(0, len(columns["session_time_ms"]), 700):
            part = {name: column[begin : begin + 700].tolist() for name, column in columns.items()}
            packet = Packet(
                driver_number=number, until_ms=sprint.end_ms, **part
            )  # fmt: skip
            assert packet.drs is not None
            assert set(packet.drs) == {None}


def test_samples_come_irregularly_about_seven_times_a_second(session: Session) -> None:
    longest = 0
    for columns in session.telemetry.values():
        steps = np.diff(columns["session_time_ms"])
        assert steps.min() > 0
        assert 110 < np.median(steps) < 150
        longest = max(longest, int(steps.max()))
        assert columns["session_time_ms"][0] < session.start_ms - 29_000
        assert columns["session_time_ms"][-1] <= session.end_ms
    assert 600 < longest < 1_300


def test_the_position_at_a_crossing_is_on_the_finish_line(session: Session) -> None:
    truth = truth_of(session)
    (track,) = messages_of(session, Track)
    finish, after = np.array(track.outline[0]), np.array(track.outline[1])
    forward = (after - finish) / np.hypot(*(after - finish))
    for number, ends in truth.lap_end_ms.items():
        columns = session.telemetry[number]
        away = [
            np.interp(ends, columns["session_time_ms"], columns[axis]) - origin
            for axis, origin in zip("xy", finish, strict=True)
        ]
        along = (away[0] * forward[0] + away[1] * forward[1]) / 10
        beside = np.abs(away[0] * forward[1] - away[1] * forward[0]) / 10
        assert np.abs(along).max() < 4
        assert beside.max() < 20


def test_in_the_pit_lane_a_car_crosses_the_extended_finish_line(race: Session) -> None:
    truth = truth_of(race)
    (track,) = messages_of(race, Track)
    finish = np.array(track.outline[0])
    stop = truth.stops[0]
    columns = race.telemetry[stop.driver_number]
    end = truth.lap_end_ms[stop.driver_number][stop.lap - 1]
    x, y = (np.interp(end, columns["session_time_ms"], columns[axis]) for axis in "xy")
    assert 12 < np.hypot(x - finish[0], y - finish[1]) / 10 < 18
    assert stop.pit_in_ms < end < stop.pit_out_ms


def test_speed_is_the_derivative_of_progress(session: Session) -> None:
    truth = truth_of(session)
    for number, columns in session.telemetry.items():
        times, speed = columns["session_time_ms"], columns["speed"]
        moved = truth.progress_m(number, times + 10) - truth.progress_m(number, times - 10)
        inside = times + 10 < session.end_ms
        error = speed - moved / 0.02 * 3.6
        assert np.abs(error[inside]).mean() < 0.5
        assert np.percentile(np.abs(error[inside]), 99.9) < 3


def test_positions_move_as_fast_as_the_speed_says(sprint: Session) -> None:
    (leader, *_) = truth_of(sprint).order
    columns = sprint.telemetry[leader]
    window = slice(2_000, 2_600)
    moved = np.hypot(np.diff(columns["x"][window][::10]), np.diff(columns["y"][window][::10])).sum() / 10
    seconds = np.diff(columns["session_time_ms"][window]) / 1000
    driven = (columns["speed"][window][1:] / 3.6 * seconds).sum()
    assert moved == pytest.approx(driven, rel=0.04)


def test_a_lap_is_slow_in_corners_and_fast_on_straights(sprint: Session) -> None:
    (leader, *_) = truth_of(sprint).order
    columns = sprint.telemetry[leader]
    lap = columns["speed"][columns["lap"] == 6]
    assert 60 < lap.min() < 110
    assert 290 < lap.max() < 340


def test_cars_stand_on_the_grid_behind_the_line_and_one_in_the_pit_lane(session: Session) -> None:
    truth = truth_of(session)
    for place, number in enumerate(truth.grid, 1):
        columns = session.telemetry[number]
        before = columns["session_time_ms"] < session.start_ms
        assert not columns["speed"][before].any()
        if number in truth.pit_lane_start:
            assert truth.start_progress_m[number] > 0
        else:
            assert truth.start_progress_m[number] == -8 * place


def test_lap_and_distance_belong_to_the_true_laps(sprint: Session) -> None:
    truth = truth_of(sprint)
    for number, ends in truth.lap_end_ms.items():
        columns = sprint.telemetry[number]
        assert (columns["lap"] == 1 + np.searchsorted(ends, columns["session_time_ms"])).all()
        assert columns["distance"].min() >= 0
        assert columns["distance"].max() <= truth.track_length_m + 8 * len(truth.grid)


def test_the_car_ahead_is_ahead_by_the_published_distance(sprint: Session) -> None:
    truth = truth_of(sprint)
    second = truth.order_by_lap[2][1]
    columns = sprint.telemetry[second]
    rows = range(1_000, 2_000, 100)
    for row in rows:
        ahead, at = columns["driver_ahead"][row], columns["session_time_ms"][row]
        if ahead is None:
            continue
        apart = truth.progress_m(ahead, [at])[0] - truth.progress_m(second, [at])[0]
        assert columns["distance_to_driver_ahead"][row] == pytest.approx(max(apart, 0), abs=0.02)


# Laps and truth


def test_laps_agree_with_the_truth(session: Session) -> None:
    truth = truth_of(session)
    ends = [lap.end_ms for lap in session.laps]
    assert ends == sorted(ends)
    assert len(session.laps) == sum(len(each) for each in truth.lap_end_ms.values())
    for lap in session.laps:
        number, index = lap.driver_number, lap.lap_number - 1
        assert lap.end_ms == round(truth.lap_end_ms[number][index])
        assert lap.sector1_end_ms == round(truth.sector1_end_ms[number][index])
        assert lap.sector2_end_ms == round(truth.sector2_end_ms[number][index])
        assert lap.position == truth.order_by_lap[index].index(number) + 1
        assert lap.start_ms is not None
        assert lap.lap_time_ms == lap.end_ms - lap.start_ms
        if lap.lap_number > 1:
            assert lap.lap_time_ms == (lap.sector1_ms or 0) + (lap.sector2_ms or 0) + (lap.sector3_ms or 0)


def test_a_lap_ends_after_a_whole_lap_of_progress(session: Session) -> None:
    truth = truth_of(session)
    for number, ends in truth.lap_end_ms.items():
        laps = truth.progress_m(number, ends) / truth.track_length_m
        assert laps == pytest.approx(np.arange(1, len(ends) + 1), abs=1e-6)


def test_the_gap_to_the_leader_is_a_difference_of_crossings(session: Session) -> None:
    truth = truth_of(session)
    first, second = truth.order_by_lap[1][:2]
    assert truth.gap_ms(first, 2) == 0
    assert truth.gap_ms(second, 2) == truth.lap_end_ms[second][1] - truth.lap_end_ms[first][1] > 0
    with pytest.raises(KeyError):
        truth.gap_ms(first, 99)


def test_the_order_at_the_flag_is_by_laps_then_time_and_retired_cars_last(session: Session) -> None:
    truth = truth_of(session)
    finishers = truth.order[: len(truth.finish_ms)]
    assert set(finishers) == set(truth.finish_ms)
    keys = [(-len(truth.lap_end_ms[number]), truth.finish_ms[number]) for number in finishers]
    assert keys == sorted(keys)
    assert {loss.driver_number for loss in truth.retirements} == set(truth.order) - set(finishers)
    flag = truth.finish_ms[truth.order[0]]
    assert len(truth.lap_end_ms[truth.order[0]]) == truth.laps
    assert all(end >= flag for end in truth.finish_ms.values())


def test_the_truth_is_plain_json(session: Session) -> None:
    plain = truth_of(session).to_json()
    assert "trace" not in plain
    assert plain["stops"][0]["old_compound"] != plain["stops"][0]["new_compound"]
    assert simulate(seed=1, cars=1, laps=1).truth.to_json()["stops"] == []


# Stops and tyres


def test_published_stops_are_the_true_stops(session: Session) -> None:
    truth = truth_of(session)
    came_in = {(pit_in.driver_number, pit_in.lap): pit_in.session_time_ms for pit_in in messages_of(session, PitIn)}
    left = {(out.driver_number, out.lap): out.session_time_ms for out in messages_of(session, PitOut)}
    changes = {(change.driver_number, change.lap): change for change in messages_of(session, TyreChange)}
    laps = {(lap.driver_number, lap.lap_number): lap for lap in session.laps}
    for stop in truth.stops:
        assert came_in[stop.driver_number, stop.lap] == round(stop.pit_in_ms)
        assert left[stop.driver_number, stop.lap + 1] == round(stop.pit_out_ms)
        change = changes[stop.driver_number, stop.lap + 1]
        assert change.session_time_ms == round(stop.pit_out_ms)
        assert change.compound == stop.new_compound
        assert 2_000 <= stop.stationary_ms <= 4_000
        assert stop.pit_out_ms - stop.pit_in_ms > 25_000 + stop.stationary_ms
        assert laps[stop.driver_number, stop.lap].pit_in_ms == round(stop.pit_in_ms)
        assert laps[stop.driver_number, stop.lap].compound == stop.old_compound
        out_lap = laps[stop.driver_number, stop.lap + 1]
        assert out_lap.pit_out_ms == round(stop.pit_out_ms)
        assert out_lap.compound == stop.new_compound
    fitted = len(truth.grid) + len(truth.stops) + len(truth.suspension_tyre_changes)
    assert len(changes) == fitted


def test_most_cars_stop_even_in_a_short_race(sprint: Session) -> None:
    truth = truth_of(sprint)
    assert len({stop.driver_number for stop in truth.stops}) >= len(truth.grid) - len(truth.retirements) - 1


def test_nobody_speeds_in_the_pit_lane(session: Session) -> None:
    truth = truth_of(session)
    for stop in truth.stops:
        times = np.arange(stop.pit_in_ms, stop.pit_out_ms, 20.0)
        assert truth.speed_kmh(stop.driver_number, times).max() <= 80


def test_tyre_life_counts_the_laps_of_a_set(session: Session) -> None:
    for number in truth_of(session).grid:
        own = [lap for lap in session.laps if lap.driver_number == number]
        for before, after in pairwise(own):
            if after.stint == before.stint:
                assert (after.compound, after.tyre_life) == (before.compound, (before.tyre_life or 0) + 1)
            else:
                assert after.stint == (before.stint or 0) + 1
                assert before.pit_in_ms is not None
                assert after.pit_out_ms is not None


def test_tyres_changed_under_the_red_flag_are_no_stops(race: Session) -> None:
    truth = truth_of(race)
    (red,) = [period for period in truth.periods if period.kind == "red flag"]
    assert truth.suspension_tyre_changes
    for change in truth.suspension_tyre_changes:
        assert red.begin_ms < change.pit_in_ms < red.end_ms < change.pit_out_ms
    assert not any(red.begin_ms < stop.pit_in_ms < red.end_ms for stop in truth.stops)


# Events of a race


def test_everything_happens_in_a_race_of_fifteen_laps(race: Session) -> None:
    truth = truth_of(race)
    kinds = Counter(type(message).__name__ for message in race.messages)
    assert {"Weather", "LapCount", "PitIn", "PitOut", "TyreChange", "SectorTime", "Retirement"} <= set(kinds)
    assert {status.status for status in messages_of(race, TrackStatus)} == set("124567")
    assert [status.status for status in messages_of(race, SessionStatus)] == [
        "Inactive", "Started", "Aborted", "Started", "Finished", "Finalised", "Ends",
    ]  # fmt: skip
    kinds_of_period = [period.kind for period in truth.periods]
    assert kinds_of_period == ["virtual safety car", "red flag", "safety car", "safety car"]
    for text in (
        "SAFETY CAR DEPLOYED", "SAFETY CAR IN THIS LAP", "VSC DEPLOYED", "VSC ENDING", "RED FLAG", "BLUE FLAG",
        "MAY NOW OVERTAKE", "STOPPED", "CHEQUERED FLAG", "DOUBLE YELLOW", "TRACK CLEAR",
    ):  # fmt: skip
        assert text in texts(race), text
    assert len(truth.retirements) == 2


def test_a_sprint_has_a_virtual_safety_car_and_a_retirement(sprint: Session) -> None:
    truth = truth_of(sprint)
    assert [period.kind for period in truth.periods] == ["virtual safety car"]
    assert len(truth.retirements) == 1


def test_a_retirement_is_published_ten_seconds_after_the_car_stopped(session: Session) -> None:
    truth = truth_of(session)
    when = {message.driver_number: message.session_time_ms for message in messages_of(session, Retirement)}
    assert when == {loss.driver_number: round(loss.stopped_ms) + 10_000 for loss in truth.retirements}
    for loss in truth.retirements:
        assert session.telemetry[loss.driver_number]["speed"][-1] == 0


def test_the_leader_starts_each_lap_once(session: Session) -> None:
    truth = truth_of(session)
    counts = messages_of(session, LapCount)
    assert [count.lap for count in counts] == list(range(1, truth.laps + 1))
    assert counts[0].session_time_ms == session.start_ms
    assert counts[2].session_time_ms == round(truth.lap_end_ms[truth.order_by_lap[1][0]][1])


def test_every_completed_lap_has_three_sectors(session: Session) -> None:
    sectors = Counter((time.driver_number, time.lap) for time in messages_of(session, SectorTime))
    for lap in session.laps:
        assert sectors[lap.driver_number, lap.lap_number] == 3


def test_the_virtual_safety_car_slows_everyone_by_the_same_factor(race: Session) -> None:
    truth = truth_of(race)
    vsc = next(period for period in truth.periods if period.kind == "virtual safety car")
    lost = {loss.driver_number for loss in truth.retirements}
    rows = rows_of(truth, vsc.begin_ms + 8_000, vsc.end_ms - 1_000)
    for car, number in enumerate(truth.grid):
        place = truth.trace.progress[rows, car] % truth.track_length_m
        rate = truth.trace.speed[rows, car] / circuit().at(circuit().speed, place)
        if number not in lost and not any(vsc.begin_ms < stop.pit_out_ms < vsc.end_ms for stop in truth.stops):
            assert 0.59 < rate.mean() < 0.65


def test_nobody_overtakes_behind_the_safety_car_but_lapped_cars(race: Session) -> None:
    truth = truth_of(race)
    safety = [period for period in truth.periods if period.kind == "safety car"]
    lost = {loss.driver_number for loss in truth.retirements}
    for period in safety:
        # A car from the pits can lose places; cars that are past the next line keep their order there.
        inside = {stop.driver_number for stop in truth.stops if stop.pit_out_ms > period.begin_ms - 20_000}
        inside &= {stop.driver_number for stop in truth.stops if stop.pit_in_ms < period.end_ms + 5_000}
        cars = [car for car, number in enumerate(truth.grid) if number not in inside | lost]
        progress = truth.trace.progress[rows_of(truth, period.begin_ms + 30_000, period.end_ms)][:, cars]
        before, after = np.argsort(-progress[0]), np.argsort(-progress[-1])
        assert before.tolist() == after.tolist()


def test_the_safety_car_bunches_the_field(race: Session) -> None:
    truth = truth_of(race)
    period = truth.periods[-1]
    lap = len([end for end in truth.lap_end_ms[truth.order[0]] if end <= period.end_ms])
    gaps = [truth.gap_ms(number, lap) for number in truth.order_by_lap[lap - 1]]
    assert np.median(gaps) < 10_000


def test_cars_wait_in_the_pit_lane_while_the_race_is_suspended(race: Session) -> None:
    truth = truth_of(race)
    (red,) = [period for period in truth.periods if period.kind == "red flag"]
    at = red.end_ms - 100.0
    lost = {loss.driver_number for loss in truth.retirements if loss.stopped_ms < at}
    waiting = [number for number in truth.grid if number not in lost]
    assert all(truth.speed_kmh(number, [at])[0] == 0 for number in waiting)
    places = [truth.progress_m(number, [at])[0] % truth.track_length_m for number in waiting]
    assert all(0 < place < 240 for place in places)
    assert len({round(place) for place in places}) == len(waiting)


def test_in_a_full_race_somebody_is_lapped() -> None:
    truth = truth_of(simulate(seed=7, cars=8, laps=57))
    laps = [len(truth.lap_end_ms[number]) for number in truth.finish_ms]
    assert max(laps) == 57
    assert min(laps) < 57
    assert any(loss.in_pits for loss in truth.retirements)
