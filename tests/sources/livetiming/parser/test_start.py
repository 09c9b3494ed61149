"""When a recorded race started: its first lap begins there."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.parser import Parser
from models import Lap

LAP = {"Sectors": {"2": {"Value": "19.0"}}, "LastLapTime": {"Value": "1:30.000"}, "NumberOfLaps": 1}


def sent(seconds: int, topic: str, data: dict[str, Any]) -> FeedMessage:
    return FeedMessage(topic=topic, data=data, sent_ms=seconds * 1_000)


def status(seconds: int, name: str) -> FeedMessage:
    return sent(seconds, "SessionStatus", {"Status": name})


def aborted(seconds: int) -> FeedMessage:
    message = {"Utc": "2025-05-03T16:00:05", "Category": "Other", "Message": "ABORTED START"}
    return sent(seconds, "RaceControlMessages", {"Messages": [message]})


def on_the_grid() -> Parser:
    parser = Parser(0)
    parser.take(sent(0, "SessionInfo", {"Type": "Race", "Name": "Sprint", "Key": 1}))
    parser.take(sent(0, "DriverList", {"4": {"Tla": "NOR", "RacingNumber": "4"}}))
    parser.take(sent(0, "TimingData", {"Lines": {"4": {"InPit": True}}}))
    parser.take(sent(0, "TimingData", {"Lines": {"4": {"InPit": False}}}))
    return parser


@pytest.mark.parametrize(
    ("messages", "start_ms"),
    [
        ([status(1, "Started")], 1_000),
        ([status(1, "Started"), aborted(5), status(9, "Started")], 9_000),
        ([status(1, "Started"), status(4, "Aborted"), aborted(5), status(9, "Started")], 9_000),
        ([status(1, "Started"), status(4, "Aborted"), status(9, "Started")], 1_000),
    ],
)
def test_the_first_lap_begins_with_the_start_that_was_not_aborted(messages: list[FeedMessage], start_ms: int) -> None:
    parser = on_the_grid()
    facts = [fact for message in messages for fact in parser.take(message)]
    facts += parser.take(sent(99, "TimingData", {"Lines": {"4": LAP}}))
    facts += [*parser.take(sent(199, "Heartbeat", {})), *parser.finish()]
    laps = [fact for fact in facts if isinstance(fact, Lap)]
    assert {lap.start_ms for lap in laps} == {start_ms}
    assert parser.state.laps.started_ms == start_ms


def test_a_race_whose_first_lap_is_over_cannot_have_its_start_aborted() -> None:
    parser = on_the_grid()
    parser.take(status(1, "Started"))
    parser.take(sent(99, "TimingData", {"Lines": {"4": LAP}}))
    parser.take(aborted(150))
    parser.take(status(160, "Started"))
    assert parser.state.laps.started_ms == 1_000
