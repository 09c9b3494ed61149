"""The live feed as a run, record by record: the same records as of a recording."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import pytest

from f1stream import topics
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.live_run import LiveRun
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.merge import merge
from f1stream.sources.packing import OutgoingRecord
from models import Entries, Lap, Packet, SessionEnd, SessionInfo, Track
from tests.support.livetiming_server import ending_at

HOLD_BACK_MS = 3_000


def published(run: LiveRun, messages: list[FeedMessage]) -> list[OutgoingRecord]:
    return [item for message in messages for item in run.take(message)]


@pytest.fixture(scope="module", params=[1_500_000, pytest.param(None, marks=pytest.mark.system)], ids=["Q1", "whole"])
def followed(request: pytest.FixtureRequest, mexico_feed: list[FeedMessage]) -> list[FeedMessage]:
    """The feed that is followed: the first laps of Q1 and the feed's end of the session, or all of it."""
    return mexico_feed if request.param is None else ending_at(mexico_feed, request.param)


@pytest.fixture(scope="module")
def records(followed: list[FeedMessage]) -> list[OutgoingRecord]:
    return published(LiveRun(1, HOLD_BACK_MS, "live:f1"), followed)


def test_samples_and_laps_are_those_of_the_recording(
    records: list[OutgoingRecord], followed: list[FeedMessage]
) -> None:
    session, _ = as_session(followed, "recording:x")
    assert (
        sum(len(item.record.session_time_ms) for item in records if isinstance(item.record, Packet))
        == session.samples()
    )
    laps = {
        (lap.driver_number, lap.lap_number): lap for lap in (item.record for item in records) if isinstance(lap, Lap)
    }
    expected = {(lap.driver_number, lap.lap_number): lap for lap in session.laps}
    assert laps.keys() == expected.keys()
    for key, lap in laps.items():
        assert lap.model_copy(update={"start_utc": None}) == expected[key].model_copy(update={"start_utc": None})


def test_records_are_numbered_without_gaps_and_in_the_order_known(records: list[OutgoingRecord]) -> None:
    by_key: dict[tuple[str, bytes], list[OutgoingRecord]] = {}
    for item in records:
        by_key.setdefault((item.topic, item.key), []).append(item)
    assert len(by_key) == 41
    for items in by_key.values():
        assert [item.headers.seq for item in items] == list(range(len(items)))
        assert all(a.headers.emitted_ms <= b.headers.emitted_ms for a, b in pairwise(items))


def test_it_begins_with_the_session_and_its_cars_and_ends_with_its_end(records: list[OutgoingRecord]) -> None:
    facts = [item.record for item in records if item.topic == topics.MESSAGES]
    assert isinstance(facts[0], SessionInfo)
    assert isinstance(facts[1], Entries)
    assert isinstance(facts[-1], SessionEnd)
    assert sum(isinstance(fact, Track) for fact in facts) == 1
    last = {item.key: item.record for item in records if isinstance(item.record, Packet)}
    assert {packet.until_ms for packet in last.values()} == {facts[-1].session_time_ms}


def test_packets_end_at_the_hold_back_before_now(mexico_feed: list[FeedMessage]) -> None:
    run = LiveRun(1, HOLD_BACK_MS, "live:f1")
    packets = 0
    for message in mexico_feed[:3_000]:
        for item in run.take(message):
            if isinstance(item.record, Packet):
                packets += 1
                assert item.record.until_ms <= message.sent_ms - mexico_feed[0].sent_ms - HOLD_BACK_MS
    assert packets > 1_000


def test_a_session_that_is_over_begins_no_run_and_the_next_one_does(mexico_feed: list[FeedMessage]) -> None:
    """Between two sessions the feed first sends the state of the last one."""
    t0_ms = mexico_feed[0].sent_ms
    before = [
        FeedMessage(
            "SessionInfo", {"Key": 1, "Type": "Practice", "Name": "Practice 3"}, t0_ms - 60_000, snapshot=True
        ),
        FeedMessage("DriverList", {"4": {"Tla": "NOR"}}, t0_ms - 60_000, snapshot=True),
        FeedMessage("SessionStatus", {"Status": "Ends"}, t0_ms - 60_000, snapshot=True),
        FeedMessage("Heartbeat", {}, t0_ms - 30_000),
    ]
    run = LiveRun(1, HOLD_BACK_MS, "live:f1")
    assert published(run, before) == []
    records = published(run, mexico_feed[:2_000])
    assert isinstance(records[0].record, SessionInfo)
    assert {item.key for item in records if item.topic == topics.MESSAGES} == {b"9873"}
    assert records[0].record.name == "Qualifying"


def test_another_session_ends_the_one_that_was_on(mexico_feed: list[FeedMessage]) -> None:
    run = LiveRun(1, HOLD_BACK_MS, "live:f1")
    records = published(run, mexico_feed[:2_000])
    last_ms = mexico_feed[1_999].sent_ms
    records += run.take(FeedMessage("SessionInfo", {"Key": 9999, "Type": "Race", "Name": "Race"}, last_ms))
    assert run.ended
    assert sum(isinstance(item.record, SessionEnd) for item in records) == 1
    assert [message.topic for message in run.left] == ["SessionInfo"]
    assert list(run.take(FeedMessage("Heartbeat", {}, last_ms))) == []
    assert len(run.left) == 1


def test_a_lost_connection_publishes_nothing_twice(mexico_feed: list[FeedMessage]) -> None:
    """After a reconnect the feed sends every state: its race control messages and statuses are not new."""
    states = [message for message in mexico_feed if not message.topic.endswith(".z")]  # samples have no state
    times = [message.sent_ms - mexico_feed[0].sent_ms for message in states]
    half, end = bisect_right(times, 1_300_000), bisect_right(times, 1_800_000)
    feed = states[:end]
    state: dict[str, object] = {}
    for message in feed[:half]:
        state[message.topic] = merge(state.get(message.topic), message.data)
    again = [FeedMessage(topic, data, feed[half].sent_ms, snapshot=True) for topic, data in state.items()]
    plain, lost = LiveRun(1, HOLD_BACK_MS, "x"), LiveRun(1, HOLD_BACK_MS, "x")
    one, other = published(plain, feed), published(lost, feed[:half] + again + feed[half:])
    for kind in ("race_control", "session_status", "team_radio", "pit_in", "pit_out"):
        assert [item.record for item in other if getattr(item.record, "kind", "") == kind] == [
            item.record for item in one if getattr(item.record, "kind", "") == kind
        ], kind
    laps = [{(item.record.driver_number, item.record.lap_number): item.record.lap_time_ms
             for item in items if isinstance(item.record, Lap)} for items in (one, other)]  # fmt: skip
    assert laps[0] == laps[1]
    assert len(laps[0]) > 50
