"""Which set of tyres is on a car, from the stints that the feed sends late, early, twice, or wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream.race.tyres import stints
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.live_run import LiveRun
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.merge import indexed
from f1stream.sources.livetiming.parser.tyres import CarTyres
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from models import Lap, TyreChange
from tests.support.pipeline import without_samples
from tests.support.required import DATA, missing

NEW_SOFT = {"Compound": "SOFT", "New": "true", "StartLaps": 0, "TotalLaps": 0, "TyresNotChanged": "0"}
NEW_HARD = NEW_SOFT | {"Compound": "HARD"}
UNKNOWN = {"Compound": "UNKNOWN", "New": "false", "StartLaps": 0, "TotalLaps": 0, "TyresNotChanged": "1"}


def driven(tyres: CarTyres) -> list[tuple[str | None, int, int | None]]:
    """(compound, first lap, laps on the set before)."""
    return [(stint.compound, stint.first_lap, stint.laps_before) for stint in tyres.stints()]


def take(
    tyres: CarTyres, stints: dict[int, dict[str, Any]] | list[dict[str, Any]], *, snapshot: bool = False
) -> None:
    data = stints if isinstance(stints, list) else {str(number): change for number, change in stints.items()}
    tyres.take({"Stints": data}, snapshot=snapshot)


def test_of_several_stints_in_one_message_laps_before_the_stop_take_the_first() -> None:
    tyres = CarTyres()
    tyres.enter_pit_lane(1)
    take(tyres, [NEW_SOFT | {"TotalLaps": 1}, NEW_HARD])
    assert driven(tyres) == [("SOFT", 1, 0), ("HARD", 2, 0)]


def test_a_stint_announced_ahead_of_the_stop_waits_until_the_car_has_been_in() -> None:
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    take(tyres, {1: NEW_SOFT | {"TyresNotChanged": "1"}})
    assert driven(tyres) == [("SOFT", 1, 0)]
    tyres.enter_pit_lane(12)
    assert driven(tyres) == [("SOFT", 1, 0)], "nothing was sent about it since"
    take(tyres, {1: {"Compound": "HARD", "TyresNotChanged": "0", "TotalLaps": 0}})
    assert driven(tyres) == [("SOFT", 1, 0), ("HARD", 13, 0)]


def test_of_two_stints_announced_for_one_visit_the_second_waits() -> None:
    """COL, US sprint 2025: the feed counts on, and its laps stay with the first of them."""
    tyres = CarTyres()
    take(tyres, [NEW_SOFT, NEW_SOFT | {"TyresNotChanged": "1"}])
    tyres.enter_pit_lane(1)
    take(tyres, {1: {"New": "false", "StartLaps": 6, "TotalLaps": 6, "TyresNotChanged": "0"}, 2: NEW_SOFT})
    assert driven(tyres) == [("SOFT", 1, 0), ("SOFT", 2, 6)]


def test_a_stint_counter_that_stays_ahead_of_the_visits_is_followed() -> None:
    """LAW, Australia 2025, left the pit lane after the start: the feed had begun stints 1 and 2 by then."""
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    take(tyres, {1: UNKNOWN})
    take(tyres, {2: NEW_SOFT | {"TyresNotChanged": "1"}})
    tyres.enter_pit_lane(2)
    take(tyres, {3: NEW_SOFT | {"New": "false", "StartLaps": 2, "TotalLaps": 2, "TyresNotChanged": "1"}})
    tyres.enter_pit_lane(30)
    take(tyres, {4: NEW_HARD})
    take(tyres, {2: {"StartLaps": 9, "TotalLaps": 9}})
    assert driven(tyres) == [("SOFT", 1, 0), ("SOFT", 3, 2), ("HARD", 31, 0)]


def test_a_set_that_the_feed_begins_under_the_number_of_the_one_before_is_another_one() -> None:
    """BEA, Australia 2025, lap 39."""
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    take(tyres, {0: {"TotalLaps": 20}})
    tyres.enter_pit_lane(20)
    take(tyres, {0: NEW_HARD})
    assert driven(tyres) == [("SOFT", 1, 0), ("HARD", 21, 0)]


def test_a_correction_of_the_set_before_does_not_change_the_set_on_the_car() -> None:
    """SAI, British practice 1 2022: corrected 19 s after the car had come in."""
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    tyres.enter_pit_lane(5)
    take(tyres, {1: NEW_HARD})
    take(tyres, {1: {"TotalLaps": 1}})
    tyres.enter_pit_lane(6)
    take(tyres, {1: {"Compound": "SOFT", "New": "false", "TyresNotChanged": "1", "TotalLaps": 6, "StartLaps": 5}})
    assert driven(tyres) == [("SOFT", 1, 0), ("SOFT", 6, 5)]
    assert [stint.is_changed for stint in tyres.stints()] == [True, False]


def test_a_set_that_stays_on_the_car_does_not_get_younger() -> None:
    """STR, Australia 2025, and VER, British practice 1 2024."""
    for fields in (NEW_SOFT | {"TyresNotChanged": "1"}, UNKNOWN):
        tyres = CarTyres()
        take(tyres, {0: NEW_SOFT | {"StartLaps": 3, "TotalLaps": 3}})
        tyres.enter_pit_lane(5)
        take(tyres, {1: fields})
        take(tyres, {1: {"Compound": "SOFT", "New": "true"}})
        assert driven(tyres) == [("SOFT", 1, 3), ("SOFT", 6, 8)]
        assert [change.changed for change in tyres.changes("1", 0)] == [True, False]


def test_another_compound_is_a_change_even_if_the_feed_denies_it() -> None:
    tyres = CarTyres()
    take(tyres, {0: NEW_HARD})
    tyres.enter_pit_lane(2)
    take(tyres, {1: {"Compound": "SOFT", "New": "false", "TyresNotChanged": "1", "StartLaps": 3, "TotalLaps": 3}})
    assert [(one.compound, one.lap, one.changed) for one in tyres.changes("1", 0)] == [
        ("HARD", 1, True), ("SOFT", 3, True),
    ]  # fmt: skip


def test_every_correction_is_published_and_nothing_twice() -> None:
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    assert len(tyres.changes("1", 0)) == 1
    take(tyres, {0: {"TotalLaps": 1}})
    assert tyres.changes("1", 10) == []
    for change in ({"New": "false"}, {"StartLaps": 4}, {"Compound": "WET"}, {"Compound": "SOFT"}):
        take(tyres, {0: change})
        (published,) = tyres.changes("1", 20)
        assert (published.lap, published.session_time_ms) == (1, 20)
    assert (published.compound, published.fresh, published.tyre_life) == ("SOFT", False, 4)


def test_an_unknown_compound_is_not_published() -> None:
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    tyres.changes("1", 0)
    tyres.enter_pit_lane(8)
    take(tyres, {1: UNKNOWN})
    assert tyres.changes("1", 10) == []
    take(tyres, {1: {"Compound": "HARD", "StartLaps": 2, "TotalLaps": 2, "TyresNotChanged": "0"}})
    assert [(one.compound, one.lap, one.tyre_life) for one in tyres.changes("1", 15)] == [("HARD", 9, 2)]


def test_after_a_reconnect_stints_belong_to_the_missed_visits() -> None:
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    tyres.join(30, 2, is_in=False, is_new=False)
    take(
        tyres,
        [NEW_SOFT | {"TotalLaps": 12}, NEW_HARD | {"TotalLaps": 10}, NEW_SOFT | {"TotalLaps": 8}],
        snapshot=True,
    )
    assert driven(tyres) == [("SOFT", 1, 0), ("HARD", 13, 0), ("SOFT", 23, 0)]


@pytest.mark.parametrize("counted", [0, 1])
def test_a_car_that_came_in_while_disconnected_gets_its_next_set_for_the_lap_after(counted: int) -> None:
    """SAI, Dutch practice 2 of 2025: the feed does not count every visit of a practice."""
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    tyres.join(8, counted, is_in=True, is_new=False, came_in=9)
    take(tyres, [NEW_SOFT | {"TotalLaps": 9}], snapshot=True)
    take(tyres, {1: NEW_HARD})
    assert driven(tyres) == [("SOFT", 1, 0), ("HARD", 10, 0)]


def test_a_reconnect_in_mid_race_does_not_move_the_car_at_the_start_of_the_recording() -> None:
    feed = race(stint(61, 0, **NEW_SOFT), laps=5)
    line = {"InPit": False, "NumberOfLaps": 4, "NumberOfPitStops": 0}
    at = next(n for n, message in enumerate(feed) if message.topic == "TimingData"
              and message.data["Lines"].get("81", {}).get("NumberOfLaps") == 5)  # fmt: skip
    again = [
        FeedMessage("TimingData", {"Lines": {"81": line}}, feed[at].sent_ms - 1, True),
        FeedMessage("TimingAppData", {"Lines": {"81": {"Stints": [NEW_SOFT | {"TotalLaps": 4}]}}},
                    feed[at].sent_ms - 1, True),
    ]  # fmt: skip
    session, _ = as_session([*feed[:at], *again, *feed[at:]], "x")
    assert without_samples(session, to_ms=70_000).cars["81"].tyre_age() == 0
    assert without_samples(session).cars["81"].tyre_age() == 5


def test_an_aborted_start_discards_the_visits_before_it() -> None:
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    tyres.enter_pit_lane(1)
    tyres.restart()
    take(tyres, {1: NEW_SOFT})
    assert driven(tyres) == [("SOFT", 1, 0)]


@pytest.mark.parametrize("value", [None, [], {}, "x", -4, 10**30, float("nan"), "Ж", "S" * 500, True])
@pytest.mark.parametrize("name", ["Compound", "New", "StartLaps", "TotalLaps", "TyresNotChanged"])
def test_a_damaged_value_of_a_stint_affects_nothing_else(name: str, value: Any) -> None:
    tyres = CarTyres()
    take(tyres, {0: NEW_SOFT})
    tyres.enter_pit_lane(3)
    take(tyres, {1: NEW_HARD | {name: value}})
    changes = tyres.changes("1", 0)
    assert (changes[0].compound, changes[0].lap, changes[0].tyre_life) == ("SOFT", 1, 0)


# -- through the parser --------------------------------------------------------------------------------


def sent(topic: str, data: dict[str, Any], at_s: float, snapshot: bool = False) -> FeedMessage:
    return FeedMessage(topic, data, 1_760_000_000_000 + round(at_s * 1000), snapshot)


def timing(at_s: float, snapshot: bool = False, **line: Any) -> FeedMessage:
    return sent("TimingData", {"Lines": {"81": line}}, at_s, snapshot)


def stint(at_s: float, number: int, snapshot: bool = False, **change: Any) -> FeedMessage:
    stints = {str(number): change} if not snapshot else [change]
    return sent("TimingAppData", {"Lines": {"81": {"Stints": stints}}}, at_s, snapshot)


def race(*messages: FeedMessage, kind: str = "Race", laps: int = 0) -> list[FeedMessage]:
    """A race of one car that starts at 60 s and ends a lap each 80 s."""
    info = {"Key": 1, "Type": kind, "Name": kind, "Meeting": {"Name": "X"}, "GmtOffset": "00:00:00", "Path": "p/"}
    ends = [timing(60 + 80 * n, NumberOfLaps=n, LastLapTime={"Value": "1:20.000"}) for n in range(1, laps + 1)]
    start = [sent("SessionInfo", info, 0), sent("DriverList", {"81": {"Tla": "PIA", "Line": 1}}, 0),
             timing(1, InPit=False), sent("SessionStatus", {"Status": "Started"}, 60)]  # fmt: skip
    return sorted([*start, *ends, *messages], key=lambda message: message.sent_ms)


def ages(session: Session) -> dict[int, tuple[str | None, int | None]]:
    return {lap.lap_number: (lap.compound, lap.tyre_life) for lap in session.laps}


def test_tyre_data_that_arrive_late_count_from_the_start_of_the_stint() -> None:
    """BOT, Qatar sprint 2024: nine laps old on the grid, thirteen when the feed sent it."""
    feed = race(stint(390, 0, **NEW_SOFT | {"New": "false", "StartLaps": 9, "TotalLaps": 13}), laps=6)
    session, _ = as_session(feed, "x")
    assert ages(session) == {lap: ("SOFT", 9 + lap) for lap in range(1, 7)}
    known = without_samples(session, to_ms=395_000).cars["81"]
    assert (known.lap, known.tyre_age()) == (4, 13)


def test_without_tyre_data_the_age_is_unknown_and_then_right() -> None:
    """Miami 2025: no data for 24 laps, then a count from 0."""
    feed = race(stint(60 + 24 * 80 + 5, 0, **NEW_HARD | {"TotalLaps": 1}), laps=26)
    run = LiveRun(1, 0, "x")
    live = [fact for message in feed for item in run.take(message) if isinstance(fact := item.record, Lap)]
    assert {(lap.compound, lap.tyre_life) for lap in live[:24]} == {(None, None)}
    assert {lap.tyre_life for lap in live[24:]} == set(range(1, 27))
    assert all(lap.tyre_life in {None, lap.lap_number} for lap in live)
    assert without_samples(as_session(feed, "x")[0]).cars["81"].tyre_age() == 26


def test_a_stint_announced_after_the_flag_was_not_driven() -> None:
    feed = race(
        stint(61, 0, **NEW_SOFT), sent("SessionStatus", {"Status": "Finished"}, 301), timing(320, InPit=True),
        timing(340, InPit=False), stint(342, 1, **NEW_HARD), laps=3,
    )  # fmt: skip
    car = without_samples(as_session(feed, "x")[0]).cars["81"]
    assert (car.compound, car.stops()) == ("SOFT", [])


def test_a_car_on_track_at_the_snapshot_has_the_age_and_stops_of_the_snapshot() -> None:
    """As many laps on the set as the feed had counted, and those received since."""
    two = [NEW_SOFT | {"TotalLaps": 3}, NEW_HARD | {"TotalLaps": 5}]
    feed = [message for message in race(kind="Practice") if message.topic in {"SessionInfo", "DriverList"}]
    feed += [sent("SessionStatus", {"Status": "Started"}, 1, snapshot=True),
             timing(1, snapshot=True, InPit=False, NumberOfLaps=9, NumberOfPitStops=1),
             sent("TimingAppData", {"Lines": {"81": {"Stints": two}}}, 1, snapshot=True)]  # fmt: skip
    feed += [timing(30 + 85 * n, NumberOfLaps=10 + n, LastLapTime={"Value": "1:25.000"}) for n in range(3)]
    session, _ = as_session(feed, "x")
    joined = without_samples(session, to_ms=20_000).cars["81"]
    assert (joined.compound, joined.tyre_age(), len(joined.stops()) + joined.stops_unseen()) == ("HARD", 5, 1)
    car = without_samples(session).cars["81"]
    assert (car.tyre_age(), len(car.stops()) + car.stops_unseen()) == (8, 1)


@pytest.mark.parametrize("order", [("TimingAppData", "TimingData"), ("TimingData", "TimingAppData")])
def test_stints_of_a_snapshot_do_not_depend_on_the_order_of_its_topics(order: tuple[str, str]) -> None:
    three = [NEW_SOFT | {"TotalLaps": 12}, NEW_HARD | {"TotalLaps": 10}, NEW_SOFT | {"StartLaps": 3, "TotalLaps": 11}]
    state = {
        "TimingData": timing(1, snapshot=True, InPit=False, NumberOfLaps=30, NumberOfPitStops=2),
        "TimingAppData": sent("TimingAppData", {"Lines": {"81": {"Stints": three}}}, 1, snapshot=True),
    }
    started = sent("SessionStatus", {"Status": "Started"}, 1, snapshot=True)
    car = without_samples(as_session([*race()[:2], started, *(state[name] for name in order)], "x")[0]).cars["81"]
    sets = stints(car.sets, car.laps_driven)
    assert [(one.compound, one.first_lap, one.laps, one.tyre_life_before) for one in sets] == [
        ("SOFT", 1, 12, 0), ("HARD", 13, 10, 0), ("SOFT", 23, 8, 3),
    ]  # fmt: skip
    assert (car.tyre_age(), car.stops_unseen()) == (11, 2)


def phantom() -> list[FeedMessage]:
    """LEC, Spanish qualifying 2024: WET for 35 s."""
    return race(stint(61, 0, **NEW_SOFT | {"Compound": "WET"}), stint(96, 0, Compound="SOFT"), laps=2)


def test_a_recording_has_no_phantom_compound() -> None:
    session, _ = as_session(phantom(), "x")
    (change,) = (fact for fact in session.messages if isinstance(fact, TyreChange))
    assert (change.session_time_ms, change.compound) == (61_000, "SOFT")
    assert {lap.compound for lap in session.laps} == {"SOFT"}


def test_live_a_phantom_compound_is_corrected_when_the_feed_does() -> None:
    run = LiveRun(1, 0, "x")
    records = [item.record for message in phantom() for item in run.take(message)]
    changes = [fact for fact in records if isinstance(fact, TyreChange)]
    assert [(fact.session_time_ms, fact.compound, fact.lap) for fact in changes] == [
        (61_000, "WET", 1), (96_000, "SOFT", 1),
    ]  # fmt: skip
    assert {fact.compound for fact in records if isinstance(fact, Lap)} == {"SOFT"}


# -- recordings ----------------------------------------------------------------------------------------

SESSIONS = ["2018_azerbaijan_race", "2022_saudi_qualifying", "2024_british_practice1", "2025_austin_sprint"]


def recording(name: str) -> list[FeedMessage]:
    path = DATA / "sessions" / name
    if not path.exists():
        missing(f"the recorded session at {path} is not there")
    lines = path / "recording.jsonl.gz"
    return list(open_recording(lines if lines.exists() else path))


def feeds_own(messages: list[FeedMessage]) -> dict[str, list[list[Any]]]:
    """By car: compound, laps driven and age when put on of each set, as the feed has them in the end."""
    state: dict[str, dict[int, dict[str, Any]]] = {}
    for message in messages:
        for number, line in message.data.get("Lines", {}).items() if message.topic == "TimingAppData" else ():
            for nth, change in indexed(line.get("Stints")):
                state.setdefault(number, {}).setdefault(nth, {}).update(change)
    found: dict[str, list[list[Any]]] = {}
    for number, announced in state.items():
        sets: list[list[Any]] = []
        for _, fields in sorted(announced.items()):
            laps = fields["TotalLaps"] - fields["StartLaps"]
            if sets and fields["TyresNotChanged"] == "1" and fields["Compound"] == sets[-1][0]:
                sets[-1][1] += laps
            else:
                sets.append([fields["Compound"], laps, fields["StartLaps"]])
        found[number] = [one for one in sets if one[1] > 0]
    return found


@pytest.mark.parametrize("name", SESSIONS)
def test_sets_are_the_feeds_own_in_the_end(name: str) -> None:
    """Its count of laps misses one now and then, as after a red flag."""
    messages = recording(name)
    session, _ = as_session(messages, "x")
    race, theirs = without_samples(session), feeds_own(messages)
    for number, sets in theirs.items():
        car = race.cars[number]
        ours = [one for one in stints(car.sets, car.laps_driven) if one.laps]
        if sets:
            assert [(one.compound, one.tyre_life_before) for one in ours] == [(one[0], one[2]) for one in sets]
            assert all(abs(one.laps - laps) <= 1 for one, (_, laps, _) in zip(ours, sets, strict=True)), number
    newest = {(lap.driver_number, lap.lap_number): lap for lap in session.laps}
    assert all(lap.compound not in {None, "UNKNOWN"} and lap.tyre_life is not None for lap in newest.values())


def test_a_correction_back_over_a_known_compound_is_one_stint_of_one_set() -> None:
    """VER at Silverstone: UNKNOWN for three laps, then new HARD, then the HARD of before with five laps on it."""
    session, _ = as_session(recording("2024_british_practice1"), "x")
    worn = {lap.lap_number: (lap.compound, lap.tyre_life) for lap in session.laps if lap.driver_number == "1"}
    assert [worn[lap] for lap in range(1, 9)] == [("HARD", lap) for lap in range(1, 9)]
    assert worn[9] == ("MEDIUM", 1)
    assert worn[14] == ("HARD", 9)
