"""The Miami sprint of 2025 from its timing alone: an aborted start, a drying track, a safety car to the flag."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path

import pytest

from f1stream.race.order import rank
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.parser.merge import indexed
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from tests.support.figures import figures
from tests.support.pipeline import Run, run

FROZEN = "livetiming_frozen"
SPRINT = "2025-05-04_Miami__2025-05-03_Sprint"


@pytest.fixture(scope="module")
def parsed(recordings: Path) -> tuple[Session, ParseCounts]:
    return as_session(open_recording(recordings / FROZEN / SPRINT), "recording:miami")


@pytest.fixture(scope="module")
def raced(parsed: tuple[Session, ParseCounts]) -> Run:
    return run(parsed[0], 3_000)


def test_the_result_includes_the_penalty_that_the_times_at_the_flag_lack(raced: Run) -> None:
    """VER was 4th at the flag and was given ten seconds, behind the safety car."""
    race = raced.race.race
    assert race is not None
    positions = {number: car.timing.position for number, car in race.cars.items() if car.timing is not None}
    assert race.order == sorted(positions, key=lambda number: positions[number] or 99)
    assert race.order.index("1") + 1 == 17
    assert [car.number for car in rank(race.cars.values())].index("1") + 1 == 4
    assert race.put_back == ["1"]


def test_gaps_made_of_laps_are_the_official_ones(raced: Run) -> None:
    race = raced.race.race
    assert race is not None
    apart = [
        abs(gap - car.timing.gap_ms)
        for number, car in race.cars.items()
        if number != "1" and car.finished and car.timing is not None and car.timing.gap_ms is not None
        and (gap := race.gaps[number].ms) is not None
    ]  # fmt: skip
    assert len(apart) == 15
    assert max(apart) <= 50


def test_between_the_finish_lines_gaps_are_measured_at_mini_sectors(raced: Run) -> None:
    """Compared with the feed's own whenever it sent one, including stops, flags and the safety car."""
    apart = sorted(abs(error) for error in raced.gap_errors)
    middle, most = apart[len(apart) // 2], apart[len(apart) * 3 // 4]
    figures.append(
        f"gaps without positions: {middle} ms (median), {most} ms (75 %) from the feed's own, {len(apart):,} times"
    )
    assert len(apart) > 7_000
    assert middle < 250


def test_mini_sectors_are_the_feeds_own_at_every_frame(recordings: Path, raced: Run) -> None:
    """Compared with the feed's segments, merged here separately."""
    marks = {0: "-", 2048: "y", 2049: "g", 2051: "p"}
    segments: dict[str, dict[tuple[int, int], int]] = {}
    shown: dict[str, str] = {}
    feed = list(open_recording(recordings / FROZEN / SPRINT))
    waiting = deque((m.sent_ms - feed[0].sent_ms, m.data) for m in feed if m.topic == "TimingData")
    key: dict[str, str] = {}
    colours: Counter[str] = Counter()
    for frame in raced.frames:
        while waiting and waiting[0][0] <= frame.t:
            for number, line in waiting.popleft()[1].get("Lines", {}).items():
                for nth, sector in indexed(line.get("Sectors")):
                    for mini, segment in indexed(sector.get("Segments")):
                        segments.setdefault(number, {})[nth, mini] = segment["Status"]
                of_car = sorted(segments.get(number, {}).items())
                text = "".join(marks.get(code, "-") for _, code in of_car)
                lit = max((n for n, (_, code) in enumerate(of_car, 1) if code), default=0)
                shown[number] = text[:lit]
        sent = {n: car.mini_sectors for n, car in frame.cars.items() if "mini_sectors" in car.model_fields_set}
        key = sent if frame.kind == "key" else key
        assert key | sent == {number: shown.get(number, "") for number in key}, frame.t
        if frame.kind == "key":
            colours.update("".join(sent.values()))
            assert (frame.race.mini_sectors, frame.race.mini_source) == ((9, 9, 8), "feed")
    assert colours["y"] > colours["g"] > colours["p"] > 20
    assert len(raced.frames) > 10_000


def test_visits_before_the_start_are_no_stops_and_every_finisher_made_one(raced: Run) -> None:
    race = raced.race.race
    assert race is not None
    assert {len(car.stops()) for car in race.cars.values() if car.finished} == {1}


def test_a_stint_counter_that_is_ahead_of_the_stops_moves_no_set(
    parsed: tuple[Session, ParseCounts], raced: Run
) -> None:
    """The feed began stint 1 on the grid. NOR, VER: laps before the stop, and after it."""
    race = raced.race.race
    assert race is not None
    for number, stop, compound, life in (("4", 14, "SOFT", 2), ("1", 12, "SOFT", 3), ("55", 11, "MEDIUM", 6)):
        sets = [(one.compound, one.first_lap, one.life_before) for one in race.cars[number].sets]
        assert sets == [("INTERMEDIATE", 1, 0), (compound, stop + 1, life)]
        laps = {lap.lap_number: lap.compound for lap in parsed[0].laps if lap.driver_number == number}
        assert [lap for lap, worn in sorted(laps.items()) if worn == "INTERMEDIATE"] == list(range(1, stop + 1))


def test_a_pass_through_the_pit_lane_that_the_feed_counted_as_a_stop_is_not_a_stop(raced: Run) -> None:
    """ANT found his box blocked on lap 12 and stopped on lap 13; the feed corrected it three laps later."""
    race = raced.race.race
    assert race is not None
    car = race.cars["12"]
    assert [visit.lap for visit in car.visits] == [12, 13]
    assert [visit.lap for visit in car.stops()] == [13]
    assert [(one.compound, one.first_lap) for one in car.sets] == [("INTERMEDIATE", 1), ("MEDIUM", 14)]


def test_a_car_that_did_not_finish_is_retired(raced: Run) -> None:
    race = raced.race.race
    assert race is not None
    assert {number for number, car in race.cars.items() if car.retired} == {"14", "16", "55"}


@pytest.mark.parametrize(
    "name",
    ["2025-03-16_Australian__2025-03-16_Race", "2025-04-13_Bahrain__2025-04-13_Race", SPRINT,
     "2025-07-06_British__2025-07-06_Race", "2026-03-15_Chinese__2026-03-15_Race"],
)  # fmt: skip
def test_all_fields_of_the_small_streams_are_known(recordings: Path, name: str) -> None:
    session, counts = as_session(open_recording(recordings / FROZEN / name), "recording:x")
    assert not counts.damaged
    assert not counts.unknown_topics
    assert not counts.unknown_fields
    entries = next(message for message in session.messages if message.kind == "entries")
    assert len(entries.entries) == (22 if name.startswith("2026") else 20)
