"""The records that the two stages publish and refuse."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from f1stream import topics
from f1stream.processing.outputs import Output
from f1stream.race.stages import driver_stage, frame_records
from f1stream.race.stages.driver_stage import CHECKPOINT_S, SILENT_S
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.topics import RecordHeaders
from models import Packet, Updates
from tests.support.harness import MemoryKafka, MemoryWorker, encoded

KEY, CAR_KEY = b"sim-4", b"sim-4:7"
HEADERS = RecordHeaders(1, 0, 0).encode()


@cache
def records() -> tuple[Output, ...]:
    """The first seconds of a small race."""
    session = simulate(4, cars=2, laps=1)
    return tuple(encoded(pack(session, 1, 1_000, session.start_ms, session.start_ms + 20_000)))


def raced(*outputs: Output) -> MemoryKafka:
    """The records, processed by one worker."""
    kafka = MemoryKafka(outputs)
    MemoryWorker(kafka).run_to_the_end(500)
    return kafka


@pytest.mark.parametrize(
    ("topic", "key", "value", "headers", "reason"),
    [
        (topics.TELEMETRY, CAR_KEY, b"\xff\x00 no JSON", HEADERS, "the value"),
        (topics.TELEMETRY, CAR_KEY, b'{"driver_number":"7"}', HEADERS, "until_ms"),
        (topics.TELEMETRY, CAR_KEY, None, HEADERS, "the value is null"),
        (topics.TELEMETRY, CAR_KEY, b"{}", [], "header"),
        (topics.TELEMETRY, CAR_KEY, b"{}", RecordHeaders(-1, 0, 0).encode(), "header 'epoch' is -1"),
        (topics.TELEMETRY, b"no car", b"{}", HEADERS, "the key is not session_key:driver_number"),
        (topics.LAPS, CAR_KEY, b"[]", HEADERS, "the value"),
        (topics.MESSAGES, KEY, b'{"kind":"gossip"}', HEADERS, "gossip"),
        (topics.MESSAGES, None, b"{}", HEADERS, "the key is null"),
        (topics.MESSAGES, b"\xffsim", b"{}", HEADERS, "the key is not text"),
        (topics.MESSAGES, KEY, b"{}", [(name, None) for name, _ in HEADERS], "a header is null"),
        (topics.MESSAGES, KEY, b"{}", RecordHeaders(2**64, 0, 0).encode(), "header 'epoch'"),
        (topics.MESSAGES, KEY, b"{}", RecordHeaders(1, 0, 2**40).encode(), "header 'emitted_ms'"),
        (topics.UPDATES, b"\xffsim", b"{}", [], "the key is not text"),
        (topics.UPDATES, KEY, b"{}", [], "entries"),
        (topics.UPDATES, KEY, b'{"entries":[]}', [], "there are no entries in it"),
    ],
)
def test_unusable_record_is_a_dead_letter_with_its_reason(
    topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], reason: str
) -> None:
    kafka = MemoryKafka([Output(topic, key, value, headers, partition=1)])  # type: ignore[arg-type]
    worker = MemoryWorker(kafka)
    for _ in range(3):  # one with a place in a run is pending until the run is silent, in both stages
        worker.run_to_the_end(500)
        worker.now += SILENT_S + 1
    (found,) = kafka.dead_letters()
    assert (found.consumer, found.topic, found.partition, found.offset) == ("race", topic, 1, 0)
    assert reason in found.reason
    assert len(value or b"") == found.length
    assert kafka.unacknowledged() == {}
    (record,) = (record for log in kafka.logs.values() for record in log if record.topic == topics.DEAD_LETTERS)
    assert (record.key, record.headers, record.partition) == (key, list(headers), 1)


def test_a_packet_of_another_car_than_its_key_is_a_dead_letter() -> None:
    packet = next(record for record in records() if record.topic == topics.TELEMETRY)
    stranger = topics.encode(Packet.model_validate_json(packet.value).model_copy(update={"driver_number": "99"}))
    (found,) = raced(replace(packet, value=stranger)).dead_letters()
    assert found.reason == f"driver_number is 99, the key says {topics.session_of(packet.key)[1]}"


def test_updates_of_a_session_are_one_record_a_batch_unless_they_are_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A record of ``updates`` must be well below a broker's limit."""
    whole = raced(*records())
    (log,) = (log for (topic, _), log in whole.logs.items() if topic == topics.UPDATES)
    assert len(log) == 1
    monkeypatch.setattr(driver_stage, "RECORD_BYTES", 10)
    cut = raced(*records())
    (log,) = (log for (topic, _), log in cut.logs.items() if topic == topics.UPDATES)
    assert [len(Updates.model_validate_json(record.value or b"").entries) for record in log] == [1, 1]
    assert cut.frames(1) == whole.frames(1)


def test_drivers_are_stored_once_a_second_and_what_follows_is_acknowledged_with_the_next_checkpoint() -> None:
    kafka = MemoryKafka(each for each in records() if each.topic in {topics.TELEMETRY, topics.LAPS})
    worker = MemoryWorker(kafka)
    worker.driver_batch(1)
    stored, acknowledged = len(kafka.changelogs["cars"]), dict(kafka.committed)
    published = updates(kafka)
    for _ in range(7):
        worker.now += CHECKPOINT_S / 8
        assert worker.driver_batch(1)
    assert updates(kafka) == published + 7
    assert (len(kafka.changelogs["cars"]), kafka.committed) == (stored, acknowledged)
    worker.now += CHECKPOINT_S / 8
    assert worker.driver_stage.is_due
    worker.driver_batch(0)
    assert not worker.driver_stage.is_due
    assert len(kafka.changelogs["cars"]) == stored + 2, "both cars, once"
    assert all(kafka.committed[of] > acknowledged[of] for of in acknowledged)
    worker.start()
    worker.driver_batch(500)
    assert updates(kafka) == published + 8


def test_consecutive_frames_share_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_records, "FRAMES_PER_RECORD", 7)
    kafka = raced(*records())
    (log,) = (log for (topic, _), log in kafka.logs.items() if topic == topics.FRAMES)
    headers = [dict(record.headers) for record in log]
    assert headers[0]["kind"] == b"head"
    counts = [int(each["count"]) for each in headers if each["kind"] == b"frames"]
    assert set(counts[:-1]) == {7}
    assert sum(counts) == len(kafka.frames(1)) == 101


def test_an_ended_session_leaves_memory_and_is_in_its_tables() -> None:
    session = simulate(4, cars=2, laps=1)
    whole = encoded(pack(session, 1, 1_000, session.end_ms - 20_000))
    kafka = MemoryKafka(whole)
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(500)
    assert worker.session_stage.sessions == {}
    frames = kafka.frames(1)
    for record in whole:
        kafka.append(record)  # the same once more: all of it is a repetition
    worker.run_to_the_end(500)
    assert kafka.frames(1) == frames
    assert kafka.unacknowledged() == {}
    assert kafka.dead_letters() == []


def updates(kafka: MemoryKafka) -> int:
    """The number of records of ``updates``."""
    return sum(len(log) for (topic, _), log in kafka.logs.items() if topic == topics.UPDATES)


def test_after_a_rebalance_state_is_read_from_the_tables() -> None:
    """Another worker may have had the partitions in between, and have continued."""
    kafka = MemoryKafka(records())
    worker = MemoryWorker(kafka)
    worker.driver_batch(5)
    worker.session_batch(5)
    stages = worker.driver_stage, worker.session_stage
    for stage in stages:
        stage.reset()
    MemoryWorker(kafka).run_to_the_end(500)  # the other worker
    frames, sent = kafka.frames(1), updates(kafka)
    worker.start()
    for stage, of in zip(stages, (worker.driver_stage, worker.session_stage), strict=True):
        vars(stage).update({name: vars(of)[name] for name in ("_table", "_tables") if name in vars(of)})
    worker.driver_stage, worker.session_stage = stages
    for record in records():
        kafka.append(record)  # all duplicates, according to the tables
    worker.run_to_the_end(500)
    assert kafka.frames(1) == frames
    assert kafka.unacknowledged() == {}
    assert updates(kafka) == sent, "nothing is published again"
