"""Practice and qualifying from the feed's messages to the order: received completely or in part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from f1stream.race.car_facts import apply_lap
from f1stream.race.frames import FrameBuilder
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.stages.driver_join import lap_update
from f1stream.race.state import Race
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.merge import merge
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from f1stream.sources.timestamps import duration_ms
from models import CarState, Entries, Entry, Lap, PartBest, SessionPart, Timing
from tests.support.joined_late import joined_late
from tests.support.pipeline import run
from tests.support.required import DATA, missing

T0 = 1_760_000_000_000
DRIVERS = {"4": {"Tla": "NOR", "Line": 1}, "81": {"Tla": "PIA", "Line": 2}}
GARAGE = {"4": {"InPit": True}, "81": {"InPit": True}}


def sent(topic: str, data: Any, at_s: float, *, snapshot: bool = False) -> FeedMessage:
    return FeedMessage(topic, data, T0 + round(at_s * 1000), snapshot)


def info(kind: str) -> dict[str, Any]:
    return {"Key": 1, "Type": kind, "Name": kind, "Meeting": {"Name": "X"}, "GmtOffset": "00:00:00", "Path": "p/"}


def line(number: str, at_s: float, **fields: Any) -> FeedMessage:
    return sent("TimingData", {"Lines": {number: fields}}, at_s)


def shown(time: str) -> dict[str, Any]:
    return {"LastLapTime": {"Value": time}, "BestLapTime": {"Value": time}}


def qualifying(*messages: FeedMessage) -> Session:
    """Both cars are in their garages when it starts after a minute."""
    parts = {"NoEntries": [2, 1, 1], "SessionPart": 1, "Lines": GARAGE}
    begin = [
        sent("SessionInfo", info("Qualifying"), 0), sent("DriverList", DRIVERS, 1), sent("TimingData", parts, 2),
        sent("SessionStatus", {"Status": "Started"}, 60),
    ]  # fmt: skip
    session, _ = as_session(sorted([*begin, *messages], key=lambda message: message.sent_ms), "x")
    return session


def last_cars(session: Session) -> dict[str, CarState]:
    """The cars of the last frame."""
    cars: dict[str, dict[str, Any]] = {}
    for frame in run(session, 1_000).frames:
        cars = {} if frame.kind == "key" else cars
        for number, car in frame.cars.items():
            cars.setdefault(number, {}).update(car.model_dump(exclude_unset=True))
    return {number: CarState.model_construct(**car) for number, car in cars.items()}


def test_the_lap_into_the_garage_is_not_the_best_lap_of_an_eliminated_car() -> None:
    laps = [
        message
        for number, time in (("4", "1:20.000"), ("81", "1:21.000"))
        for message in (
            line(number, 70, InPit=False, PitOut=True, NumberOfLaps=1), line(number, 160, NumberOfLaps=2),
            line(number, 245, NumberOfLaps=3, **shown(time)), line(number, 340, InPit=True),
            line(number, 345, LastLapTime={"Value": "1:45.000"}),
        )
    ]  # fmt: skip
    out = {"SessionPart": 2, "Lines": {"81": {"KnockedOut": True}}}
    end = [sent("TimingData", {"SessionPart": 3}, 1500), sent("SessionStatus", {"Status": "Ends"}, 2000)]
    car = last_cars(qualifying(*laps, sent("TimingData", out, 900), *end))["81"]
    assert (car.best_lap_ms, car.status) == (81_000, "eliminated")


def test_a_lap_that_ends_in_the_pit_lane_is_no_best_lap() -> None:
    session = qualifying(
        line("4", 100, InPit=False, PitOut=True, NumberOfLaps=1), line("4", 190, NumberOfLaps=2),
        line("4", 276, InPit=True),
        line("4", 280, LastLapTime={"Value": "1:28.037"}, Sectors={"2": {"Value": "29.992"}}),
        line("4", 400, InPit=False, PitOut=True, NumberOfLaps=3), sent("Heartbeat", {}, 460),
    )  # fmt: skip
    assert 88_037 in [lap.lap_time_ms for lap in session.laps]
    assert last_cars(session)["4"].best_lap_ms is None


def test_cars_in_their_garages_are_in_the_pits_from_the_start_on() -> None:
    session = qualifying(line("4", 100, InPit=False, PitOut=True, NumberOfLaps=1), sent("Heartbeat", {}, 120))
    assert {number: car.status for number, car in last_cars(session).items()} == {"4": "running", "81": "pit"}


LATE = {
    "4": {"Position": "1", "InPit": True, "NumberOfLaps": 9, "BestLapTime": {"Value": "1:20.000"}},
    "81": {"Position": "2", "InPit": False, "NumberOfLaps": 9, "BestLapTime": {"Value": "1:21.000"}},
}


@pytest.mark.parametrize("drivers_first", [True, False])
def test_joined_late_best_laps_positions_and_who_is_in_the_pits_are_those_of_the_snapshot(
    drivers_first: bool,
) -> None:
    topics = [("DriverList", DRIVERS), ("TimingData", {"Lines": LATE})]
    state = [("SessionInfo", info("Practice")), ("SessionStatus", {"Status": "Started"}),
             *(topics if drivers_first else topics[::-1])]  # fmt: skip
    laps = [line("81", 30 + 85 * n, NumberOfLaps=10 + n, LastLapTime={"Value": "1:25.000"}) for n in range(3)]
    session, _ = as_session(
        [*(sent(topic, data, 0, snapshot=True) for topic, data in state), *laps, sent("Heartbeat", {}, 300)], "x"
    )
    cars = last_cars(session)
    assert [(cars[n].position, cars[n].status, cars[n].best_lap_ms) for n in ("4", "81")] == [
        (1, "pit", 80_000), (2, "running", 81_000),
    ]  # fmt: skip


def test_joined_in_the_third_part_it_is_the_third_part() -> None:
    state = {"NoEntries": [20, 15, 10], "SessionPart": 3, "Lines": GARAGE}
    topics = {"SessionInfo": info("Qualifying"), "DriverList": DRIVERS, "SessionStatus": {"Status": "Started"},
              "TimingData": state}  # fmt: skip
    snapshot = [sent(topic, data, 0, snapshot=True) for topic, data in topics.items()]
    session, _ = as_session([*snapshot, sent("Heartbeat", {}, 20)], "x")
    parts = [(fact.part, fact.entries) for fact in session.messages if isinstance(fact, SessionPart)]
    assert parts == [(1, 20), (2, 15), (3, 10)]
    frame = run(session, 1_000).frames[0]
    assert (frame.race.part, frame.race.goes_on) == (3, None)


def test_bests_emptied_for_the_next_part_remain_and_a_deleted_lap_does_not() -> None:
    session = qualifying(
        line("4", 100, InPit=False, NumberOfLaps=1),
        line("4", 200, BestLapTimes={"0": {"Value": "1:20.000", "Lap": 2}}, NumberOfLaps=3),
        line("4", 250, BestLapTimes={"0": {"Value": ""}}),
        line("4", 260, BestLapTimes={"0": {"Value": "1:19.000"}}),
        line("4", 500, BestLapTimes={"0": {"Value": "", "_deleted": ["Lap"]}}),
        line("4", 503, BestLapTime={"Value": "", "_deleted": ["Lap"]}), sent("TimingData", {"SessionPart": 2}, 503),
    )  # fmt: skip
    assert [best for fact in session.messages if isinstance(fact, Timing) for best in fact.bests] == [
        PartBest(part=1, ms=80_000, lap=2), PartBest(part=1), PartBest(part=1, ms=79_000),
    ]  # fmt: skip


# -- recordings ------------------------------------------------------------------------------------------------

SESSIONS = DATA / "sessions"


def recording(name: str) -> list[FeedMessage]:
    path = SESSIONS / name
    if not path.exists():
        missing(f"{path.name} of data/sessions is needed")
    lines = path / "recording.jsonl.gz"
    return list(open_recording(lines if lines.exists() else Path(path)))


def sampled(session: Session, times: list[int]) -> Iterator[tuple[list[str], dict[str, tuple[int | None, str]]]]:
    """The order, and by car its best lap (ms) and status, as they were known at ``times`` (session time, ms)."""
    entries: list[Entry] = next(message.entries for message in session.messages if isinstance(message, Entries))
    race = Race.of(entries)
    facts = [(max(message.session_time_ms, 0), message) for message in session.messages]
    known = sorted([*facts, *session.laps_as_known()], key=lambda fact: fact[0])
    place = 0
    for at in times:
        while place < len(known) and known[place][0] <= at:
            since, fact = known[place]
            place += 1
            if isinstance(fact, Lap):
                apply_lap(race, race.cars[fact.driver_number], lap_update(fact, since))
            else:
                apply_message(race, fact)
        apply_time(race, at)
        cars = FrameBuilder(race).frame(at).cars
        yield list(race.order), {number: (car.best_lap_ms, car.status) for number, car in cars.items()}


@pytest.mark.parametrize("name", ["2025_hungary_qualifying", "2022_british_practice1"])
def test_joined_late_order_best_laps_and_statuses_are_those_of_the_whole_recording(name: str) -> None:
    messages = recording(name)
    session, _ = as_session(messages, "x")
    join_ms = session.start_ms + (session.end_ms - session.start_ms) * 2 // 5
    late, _ = as_session(joined_late(messages, messages[0].sent_ms + join_ms), "x")
    times = list(range(join_ms, session.end_ms, 60_000))
    assert len(times) > 15
    assert list(sampled(late, [at - join_ms for at in times])) == list(sampled(session, times))


def test_after_reconnects_the_order_is_that_of_the_last_snapshot() -> None:
    messages = recording("2025_singapore_practice3_reconnects")
    assert sum(message.snapshot and message.topic == "TimingData" for message in messages) >= 4
    state: dict[str, Any] = {}
    for message in messages:
        if message.topic == "TimingData":
            state = merge(None if message.snapshot else state, message.data)
    session, _ = as_session(messages, "x")
    ((order, cars),) = sampled(session, [session.end_ms])
    assert order == sorted(state["Lines"], key=lambda number: int(state["Lines"][number]["Position"]))
    for number, of_car in state["Lines"].items():
        assert cars[number][0] == duration_ms(of_car["BestLapTime"]["Value"])
        assert (cars[number][1] == "pit") == of_car["InPit"]
