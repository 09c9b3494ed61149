"""The status of session and track, from whichever topics a recording has."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.statuses import StatusSequence
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from f1stream.sources.timestamps import utc_text
from models import Notice, SessionPart, SessionStatus, TrackStatus
from tests.support import pipeline
from tests.support.feed import DRIVERS, T0_MS, info, run_of_laps, sent

RACE = [
    sent("SessionInfo", info(9, "Race", "Race"), 0),
    sent("DriverList", DRIVERS, 1),
    sent("TimingData", {"Lines": {"4": {"InPit": False}, "81": {"InPit": False}}}, 2),
]


def series(nth: int, seconds: float, **status: str) -> dict[str, Any]:
    return {"StatusSeries": {str(nth): {"Utc": utc_text(T0_MS + round(seconds * 1000)), **status}}}


def statuses(session: Session) -> list[tuple[int, str]]:
    return [(fact.session_time_ms, fact.status) for fact in session.messages if isinstance(fact, SessionStatus)]


def track(session: Session) -> list[tuple[int, str, str]]:
    return [
        (fact.session_time_ms, fact.status, fact.message)
        for fact in session.messages
        if isinstance(fact, TrackStatus)
    ]


def test_a_race_starts_when_only_session_data_says_so() -> None:
    messages = [*RACE, sent("SessionData", series(1, 60, SessionStatus="Started"), 60), *run_of_laps("4", 60)]
    session = as_session(sorted(messages, key=lambda message: message.sent_ms), "x")[0]
    assert session.start_ms == 60_000
    race = pipeline.run(session, 1_000).race.race
    assert race is not None
    assert (race.status, race.started_ms) == ("Started", 60_000)


@pytest.mark.parametrize("delays", [(0.0, 0.2), (0.2, 0.0), (0.0, 3.0), (3.0, 0.0)])
def test_a_status_in_two_topics_is_published_once_with_the_first(delays: tuple[float, float]) -> None:
    happened = [(60, "Started", "1"), (300, "Aborted", "5"), (900, "Started", "1"), (2_000, "Finished", "2")]
    words = {"1": "AllClear", "2": "Yellow", "5": "Red"}
    own, other = delays
    messages = list(RACE)
    for nth, (at, status, code) in enumerate(happened):
        messages += [
            sent("SessionStatus", {"Status": status}, at + own),
            sent("TrackStatus", {"Status": code, "Message": words[code]}, at + own),
            sent("SessionData", series(2 * nth, at, SessionStatus=status), at + other),
            sent("SessionData", series(2 * nth + 1, at, TrackStatus=words[code]), at + other),
        ]
    session = as_session(sorted(messages, key=lambda message: message.sent_ms), "x")[0]
    assert statuses(session) == [(at * 1000, status) for at, status, _ in happened]
    assert track(session) == [(at * 1000, code, words[code]) for at, _, code in happened]


def test_a_change_that_either_source_has_is_published() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        truth = [chance.choice("AB") for _ in range(12)]
        truth = [status for nth, status in enumerate(truth) if nth == 0 or status != truth[nth - 1]]
        sequence = StatusSequence()
        for status in truth:
            for source in ("one", "other") if chance.random() < 0.5 else ("one",):
                sequence.is_new(source, status)
        assert sequence.statuses == truth


def test_a_late_joiner_knows_when_the_session_started() -> None:
    history = [
        {"Utc": utc_text(T0_MS - 900_000), "TrackStatus": "Yellow"},
        {"Utc": utc_text(T0_MS - 840_000), "SessionStatus": "Started"},
        {"Utc": utc_text(T0_MS - 120_000), "TrackStatus": "Red"},
        {"Utc": utc_text(T0_MS - 119_000), "SessionStatus": "Aborted"},
    ]
    states = [
        sent("SessionStatus", {"Status": "Aborted", "Started": "Started"}, 0, snapshot=True),
        sent("TrackStatus", {"Status": "5", "Message": "Red"}, 0, snapshot=True),
        sent("SessionData", {"Series": [], "StatusSeries": history}, 0, snapshot=True),
        sent("DriverList", DRIVERS, 0, snapshot=True),
        sent("SessionInfo", info(9, "Race", "Race"), 0, snapshot=True),
    ]
    session = as_session([*states, sent("Heartbeat", {}, 1), sent("Heartbeat", {}, 30)], "x")[0]
    assert statuses(session) == [(-840_000, "Started"), (-119_000, "Aborted")]
    assert track(session) == [(0, "5", "Red")]
    race = pipeline.run(session, 1_000).race.race
    assert race is not None
    assert (race.started_ms, race.suspended) == (-840_000, True)


def test_parts_of_a_qualifying_are_those_of_session_data_where_timing_has_none() -> None:
    def part(seconds: float, nth: int, number: int) -> FeedMessage:
        entry = {"Utc": utc_text(T0_MS + round(seconds * 1000)), "QualifyingPart": number}
        return sent("SessionData", {"Series": {str(nth): entry}}, seconds)

    head = [sent("SessionInfo", info(9, "Qualifying", "Qualifying"), 0), sent("DriverList", DRIVERS, 1)]
    alone = [*head, part(2, 0, 0), part(5, 1, 1), part(1_500, 2, 2), sent("Heartbeat", {}, 1_600)]
    parts = [fact for fact in as_session(alone, "x")[0].messages if isinstance(fact, SessionPart)]
    assert [(fact.part, fact.session_time_ms) for fact in parts] == [(1, 5_000), (2, 1_500_000)]
    timed = sent("TimingData", {"NoEntries": [20, 15, 10], "SessionPart": 1, "Lines": {}}, 4)
    both = [*head, timed, part(5, 0, 1), part(1_500, 1, 2), sent("TimingData", {"SessionPart": 2}, 1_501)]
    parts = [fact for fact in as_session(both, "x")[0].messages if isinstance(fact, SessionPart)]
    assert [(fact.part, fact.session_time_ms) for fact in parts] == [(1, 4_000), (2, 1_501_000)]


def test_sao_paulo_sprint_without_its_status_topic_goes_on_and_ends(recordings: Path) -> None:
    """By FastF1's client, joined under the red flag: restart and end are in SessionData only."""
    feed = list(open_recording(recordings / "sessions" / "2025_brazil_sprint_fastf1"))
    named = {"SessionInfo", "DriverList", "SessionStatus", "SessionData"}
    session = as_session([each for each in feed if each.topic in named], "x")[0]
    assert [status for _, status in statuses(session)] == ["Started", "Aborted", "Started", "Finished", "Finalised"]
    started, aborted, restarted, *_ = (at for at, _ in statuses(session))
    assert started < aborted < 0 < restarted
    assert restarted == 880_919


def test_imola_qualifying_without_its_status_topic_has_three_parts_that_start(recordings: Path) -> None:
    feed = list(open_recording(recordings / "mexico2025_qualifying" / "signalr_capture" / "2024_Imola_Qualifying"))
    session = as_session([each for each in feed if each.topic in {"SessionInfo", "DriverList", "SessionData"}], "x")[
        0
    ]
    assert [status for _, status in statuses(session)].count("Started") == 3
    assert [status for _, status in statuses(session)][-1] == "Finalised"
    parts = [fact.part for fact in session.messages if isinstance(fact, SessionPart)]
    assert parts == [1, 2, 3]


def test_a_late_joiner_gets_no_notice_of_topics_that_had_no_time_to_arrive() -> None:
    history = [{"Utc": utc_text(T0_MS - 840_000), "SessionStatus": "Started"}]
    states = [
        sent("SessionInfo", info(9), 0, snapshot=True), sent("DriverList", DRIVERS, 0, snapshot=True),
        sent("SessionData", {"StatusSeries": history}, 0, snapshot=True),
    ]  # fmt: skip
    session = as_session([*states, sent("Heartbeat", {}, 1), sent("Heartbeat", {}, 20)], "x")[0]
    assert session.start_ms == 0
    notices = [(fact.about, fact.session_time_ms) for fact in session.messages if isinstance(fact, Notice)]
    assert notices == [("CarData.z", 20_000), ("Position.z", 20_000)]
