from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiokafka import AIOKafkaProducer, TopicPartition

from f1stream import topics
from f1stream.embedded import broker
from f1stream.kafka import create_topics
from f1stream.race.stages.frame_records import damaged_record
from f1stream.settings import Settings
from models import Frame, Packet, SessionHeader, Weather
from tests.support.page_marts import BUILT_MS, result, season
from tests.support.page_race import frame, head, lap
from tests.support.rig import Rig
from web.app import create_app
from web.reader import StreamReader
from web.records import decode_marts_record
from web.tape_store import TapeStore


async def test_a_reader_without_a_broker_is_not_connected_and_stops() -> None:
    reader = StreamReader(TapeStore(10**6), Settings(broker="127.0.0.1:1"))
    await reader.start()
    for pause in (0.0, 0.3):
        await asyncio.sleep(pause)
        assert not reader.connected
        assert not reader.caught_up
    async with asyncio.timeout(30):
        await reader.stop()


async def test_a_reader_stopped_while_it_is_refused_stops() -> None:
    """When a refused connection and the cancellation arrive together, aiokafka hides the cancellation."""
    for turns in range(12):
        reader = StreamReader(TapeStore(10**6), Settings(broker="127.0.0.1:1"))
        await reader.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(reader.stop(), 2)


Sent = tuple[str, bytes, bytes | None, list[tuple[str, Any]]]
SENT_MS = 1_750_000_000_000


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A broker without topics."""
    made = Rig(tmp_path, partitions=2)
    port = made.settings.embedded_broker_port
    try:
        await broker.wait_until_up(made._popen(broker.command(port), "broker"), port)
        yield made
    finally:
        made.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def send(rig: Rig, *records: Sent) -> None:
    producer = AIOKafkaProducer(**rig.settings.kafka_client())
    await producer.start()
    try:
        for topic, key, value, headers in records:
            await producer.send_and_wait(topic, value, key=key, headers=headers)
    finally:
        await producer.stop()


def race() -> list[Sent]:
    """A head and two frames."""
    first: SessionHeader = head()
    frames: list[Frame] = [frame(0), frame(1)]
    key = first.session_key.encode()
    return [
        (topics.FRAMES, key, topics.encode_frames([first]), topics.session_headers(1, first)),
        (topics.FRAMES, key, topics.encode_frames(frames), topics.frame_headers(1, frames)),
    ]


def facts() -> list[Sent]:
    """A message, a lap and a packet of the same run, and one of each that cannot be read."""
    headers = topics.RecordHeaders(run_id=1, seq=0, emitted_ms=400).encode()
    weather = Weather(session_time_ms=300, air_temp=1, track_temp=2, humidity=3, pressure=4, rainfall=False,
                   wind_direction=5, wind_speed=6)  # fmt: skip
    samples = Packet(driver_number="4", until_ms=400, session_time_ms=[100, 300], x=[1, 2], y=[1, 2], z=[0, 0],
                     speed=[200, 210], rpm=[1, 1], throttle=[99, 100], brake=[False, True], gear=[7, 8])  # fmt: skip
    driven = lap("4", 1, end_ms=380).record
    lost = damaged_record(b"test_race", "test_race", 1, "message 3 came after 1")
    return [
        (topics.MESSAGES, b"test_race", topics.encode(weather), headers),
        (topics.LAPS, b"test_race:4", topics.encode(driven), headers),
        (topics.TELEMETRY, b"test_race:4", topics.encode(samples), headers),
        (topics.MESSAGES, b"test_race", b"{}", headers),
        (topics.LAPS, b"test_race:4", b"{}", headers),
        (topics.TELEMETRY, b"test_race:4", b"{}", headers),
        (topics.TELEMETRY, b"test_race:4", topics.encode(samples), []),
        (topics.MESSAGES, b"\xff", topics.encode(weather), headers),
        (topics.LAPS, b"test_race:4", topics.encode(driven), [(name, None) for name, _ in headers]),
        (topics.FRAMES, b"test_race", b"{}", [("kind", None)]),
        (topics.FRAMES, b"\xff", b"{}", [("kind", b"head")]),
        (topics.FRAMES, b"test_race", b"{}", topics.damaged_headers(1)),
        (topics.FRAMES, lost.key or b"", lost.value, lost.headers),
    ]


def taken(*records: Sent, caught_up: bool = True) -> StreamReader:
    """A reader that was given records as a consumer gives them, each with a Kafka timestamp of ``SENT_MS``."""
    reader = StreamReader(TapeStore(2**26), Settings(broker="127.0.0.1:1"))
    reader.caught_up = caught_up
    for offset, (topic, key, value, headers) in enumerate(records):
        message = SimpleNamespace(key=key, value=value, headers=headers, offset=offset, timestamp=SENT_MS)
        reader._receive({TopicPartition(topic, 0): [message]})
    return reader


def stamped(epoch: int = 1, seq: int = 0) -> list[tuple[str, Any]]:
    return topics.RecordHeaders(run_id=epoch, seq=seq, emitted_ms=400).encode()


def run_of(epoch: int, key: bytes = b"test_race") -> list[Sent]:
    frames = [frame(0), frame(1)]
    first = head(session=key.decode(), epoch=epoch)
    return [
        (topics.FRAMES, key, topics.encode_frames([first]), topics.session_headers(epoch, first)),
        (topics.FRAMES, key, topics.encode_frames(frames), topics.frame_headers(epoch, frames)),
    ]


FRAME_HEADERS = topics.frame_headers(1, [frame(2)])
BIG = 10**30
WEATHER = {
    "kind": "weather", "session_time_ms": 300, "air_temp": 1, "track_temp": 2, "humidity": 3, "pressure": 4,
    "rainfall": False, "wind_direction": 5, "wind_speed": 6,
}  # fmt: skip
SAMPLES = {
    "session_time_ms": [100, 300], "x": [1, 2], "y": [1, 2], "speed": [200, 210], "throttle": [99, 100],
    "brake": [False, True], "gear": [7, 8],
}  # fmt: skip
UNREADABLE: dict[str, Sent] = {
    "frames that are no JSON": (topics.FRAMES, b"test_race", b"nonsense", FRAME_HEADERS),
    "frames of another time": (topics.FRAMES, b"test_race", topics.encode_frames([frame(3)]), FRAME_HEADERS),
    "frames of a great number": (
        topics.FRAMES, b"test_race", b"{}", [*FRAME_HEADERS, ("seq", b"9" * 30), ("keys", b"9" * 30)],
    ),
    "a number of 5,000 digits": (topics.FRAMES, b"test_race", b"{}", [*FRAME_HEADERS, ("seq", b"9" * 5_000)]),
    "a head that is no JSON": (topics.FRAMES, b"test_race", b"nonsense", topics.session_headers(2, head(epoch=2))),
    "a head that is a frame": (
        topics.FRAMES, b"test_race", topics.encode_frames([frame(0)]), topics.session_headers(2, head(epoch=2)),
    ),
    "a message with a great number": (
        topics.MESSAGES, b"test_race", orjson.dumps(WEATHER).replace(b"300", b"%d" % BIG), stamped(),
    ),
    "a lap with a great number": (
        topics.LAPS, b"test_race:4", topics.encode(lap("4", 1).record).replace(b"60000", b"%d" % BIG), stamped(),
    ),
    "a sample of infinity": (
        topics.TELEMETRY, b"test_race:4", orjson.dumps(SAMPLES).replace(b'"x":[1', b'"x":[1e400'), stamped(),
    ),
    "a sample far away": (
        topics.TELEMETRY, b"test_race:4", orjson.dumps(SAMPLES | {"y": [1e38, 2]}), stamped(),
    ),
    "a season of a great year": (
        topics.MARTS, b"season:%d" % BIG, topics.encode(season()).replace(b'"season":2023', b'"season":%d' % BIG), [],
    ),
    "a result of a great round": (
        topics.MARTS, b"session:test_race", topics.encode(result()).replace(b'"round":3', b'"round":%d' % BIG), [],
    ),
    "a run of the year 146 million": (topics.MESSAGES, b"test_race", orjson.dumps(WEATHER), stamped(epoch=2**62)),
    "samples of tomorrow's run": (
        topics.TELEMETRY, b"test_race:4", orjson.dumps(SAMPLES), stamped(epoch=SENT_MS + 86_400_000),
    ),
    "a head of tomorrow's run": run_of(SENT_MS + 86_400_000)[0],
}  # fmt: skip


@pytest.mark.parametrize("bad", UNREADABLE.values(), ids=UNREADABLE)
async def test_an_unreadable_record_affects_nothing_else(bad: Sent, caplog: pytest.LogCaptureFixture) -> None:
    frames = [frame(2)]
    good: Sent = (topics.FRAMES, b"test_race", topics.encode_frames(frames), topics.frame_headers(1, frames))
    reader = taken(*run_of(1), *run_of(1, b"other"), bad, good, *marts())
    assert reader.bad_records == 1
    assert f"{bad[0]} partition 0 offset 4 cannot be shown" in caplog.text
    async with TestClient(TestServer(create_app(Settings(), reader))) as client:
        listed = (await (await client.get("/api/sessions")).json())["sessions"]
        assert [(each["session_key"], each["epoch"], each["to_ms"]) for each in listed] == [
            ("test_race", 1, 400), ("other", 1, 200),
        ]  # fmt: skip
        for path in ("state", "laps", "gaps", "weather", "race-control", "result", "season"):
            answer = await client.get(f"/api/sessions/test_race/{path}")
            assert answer.status in {200, 404}, await answer.text()
        body = await (await client.get("/api/seasons")).json()
        assert [each["season"] for each in body["seasons"]] == [2023]


def test_repeated_bad_records_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bad = UNREADABLE["frames that are no JSON"]
    reader = taken(*run_of(1), *[bad] * 150, UNREADABLE["a lap with a great number"])
    assert reader.bad_records == 151
    assert [line.split(" partition")[0] for line in caplog.messages] == ["frames"] * 3 + ["laps"]
    assert caplog.messages[2].endswith("(the 100th of this session)")


def test_bad_records_of_many_sessions_are_logged_for_some_of_them(caplog: pytest.LogCaptureFixture) -> None:
    topic, _, value, headers = UNREADABLE["a message with a great number"]
    reader = taken(*((topic, b"session-%d" % n, value, headers) for n in range(1_000)))
    assert (reader.bad_records, len(reader._bad_by_session)) == (1_000, 201)
    assert len(caplog.messages) == 200 + 3


def test_a_run_id_within_an_hour_of_its_records_replaces_the_older_run() -> None:
    reader = taken(*run_of(SENT_MS), *run_of(SENT_MS + 3_600_000))
    tape = reader.tapes.get("test_race")
    assert tape is not None
    assert (tape.run_id, reader.bad_records) == (SENT_MS + 3_600_000, 0)


@pytest.mark.system
async def test_laps_messages_and_samples_appear_at_the_time_they_became_known(rig: Rig) -> None:
    await create_topics(rig.settings)
    await send(rig, *race(), *facts())
    reader = StreamReader(TapeStore(10**6), rig.settings)
    await reader.start()
    try:
        await until(lambda: reader.caught_up and reader.bad_records == 9)
        tape = reader.tapes.get("test_race")
        assert tape is not None
        assert tape.damaged == "message 3 came after 1"
        assert tape.history.between(0, 399) == []
        kinds = [orjson.loads(entry)["kind"] for entry in tape.history.between(0, 400)]
        assert sorted(kinds) == ["lap", "weather"]
        assert tape.samples.lap("4", 0, 400).speed.tolist() == [200, 210]
    finally:
        await reader.stop()


def marts(built_ms: int = BUILT_MS) -> list[Sent]:
    records = (result(built_ms=built_ms), season(built_ms=built_ms))
    return [(topics.MARTS, topics.marts_key(each), topics.encode(each), []) for each in records]


@pytest.mark.system
async def test_frames_go_to_the_tapes_and_marts_to_the_results_once_both_topics_are_there(rig: Rig) -> None:
    reader = StreamReader(TapeStore(10**6), rig.settings)
    await reader.start()
    try:
        await until(lambda: reader.connected)
        assert not reader.caught_up, "there is nothing to read yet"
        await create_topics(rig.settings)
        await send(rig, *marts(), *race())
        await until(lambda: reader.caught_up and reader.tapes.get("test_race") is not None)
        await until(lambda: reader.marts.season(2023) is not None)
        kept = reader.marts.session("test_race")
        assert kept is not None
        assert topics.decode_marts(kept.value) == result()
        await send(rig, *marts(BUILT_MS + 1))
        await until(lambda: reader.marts.version == f"{BUILT_MS + 1}-2")
        await until(lambda: reader.lag == 0)
        assert reader.bad_records == 0
    finally:
        await reader.stop()


@pytest.mark.system
async def test_an_old_session_makes_room_also_when_no_frame_arrives(rig: Rig) -> None:
    await create_topics(rig.settings)
    (topic, _, value, _), *_ = facts()
    runs = [(b"old", 1), (b"new", 10**12)]
    await send(rig, *((topic, key, value, topics.RecordHeaders(epoch, 0, 400).encode()) for key, epoch in runs))
    reader = StreamReader(TapeStore(1), rig.settings)
    await reader.start()
    try:
        await until(lambda: reader.caught_up and reader.lag == 0)
        assert reader.bad_records == 0
        assert reader.tapes.of_run("old", 1) is None, "it is still in memory"
        assert reader.tapes.of_run("new", 10**12) is not None
    finally:
        await reader.stop()


@pytest.mark.system
async def test_unreadable_marts_are_counted_and_the_previous_ones_stay(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await create_topics(rig.settings)
    (_, key, value, _), year = marts()
    bad: list[Sent] = [(topics.MARTS, key, b"{}", []), (topics.MARTS, b"session:other", value, [])]
    await send(rig, (topics.MARTS, key, value, []), *bad, year)
    reader = StreamReader(TapeStore(10**6), rig.settings)
    await reader.start()
    try:
        await until(lambda: reader.marts.season(2023) is not None)
        assert reader.bad_records == 2
        assert reader.marts.session("test_race") is not None
        assert reader.marts.session("other") is None
        assert f"{topics.MARTS} partition 0 offset 1 cannot be shown" in caplog.text
        await until(lambda: reader.caught_up and reader.lag == 0)
    finally:
        await reader.stop()


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"session:test_race", None, "the value is null"),
        (b"session:test_race", b"{}", "discriminator"),
        (b"season:2022", topics.encode(season()), "but the value is for b'season:2023'"),
        (None, topics.encode(result()), "the key is None"),
    ],
)
def test_an_invalid_marts_record_is_refused_with_the_reason(
    key: bytes | None, value: bytes | None, reason: str
) -> None:
    with pytest.raises(topics.BadRecord, match=reason):
        decode_marts_record(key, value)
