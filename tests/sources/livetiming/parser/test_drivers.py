"""The drivers: as the feed lists them before the start, and later with a notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.live_run import LiveRun
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from f1stream.topics import encode_frames
from models import Entries, Frame, Lap, LapCount, Notice, Packet, RaceControl, SessionHeader, SessionInfo
from models.frame import FRAME_MS
from tests.support import pipeline
from tests.support.feed import DRIVERS, info, run_of_laps, sent, timing
from web.tape import Tape

BEFORE = [sent("SessionInfo", info(1), 0), sent("DriverList", DRIVERS, 1)]
STARTED = sent("SessionStatus", {"Status": "Started"}, 60)
LATE = {"38": {"Tla": "PAR", "FullName": "A PAR", "TeamName": "T", "Line": 3}}


def listed(session: Session) -> list[tuple[int, list[str]]]:
    return [
        (fact.session_time_ms, [entry.tla for entry in fact.entries])
        for fact in session.messages
        if isinstance(fact, Entries)
    ]


def of_recording(*messages: FeedMessage) -> Session:
    return as_session(messages, "x")[0]


def test_before_the_first_time_cars_are_in_the_order_of_the_feeds_first_list() -> None:
    """Not in the order of the result: the feed sends each change of the order in the same list."""
    result = sent("DriverList", {"4": {"Line": 2}, "81": {"Line": 1}}, 3_000)
    assert listed(of_recording(*BEFORE, STARTED, result)) == [(0, ["NOR", "PIA"])]


def test_a_race_is_listed_in_grid_order_as_it_was_at_the_start() -> None:
    grid = sent("TimingAppData", {"Lines": {"4": {"GridPos": "2"}, "81": {"GridPos": "1"}}}, 2)
    later = sent("TimingAppData", {"Lines": {"4": {"GridPos": "1"}, "81": {"GridPos": "2"}}}, 4_000)
    race = [sent("SessionInfo", info(1, "Race", "Race"), 0), BEFORE[1]]
    assert listed(of_recording(*race, grid, STARTED, later)) == [(0, ["PIA", "NOR"])]


def test_a_race_that_is_shortened_begins_with_its_planned_laps() -> None:
    race = [sent("SessionInfo", info(1, "Race", "Race"), 0), BEFORE[1]]
    counts = [
        sent("LapCount", {"CurrentLap": 1, "TotalLaps": 57}, 2),
        sent("LapCount", {"CurrentLap": 2}, 150),
        sent("LapCount", {"TotalLaps": 44}, 5_000),
    ]
    session = of_recording(*race, counts[0], STARTED, *counts[1:])
    assert isinstance(session.messages[0], SessionInfo)
    assert session.messages[0].total_laps == 57
    counted = [(fact.lap, fact.total_laps) for fact in session.messages if isinstance(fact, LapCount)]
    assert counted == [(1, 57), (2, 57), (2, 44)]


@pytest.mark.parametrize(
    "folder",
    ["2021_mexico_qualifying", "2022_british_practice1", "2024_spanish_qualifying", "2025_hungary_qualifying"],
)
def test_the_header_of_a_recording_has_no_later_order(recordings: Path, folder: str) -> None:
    """Everything in the header is the same of a recording that is cut off at the start."""
    path = recordings / "sessions" / folder
    path = path / "recording.jsonl.gz" if (path / "recording.jsonl.gz").is_file() else path
    feed = list(open_recording(path))
    begins = next(
        nth for nth, each in enumerate(feed)
        if each.topic == "SessionStatus" and isinstance(each.data, dict) and each.data.get("Status") == "Started"
    )  # fmt: skip
    whole, cut = as_session(feed, "x")[0], as_session(feed[: begins + 1], "x")[0]
    assert whole.messages[1] == cut.messages[1]
    assert isinstance(whole.messages[0], SessionInfo)
    assert whole.messages[0] == cut.messages[0].model_copy(update={"t0_utc_ms": whole.t0_utc_ms})  # the clock's delay


def test_a_driver_who_is_listed_after_the_start_is_added_with_a_notice() -> None:
    session = of_recording(
        *BEFORE, STARTED, *run_of_laps("4", 70, 2), sent("DriverList", LATE, 400), *run_of_laps("38", 410, 2)
    )
    assert listed(session) == [(0, ["NOR", "PIA"]), (400_000, ["NOR", "PIA", "PAR"])]
    notices = [fact.text for fact in session.messages if isinstance(fact, Notice) and "38" in fact.about]
    assert notices == ["Car 38 (PAR) was listed after the start."]
    assert {lap.driver for lap in session.laps} == {"NOR", "PAR"}


def test_drivers_may_be_listed_and_replaced_until_the_start() -> None:
    replaced = {"4": {"Tla": "DUN", "FullName": "A DUN"}, **LATE}
    session = of_recording(*BEFORE, sent("DriverList", replaced, 30), STARTED)
    assert listed(session) == [(0, ["DUN", "PIA", "PAR"])]


def test_after_the_start_no_driver_is_replaced() -> None:
    session = of_recording(*BEFORE, STARTED, sent("DriverList", {"4": {"Tla": "DUN", "FullName": "A DUN"}}, 300))
    assert listed(session) == [(0, ["NOR", "PIA"])]


def support_race(seconds: float) -> list[FeedMessage]:
    """As the feed sends it: the same list goes on with other drivers under the same numbers."""
    drivers = {
        "4": {"Tla": "BAD", "Line": 1, "_deleted": ["TeamName"]},
        "81": {"Tla": "CAM", "Line": 2},
        "7": {"Tla": "VAN", "Line": 3},
    }
    deleted = {
        "Utc": "2025-09-05T13:08:32",
        "Category": "Other",
        "Message": "CAR 4 (BAD) TIME 1:21.000 DELETED - LIMITS",
    }
    return [
        sent("DriverList", drivers, seconds),
        sent("RaceControlMessages", {"Messages": {"9": deleted}}, seconds + 10),
        sent("TimingData", timing("4", NumberOfLaps=9, LastLapTime={"Value": "2:00.000"}), seconds + 20),
        sent("DriverList", {"11": {"Tla": "INT", "Line": 4}}, seconds + 30),
    ]


@pytest.mark.parametrize("ended", [True, False], ids=["after the end", "without its end"])
def test_the_support_race_that_follows_changes_nothing(ended: bool) -> None:
    run = run_of_laps("4", 70)
    end = [sent("SessionStatus", {"Status": "Finalised"}, 1_000)] if ended else []
    alone = of_recording(*BEFORE, STARTED, *run, *end)
    session = of_recording(*BEFORE, STARTED, *run, *end, *support_race(1_200))
    assert listed(session) == [(0, ["NOR", "PIA"])]
    assert session.laps == alone.laps
    assert not any(isinstance(fact, RaceControl) for fact in session.messages)


@pytest.mark.parametrize("folder", ["2025_italian_practice1", "2023_hungarian_practice1"])
def test_monza_and_budapest_have_their_own_20_drivers(recordings: Path, folder: str) -> None:
    """The recordings continue into the support race's session. They lack its status, which is added here."""
    feed = list(open_recording(recordings / "sessions" / folder))
    t0_ms = feed[0].sent_ms
    head = [] if any(each.topic == "SessionInfo" for each in feed) else [info(1)]
    feed += [FeedMessage("SessionInfo", data, t0_ms) for data in head]
    feed.append(FeedMessage("SessionStatus", {"Status": "Started"}, t0_ms + 800_000))
    feed.sort(key=lambda each: each.sent_ms)
    session = as_session(feed, "x")[0]
    ((_, drivers),) = listed(session)
    assert len(drivers) == 20
    assert drivers[:2] == ["VER", {"2025_italian_practice1": "NOR", "2023_hungarian_practice1": "SAR"}[folder]]
    assert not any("BAD" in fact.message for fact in session.messages if isinstance(fact, RaceControl))


def test_baku_qualifying_has_the_driver_who_was_listed_late(recordings: Path) -> None:
    feed = list(open_recording(recordings / "sessions" / "2023_azerbaijan_qualifying"))
    session = as_session(feed, "x")[0]
    assert len(listed(session)[-1][1]) == 20
    assert {lap.driver_number for lap in session.laps} == {
        number for each in feed if each.topic == "TimingData" for number, line in each.data.get("Lines", {}).items()
        if line.get("NumberOfLaps")
    }  # fmt: skip


def live(*messages: FeedMessage) -> list[Any]:
    run = LiveRun(1, 3_000, "live:f1")
    return [item for message in messages for item in run.take(message)]


def test_live_a_driver_who_is_listed_late_is_in_the_run_from_then_on() -> None:
    beats = [sent("Heartbeat", {}, seconds) for seconds in range(10, 800, 5)]
    messages = [
        *BEFORE,
        STARTED,
        *run_of_laps("4", 70, 2),
        sent("DriverList", LATE, 400),
        *run_of_laps("38", 410, 2),
        *beats,
    ]
    published = live(*sorted(messages, key=lambda each: each.sent_ms))
    lists = [[entry.tla for entry in item.record.entries] for item in published if isinstance(item.record, Entries)]
    assert lists == [["NOR", "PIA"], ["NOR", "PIA", "PAR"]]
    assert sum(isinstance(item.record, Notice) and "38" in item.record.about for item in published) == 1
    joined = [item for item in published if item.key == b"1:38"]
    assert [item.headers.seq for item in joined if item.topic == "telemetry"][:3] == [0, 1, 2]
    assert [item.record.lap_number for item in joined if item.topic == "laps"] == [1, 2]


def test_live_drivers_who_are_listed_between_the_run_s_first_record_and_the_start_are_in_it() -> None:
    beats = [sent("Heartbeat", {}, seconds) for seconds in range(5, 60, 5)]
    messages = [*BEFORE, sent("DriverList", {"4": {"TeamName": "McLaren"}, **LATE}, 30), STARTED, *beats]
    published = live(*sorted(messages, key=lambda each: each.sent_ms))
    lists = [item.record for item in published if isinstance(item.record, Entries)]
    assert [[entry.tla for entry in each.entries] for each in lists] == [["NOR", "PIA"], ["NOR", "PIA", "PAR"]]
    assert lists[-1].entries[0].team == "McLaren"
    assert not any(isinstance(item.record, Notice) and "38" in item.record.about for item in published)


def test_a_driver_who_is_listed_late_is_on_the_page_from_then_on() -> None:
    """Through both stages of the race worker to the tape: with samples, in packets that begin when it is listed."""
    late = sent("DriverList", LATE, 400)
    beats = [sent("Heartbeat", {}, seconds) for seconds in range(10, 800, 5)]
    messages = [*BEFORE, STARTED, *run_of_laps("4", 70, 2), late, *run_of_laps("38", 410, 2), *beats]
    session = of_recording(*sorted(messages, key=lambda each: each.sent_ms))
    made = pipeline.run(session, 1_000).made
    frames = [each for each in made if isinstance(each, Frame)]
    assert [(each.t, [car.tla for car in each.cars]) for each in made if isinstance(each, SessionHeader)] == [
        (0, ["NOR", "PIA"]), (400_000, ["NOR", "PIA", "PAR"]),
    ]  # fmt: skip
    assert {len(frame.x) for frame in frames if frame.t < 400_000} == {2}
    assert {len(frame.x) for frame in frames if frame.t >= 400_000} == {3}
    tape = Tape(session.session_key, 1)
    seq = frames[0].t // FRAME_MS
    keys = {frame.t // FRAME_MS for frame in frames if frame.kind == "key"}
    assert tape.append(seq, [encode_frames([frame]) for frame in frames], keys, 0) == len(frames)
    before, after = tape.state_at(399_800), tape.state_at(700_000)
    assert before is not None
    assert after is not None
    assert sorted(before["cars"]) == ["4", "81"]
    assert after["cars"]["38"] | {"position": 2, "lap": 2} == after["cars"]["38"]


def test_live_a_driver_who_is_listed_late_is_in_the_frames_from_then_on() -> None:
    """Through the joining of cars and messages, with the packets as the live client makes them, 3 s behind."""
    beats = [sent("Heartbeat", {}, seconds) for seconds in range(10, 800, 5)]
    messages = [*BEFORE, STARTED, *run_of_laps("4", 70, 2), sent("DriverList", LATE, 400), *run_of_laps("38", 410, 2)]
    published = live(*sorted([*messages, *beats], key=lambda each: each.sent_ms))
    race, joins, frames = SessionRace("1", 1), {}, []
    for item in published:
        headers, record = item.headers, item.record
        if isinstance(record, Packet | Lap):
            join = joins.setdefault(record.driver_number, DriverJoin(record.driver_number))
            join.begins(1, None)
        if isinstance(record, Packet):
            join.take_packet(headers.seq, headers.emitted_ms, headers.laps, headers.messages, record, None)
            while (update := join.join()[0]) is not None:
                assert race.take_update(update)
            frames += [made for made in race.advance() if isinstance(made, Frame)]
        elif isinstance(record, Lap):
            join.take_lap(headers.seq, headers.emitted_ms, record, None)
        else:
            race.admit(record)
            race.take_message(headers.seq, headers.emitted_ms, record)
    assert race.failure is None
    assert {len(frame.x) for frame in frames if frame.t < 400_000} == {2}
    assert {len(frame.x) for frame in frames if frame.t >= 400_000} == {3}
    assert frames[-1].t > 780_000
    assert race.race is not None
    assert (race.race.order, race.race.cars["38"].lap) == (["4", "38", "81"], 2)
