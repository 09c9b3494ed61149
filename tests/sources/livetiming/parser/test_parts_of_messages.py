"""Messages with several cars or texts: only a damaged item is skipped."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.live_run import LiveRun
from f1stream.sources.livetiming.parser.counts import MOST_NAMES
from f1stream.sources.livetiming.parser.parser import Parser
from f1stream.sources.livetiming.parser.state import MOST_LINES, MOST_SEEN
from models import (
    Entries,
    Lap,
    Message,
    PitIn,
    PitOut,
    RaceControl,
    SessionPart,
    TeamRadio,
    Timing,
    TyreChange,
)
from tests.support.feed import DRIVERS, T0_MS, info, run_of_laps, sent

GOOD = {"Utc": "2025-10-09T08:54:00", "Category": "Other", "Message": "TRACK CLEAR"}


@pytest.fixture
def parser() -> Parser:
    parser = Parser(T0_MS)
    for message in (
        sent("SessionInfo", info(1), 0),
        sent("DriverList", DRIVERS, 1),
        sent("SessionStatus", {"Status": "Started"}, 2),
    ):
        parser.take(message)
    return parser


def taken(parser: Parser, topic: str, data: Any, *, snapshot: bool = False) -> list[Lap | Message]:
    return parser.take(sent(topic, data, 100, snapshot=snapshot))


@pytest.mark.parametrize(
    "bad",
    [{"Utc": "2025-10-09T08:54:01", "Category": "Flag"}, {"Message": None}, None, 7, {"Message": "x" * 5_000},
     GOOD | {"Message": "Y", "RacingNumber": "9" * 50}],
)  # fmt: skip
@pytest.mark.parametrize("snapshot", [True, False])
def test_only_a_race_control_message_without_text_is_skipped(parser: Parser, bad: Any, snapshot: bool) -> None:
    other = {"Utc": "2025-10-09T08:55:00", "Category": "Other", "Message": "DRS ENABLED"}
    facts = taken(parser, "RaceControlMessages", {"Messages": [GOOD, bad, other]}, snapshot=snapshot)
    assert [fact.message for fact in facts if isinstance(fact, RaceControl)] == ["TRACK CLEAR", "DRS ENABLED"]
    assert parser.state.counts.damaged == {"RaceControlMessages": 1}
    again = taken(parser, "RaceControlMessages", {"Messages": [GOOD, other]}, snapshot=True)
    assert not [fact for fact in again if isinstance(fact, RaceControl)]


def test_only_an_unreadable_radio_call_is_skipped(parser: Parser) -> None:
    calls = [{"Path": "a.mp3"}, "x", {"RacingNumber": "4", "Path": "b.mp3"}, {"RacingNumber": "81"}]
    facts = taken(parser, "TeamRadio", {"Captures": calls})
    assert [(fact.driver_number, fact.path) for fact in facts if isinstance(fact, TeamRadio)] == [("4", "b.mp3")]
    assert parser.state.counts.damaged == {"TeamRadio": 3}


@pytest.mark.parametrize("bad", [7, None, [], "x"])
def test_only_an_invalid_driver_is_skipped(bad: Any) -> None:
    parser = Parser(T0_MS)
    parser.take(sent("DriverList", DRIVERS | {"16": bad}, 1, snapshot=True))
    assert [entry.tla for entry in parser.state.entries()] == ["NOR", "PIA"]
    assert parser.state.counts.damaged == {"DriverList": 1}


def test_only_the_unreadable_timing_line_of_a_car_is_skipped(parser: Parser) -> None:
    for bad in (7, {"Sectors": 7, "InPit": "x", "Position": {"a": 1}}, None):
        out = {"InPit": False, "NumberOfLaps": 1, "Position": "1"}
        taken(parser, "TimingData", {"Lines": {"4": out}})
        before = parser.state.counts.damaged["TimingData"]
        lap = {"NumberOfLaps": parser.state.laps.cars["81"].laps.lap_number + 1, "InPit": False, "Position": "2"}
        taken(parser, "TimingData", {"Lines": {"4": bad, "81": lap}})
        assert parser.state.timing["81"].line["Position"] == "2"
        assert parser.state.counts.damaged["TimingData"] == before + 1


def test_only_the_unreadable_tyre_line_of_a_car_is_skipped(parser: Parser) -> None:
    soft = {"Compound": "SOFT", "New": "true", "TyresNotChanged": "0", "StartLaps": 0, "TotalLaps": 0}
    taken(parser, "TimingAppData", {"Lines": {"4": {"Stints": {"0": soft}}, "81": {"Line": 1}}})
    hard = soft | {"Compound": "HARD"}
    facts = taken(parser, "TimingAppData", {"Lines": {"4": {"Stints": 7}, "81": {"Stints": {"0": hard}}, "16": "x"}})
    assert [(fact.driver_number, fact.compound) for fact in facts if isinstance(fact, TyreChange)] == [("81", "HARD")]
    assert parser.state.counts.damaged == {"TimingAppData": 2}


def test_a_driver_without_a_valid_entry_affects_no_other_and_no_later_message() -> None:
    parser = Parser(T0_MS)
    parser.take(sent("DriverList", DRIVERS | {"16": {"Tla": "LEC", "FullName": "\ud800"}}, 1, snapshot=True))
    assert parser.state.counts.damaged == {"DriverList": 1}
    parser.take(sent("SessionStatus", {"Status": "Started"}, 2))
    parser.take(sent("Heartbeat", {}, 3))
    assert parser.state.drivers.is_fixed
    assert [entry.tla for entry in parser.state.entries()] == ["NOR", "PIA"]


def test_only_an_impossible_number_of_cars_is_skipped() -> None:
    """Only SessionData has the part here: it is taken with a later message of any topic."""
    parser = Parser(T0_MS)
    parser.take(sent("TimingData", {"NoEntries": [-1, 15, 2**40]}, 1))
    parser.take(sent("SessionData", {"Series": [{"QualifyingPart": 2}]}, 2))
    (first, second) = parser.take(sent("Heartbeat", {}, 10))
    assert isinstance(first, SessionPart) and isinstance(second, SessionPart)
    assert [(first.part, first.entries, first.goes_on), (second.part, second.entries, second.goes_on)] == [
        (1, None, 15), (2, 15, None),
    ]  # fmt: skip


@pytest.mark.parametrize("topic", ["TimingData", "TimingAppData"])
def test_only_a_message_nested_too_deep_is_skipped(parser: Parser, topic: str) -> None:
    line: dict[str, Any] = {}
    for _ in range(5_000):
        line = {"a": line}
    taken(parser, topic, {"Lines": {"4": line}})
    assert parser.state.counts.damaged[topic] > 0
    assert taken(parser, "RaceControlMessages", {"Messages": [GOOD]})


@pytest.mark.parametrize("days", [2, -2, 2_900_000])
def test_only_a_message_with_an_impossible_time_is_skipped(days: int) -> None:
    bad = [sent("TimingData", {"Lines": {}}, days * 86_400), sent("Heartbeat", {}, days * 86_400)]
    start = [sent("SessionInfo", info(1), 0), sent("DriverList", DRIVERS, 1),
             sent("SessionStatus", {"Status": "Started"}, 2), sent("Heartbeat", {}, 10)]  # fmt: skip
    feed = [*start, *bad, *run_of_laps("4", 20), sent("SessionStatus", {"Status": "Ends"}, 600)]
    run = LiveRun(1, 0, "x")
    published = [item for message in feed for item in run.take(message)]
    assert run.ended
    assert max(item.headers.emitted_ms for item in published) == 600_000
    session, counts = as_session(feed, "x")
    assert (session.end_ms, len(session.laps), counts.damaged.total()) == (600_000, 5, 2)
    laps = {item.record.lap_number for item in published if isinstance(item.record, Lap)}
    assert laps == {lap.lap_number for lap in session.laps}


def test_of_more_than_100_cars_the_first_are_published() -> None:
    def cars(first: int) -> dict[str, Any]:
        return {str(number): {"Tla": f"C{number}", "Line": number} for number in range(first, first + 70)}

    run = LiveRun(1, 0, "x")
    feed = [sent("SessionInfo", info(1), 0), sent("DriverList", cars(1), 1, snapshot=True), sent("Heartbeat", {}, 10),
            sent("DriverList", cars(101), 11, snapshot=True), sent("Heartbeat", {}, 12),
            sent("DriverList", {"101": {"Line": 3}}, 13), sent("Heartbeat", {}, 14)]  # fmt: skip
    lists = [item.record for message in feed for item in run.take(message) if isinstance(item.record, Entries)]
    assert [len(each.entries) for each in lists] == [70, 100]


@pytest.mark.parametrize(
    "bad",
    [{"Position": "5000"}, {"Position": -1}, {"KnockedOut": True, "Stats": [{"TimeDiffToFastest": "+1.0"}, 7]},
     {"Sectors": {"0": {"Value": "99:59:59.999"}}}, {"GapToLeader": "999L"}],
)  # fmt: skip
def test_a_damaged_value_affects_no_other_value_of_the_car(parser: Parser, bad: dict[str, Any]) -> None:
    taken(parser, "TimingData", {"Lines": {"4": {"InPit": False, "NumberOfLaps": 1}}})
    came_in = taken(parser, "TimingData", {"Lines": {"4": bad | {"InPit": True}}})
    went_out = taken(parser, "TimingData", {"Lines": {"4": {"InPit": False}}})
    assert [type(fact) for fact in came_in + went_out if isinstance(fact, PitIn | PitOut)] == [PitIn, PitOut]
    assert [fact.in_pit for fact in went_out if isinstance(fact, Timing)] == [False]


def test_a_set_with_an_impossible_age_affects_no_lap() -> None:
    stint = {"Compound": "SOFT", "New": "false", "TyresNotChanged": "0", "StartLaps": 1_000, "TotalLaps": 1_000}
    feed = [sent("SessionInfo", info(1), 0), sent("DriverList", DRIVERS, 1),
            sent("SessionStatus", {"Status": "Started"}, 2), *run_of_laps("4", 20),
            sent("TimingAppData", {"Lines": {"4": {"Stints": {"0": stint}}}}, 15)]  # fmt: skip
    session, _ = as_session(sorted(feed, key=lambda message: message.sent_ms), "x")
    assert [(lap.compound, lap.tyre_life) for lap in session.laps] == [("SOFT", None)] * 5


def test_memory_per_feed_is_bounded(parser: Parser) -> None:
    for nth in range(3):
        lines = {
            str(number): {"NumberOfLaps": 1, f"Field{number}": 1} for number in range(nth * 900, nth * 900 + 900)
        }
        taken(parser, "TimingData", {"Lines": lines})
    for nth in range(3):
        messages = {str(n): GOOD | {"Message": f"TEXT {nth} {n}"} for n in range(4_000)}
        assert len(taken(parser, "RaceControlMessages", {"Messages": messages})) == 4_000
    assert len(parser.state.laps.cars) == MOST_LINES
    assert len(parser.state._seen) == MOST_SEEN
    assert len(parser.state.counts.unknown_fields) == MOST_NAMES
    assert parser.state.counts.damaged["TimingData"] == 3 * 900 - MOST_LINES
    assert taken(parser, "TimingData", {"Lines": {"5": {"NumberOfLaps": 2}}}) == []
