"""A session as records: in order, numbered, complete and without duplicates."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from f1stream import topics
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from f1stream.sources.simulator import simulate
from models import Packet, SessionEnd, SessionInfo
from models.frame import FRAME_MS

EPOCH = 7
AT_TIES = {topics.MESSAGES: 0, topics.LAPS: 1, topics.TELEMETRY: 2}


@pytest.fixture(scope="module")
def race() -> Session:
    return simulate(seed=2, cars=5, laps=3)


@pytest.fixture(scope="module", params=[200, 250, 1_000, 3_000])
def packed(request: pytest.FixtureRequest, race: Session) -> list[OutgoingRecord]:
    return list(pack(race, EPOCH, request.param))


def times_of(records: list[OutgoingRecord]) -> dict[str, list[int]]:
    times: dict[str, list[int]] = defaultdict(list)
    for item in records:
        if isinstance(item.record, Packet):
            times[item.record.driver_number] += item.record.session_time_ms
    return times


def test_records_are_ordered_by_time_then_messages_laps_packets(packed: list[OutgoingRecord]) -> None:
    places = [(item.headers.emitted_ms, AT_TIES[item.topic]) for item in packed]
    assert places == sorted(places)


def test_records_are_numbered_without_a_gap_by_topic_and_key(packed: list[OutgoingRecord]) -> None:
    seen: Counter[tuple[str, bytes]] = Counter()
    for item in packed:
        assert item.headers.seq == seen[item.topic, item.key]
        seen[item.topic, item.key] += 1


def test_every_packet_names_the_laps_and_messages_before_it(packed: list[OutgoingRecord]) -> None:
    before: Counter[tuple[str, bytes]] = Counter()
    for item in packed:
        if item.topic == topics.TELEMETRY:
            assert item.headers.laps == before[topics.LAPS, item.key]
            assert item.headers.messages == before[topics.MESSAGES, b"sim-2"]
        before[item.topic, item.key] += 1


def test_every_sample_is_in_one_packet(packed: list[OutgoingRecord], race: Session) -> None:
    (info,) = (item.record for item in packed if isinstance(item.record, SessionInfo))
    assert times_of(packed) == {
        number: [t for t in columns["session_time_ms"].tolist() if t > info.start_ms]
        for number, columns in race.telemetry.items()
    }


def test_packets_hold_the_samples_after_the_previous_one(packed: list[OutgoingRecord]) -> None:
    untils: dict[str, list[int]] = defaultdict(list)
    for item in packed:
        if isinstance(item.record, Packet):
            before = untils[item.record.driver_number]
            assert all(t > before[-1] for t in item.record.session_time_ms[:1] if before)
            before.append(item.record.until_ms)
    assert all(earlier < later for until in untils.values() for earlier, later in pairwise(until))


def test_every_lap_and_message_is_published_once(packed: list[OutgoingRecord], race: Session) -> None:
    published = [item.record for item in packed if item.topic == topics.MESSAGES]
    assert published[:-1] == sorted(race.messages, key=lambda message: message.session_time_ms)
    assert [item.record for item in packed if item.topic == topics.LAPS] == race.laps


def test_run_ends_on_a_frame_for_every_car(packed: list[OutgoingRecord], race: Session) -> None:
    (end,) = (item.record for item in packed if isinstance(item.record, SessionEnd))
    assert end.session_time_ms % FRAME_MS == 0
    assert 0 <= end.session_time_ms - race.end_ms < FRAME_MS
    last = {item.record.driver_number: item.record.until_ms for item in packed if isinstance(item.record, Packet)}
    assert last == dict.fromkeys(race.telemetry, end.session_time_ms)


def test_part_of_a_session_has_its_samples_and_first_the_earlier_facts(race: Session) -> None:
    begin, end = race.start_ms + 95_100, race.start_ms + 130_300
    part = list(pack(race, EPOCH, 1_000, begin, end))
    close = -(-end // FRAME_MS) * FRAME_MS
    assert times_of(part) == {
        number: [t for t in columns["session_time_ms"].tolist() if begin < t <= close]
        for number, columns in race.telemetry.items()
    }
    assert isinstance(part[0].record, SessionInfo)
    assert part[0].record.start_ms == begin
    earlier = [message for message in race.messages if message.session_time_ms <= begin]
    assert [item.headers.emitted_ms for item in part[: len(earlier)]] == [begin] * len(earlier)
    assert [item.record.session_time_ms for item in part if item.topic == topics.MESSAGES][-1] == close
    assert [item.record for item in part if item.topic == topics.LAPS] == [
        lap for lap in race.laps if lap.end_ms <= close
    ]
