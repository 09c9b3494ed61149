"""Recordings of several sessions, as every recording of the live feed is."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from f1stream.settings import Settings
from f1stream.sources.livetiming import follow
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.live_run import LiveRun
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.packing import OutgoingRecord
from f1stream.sources.publish import RunCounts
from f1stream.sources.session import Session, SourceError
from models import Lap, SessionStatus, Timing
from tests.support.feed import DRIVERS, T0_MS, info, run_of_laps, sent, timing

ENDED = [
    sent("SessionInfo", info(1), 0, snapshot=True),
    sent("DriverList", DRIVERS, 0, snapshot=True),
    sent("SessionStatus", {"Status": "Ends"}, 0, snapshot=True),
    sent("TimingData", {"Lines": {"4": {"NumberOfLaps": 20, "InPit": True}}}, 0, snapshot=True),
]
"""The answer to subscribing between two sessions: the state of the one that is over."""
BEGUN = [
    sent("SessionInfo", info(2, name="Practice 2"), 30),
    sent("DriverList", DRIVERS, 31),
    sent("SessionStatus", {"Status": "Started"}, 60),
]


def laps_of(laps: Iterable[Lap]) -> dict[tuple[str, int], Lap]:
    return {(lap.driver, lap.lap_number): lap for lap in laps}


def live_laps(messages: Iterable[FeedMessage]) -> dict[tuple[str, int], Lap]:
    run = LiveRun(1, 3_000, "live:f1")
    published = [item.record for message in messages for item in run.take(message)]
    published += [item.record for item in run.end(10**7)]
    return laps_of(record for record in published if isinstance(record, Lap))


def test_laps_of_a_session_do_not_depend_on_the_session_before() -> None:
    run = run_of_laps("4", 70)
    after = as_session([*ENDED, *BEGUN, *run], "x")[0]
    alone = as_session([*BEGUN, *run], "x")[0]
    assert after.laps == alone.laps
    assert sorted(laps_of(after.laps)) == [("NOR", lap) for lap in range(1, 6)]
    assert after.start_ms == alone.start_ms == 30_000


def test_facts_of_a_session_are_not_published_in_the_next() -> None:
    session = as_session([*ENDED, *BEGUN, *run_of_laps("4", 70)], "x")[0]
    assert [fact.status for fact in session.messages if isinstance(fact, SessionStatus)] == ["Started"]
    assert not any(isinstance(fact, Timing) and fact.session_time_ms < 0 for fact in session.messages)


@pytest.mark.parametrize("seed", range(4))
def test_the_states_of_one_answer_belong_to_one_session_in_any_order(seed: int) -> None:
    """After a reconnect another session may be on: its states have one time and any order."""
    states = [
        sent("SessionInfo", info(2, name="Practice 2"), 300, snapshot=True),
        sent("DriverList", DRIVERS, 300, snapshot=True),
        sent("SessionStatus", {"Status": "Started"}, 300, snapshot=True),
        sent("TimingData", {"Lines": {"4": {"NumberOfLaps": 1, "InPit": False}}}, 300, snapshot=True),
        sent("TrackStatus", {"Status": "1", "Message": "AllClear"}, 300, snapshot=True),
    ]
    before = [
        sent("SessionInfo", info(1), 0),
        sent("DriverList", DRIVERS, 1),
        sent("SessionStatus", {"Status": "Started"}, 2),
        *run_of_laps("81", 10, 3),
    ]
    after = [
        sent("TimingData", timing("4", NumberOfLaps=2 + nth, LastLapTime={"Value": "1:20.000"}), 390 + 80 * nth)
        for nth in range(3)
    ]
    expected = as_session([*states, *after], "x")[0]
    random.Random(seed).shuffle(states)
    session = as_session([*before, *states, *after], "x")[0]
    assert (session.session_key, session.laps) == ("2", expected.laps)
    assert sorted(map(repr, session.messages)) == sorted(map(repr, expected.messages))
    first = as_session([*before, *states, *after], "x", "1")[0]
    assert first.laps == as_session(before, "x")[0].laps
    assert live_laps([*before, *states, *after]) == laps_of(first.laps)


def test_each_session_of_a_recording_can_be_named_and_the_last_is_the_default() -> None:
    messages = [
        sent("SessionInfo", info(1), 0),
        sent("DriverList", DRIVERS, 1),
        sent("SessionStatus", {"Status": "Started"}, 2),
        *run_of_laps("4", 10, 2),
        sent("SessionInfo", info(2, name="Practice 2"), 1_000),
        sent("DriverList", DRIVERS, 1_001),
        sent("SessionStatus", {"Status": "Started"}, 1_060),
        *run_of_laps("81", 1_070, 3),
    ]
    assert {key: len(as_session(messages, "x", key)[0].laps) for key in ("1", "2")} == {"1": 2, "2": 3}
    assert as_session(messages, "x")[0].session_key == "2"
    with pytest.raises(SourceError, match=r"no session 3, but 1 \(Practice 1\), 2 \(Practice 2\)"):
        as_session(messages, "x", "3")


def test_a_session_that_was_only_announced_is_not_the_default() -> None:
    """A recording beyond the end contains the next session's announcement too."""
    messages = [*BEGUN, *run_of_laps("4", 70), sent("SessionInfo", info(3, "Race", "Race"), 4_000)]
    assert as_session(messages, "x")[0].session_key == "2"


def test_the_state_of_a_session_that_is_over_is_not_the_default() -> None:
    """Also if only the announcement of the next one was received."""
    history = [{"Utc": "2025-10-09T07:53:20Z", "SessionStatus": status} for status in ("Started", "Ends")]
    states = [*ENDED, sent("SessionData", {"StatusSeries": history}, 0, snapshot=True)]
    assert as_session([*states, *BEGUN[:2]], "x")[0].session_key == "2"


@pytest.fixture(scope="module")
def belgium_feed(recordings: Path) -> list[FeedMessage]:
    """2024 Belgian qualifying: it begins with the state of practice 3."""
    return list(open_recording(recordings / "sessions" / "2024_belgium_gp_qualifying" / "recording.jsonl.gz"))


@pytest.fixture(scope="module")
def belgium(belgium_feed: list[FeedMessage]) -> Session:
    return as_session(belgium_feed, "recording:belgium")[0]


def test_belgian_qualifying_after_the_state_of_practice_3_has_all_its_laps(belgium: Session) -> None:
    assert belgium.session_key == "9570"
    assert len(laps_of(belgium.laps)) == 348


def test_belgian_qualifying_is_the_same_live_and_recorded(belgium_feed: list[FeedMessage]) -> None:
    """Up to the last minutes of Q1: the rest uses the same code."""
    messages = belgium_feed[:4_500]
    recorded = laps_of(as_session(messages, "recording:belgium")[0].laps)
    assert live_laps(messages) == recorded
    assert len(recorded) > 90


def test_belgian_qualifying_shows_the_practice_before_when_that_is_named(belgium_feed: list[FeedMessage]) -> None:
    session = as_session(belgium_feed[:13], "recording:belgium", "9569")[0]
    assert session.messages[0].name == "Practice 3"  # type: ignore[union-attr]
    with pytest.raises(SourceError, match=r"9569 \(Practice 3\), 9570 \(Qualifying\)"):
        as_session(belgium_feed[:200], "recording:belgium", "9571")


@pytest.mark.parametrize("status", ["Inactive", "Aborted", "Finished"])
@pytest.mark.parametrize("reconnects", [False, True])
async def test_the_live_client_continues_with_the_next_session_if_the_one_before_was_never_ended(
    monkeypatch: pytest.MonkeyPatch, status: str, reconnects: bool
) -> None:
    """A client that ended here would count as one that followed its session, and would not be restarted."""
    before = [*ENDED[:2], sent("SessionStatus", {"Status": status}, 0, snapshot=True), sent("Heartbeat", {}, 10),
              sent("Heartbeat", {}, 20)]  # fmt: skip
    begun = [replace(message, sent_ms=T0_MS + 30_000, snapshot=True) for message in BEGUN] if reconnects else BEGUN
    end = [sent("SessionStatus", {"Status": "Ends"}, 900), sent("Heartbeat", {}, 901)]
    published: list[OutgoingRecord] = []

    class Broker:
        def __init__(self, *_: object) -> None: ...

        async def put(self, item: OutgoingRecord) -> None:
            published.append(item)

        async def empty(self) -> None: ...

    async def feed() -> AsyncIterator[FeedMessage]:
        for message in [*before, *begun, *run_of_laps("4", 90), *end]:
            yield message

    async def no_warning(*_: object) -> None: ...

    monkeypatch.setattr(follow, "Outbox", Broker)
    monkeypatch.setattr(follow, "warn_of_newer_runs", no_warning)
    counts = RunCounts("live", 1)
    await follow._follow(Settings(), feed(), None, counts, None)
    laps = [item for item in published if isinstance(item.record, Lap)]
    assert [lap.record.lap_number for lap in laps if isinstance(lap.record, Lap)] == [1, 2, 3, 4, 5]
    assert {(lap.key, lap.headers.run_id) for lap in laps} == {(b"2:4", counts.epoch)}
    assert counts.epoch > 1
