"""The report of a run with rejected records."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaProducer

from f1stream import topics
from f1stream.race.stages.frame_records import damaged_record
from f1stream.report import RunOutcome, _add, collect
from f1stream.sources.publish import RunCounts
from models import DeadLetter, Frame
from models.frame import CarState, RaceState, Tally
from tests.support.rig import Rig

KEY = b"monza"
LETTER = DeadLetter(
    consumer="race", topic=topics.LAPS, partition=0, offset=0, timestamp_ms=0, key="monza:4", reason="no lap",
    body_base64=None, length=0, sha256="",
)  # fmt: skip
LAST = Frame(
    kind="key", t=200, key_t=200, x=[], y=[], speed=[], age=[], gap=[], interval=[], cars={},
    race=RaceState(ended=True, tally=Tally(laps=9)),
)  # fmt: skip


async def test_only_the_race_workers_dead_letters_of_this_run_count(
    tmp_path: Path,
) -> None:
    """Ten laps were published: nine are in the race, which rejected one. The archive rejected it as well."""
    rig = Rig(tmp_path, partitions=1)
    letters = [
        (2, LETTER),
        (2, LETTER.model_copy(update={"consumer": "archive"})),
        (1, LETTER.model_copy(update={"offset": 7})),
        (None, LETTER.model_copy(update={"offset": 8})),
    ]
    try:
        await rig.start()
        async with AIOKafkaProducer(**rig.settings.kafka_client()) as producer:
            for epoch, letter in letters:
                headers = [] if epoch is None else [("epoch", b"%d" % epoch)]
                await producer.send_and_wait(
                    topics.DEAD_LETTERS, topics.encode(letter), key=b"monza:4", headers=headers
                )
            run = [("epoch", b"2")]
            await producer.send_and_wait(topics.DEAD_LETTERS, b"no letter", key=b"monza:4", headers=run)
            for headers in (run, [*run, ("kind", b"head")], [*run, ("kind", b"frames"), ("seq", b"x")]):
                await producer.send_and_wait(topics.FRAMES, b"no frame", key=KEY, headers=headers)
            await producer.send_and_wait(
                topics.FRAMES, topics.encode_frames([LAST]), key=KEY, headers=topics.frame_headers(2, [LAST])
            )
            lost = damaged_record(b"imola", "imola", 2, "message 3 came after 1")
            await producer.send_and_wait(lost.topic, lost.value, key=lost.key, headers=lost.headers)
        outcome, damaged = await collect(
            rig.settings, [RunCounts("monza", 2, laps=10), RunCounts("imola", 2, laps=10)], lambda: None
        )
    finally:
        rig.stop()
    assert damaged.differences() == ["Session imola: the run is damaged: message 3 came after 1."]
    assert outcome.differences() == []
    letters = outcome.dead_letters.values()
    assert [(letter.consumer, letter.offset) for letter in letters] == [
        ("race", 0),
        ("archive", 0),
    ]


def test_the_final_order_is_that_of_the_last_frame_on_its_keyframe() -> None:
    """In a record of their own; the positions of earlier frames, and of an earlier keyframe, do not count."""
    columns: dict[str, list[int | None]] = {key: [] for key in ("x", "y", "speed", "age", "gap", "interval")}

    def frame(t: int, positions: dict[str, int], *, kind: str = "delta", **race: Any) -> Frame:
        cars = {number: CarState(position=position) for number, position in positions.items()}
        return Frame(kind=kind, t=t, key_t=t // 10_000 * 10_000, cars=cars, race=RaceState(**race), **columns)

    records = [
        [frame(10_000, {"4": 2, "1": 1}, kind="key"), frame(10_200, {"4": 1, "1": 2})],
        [frame(20_000, {"4": 1, "1": 3, "63": 2}, kind="key"), frame(20_200, {"4": 3, "1": 1})],
        [frame(20_400, {"1": 2, "63": 3}), frame(20_600, {"1": 2, "63": 3}, ended=True, tally=Tally(laps=9))],
    ]
    outcome = RunOutcome(RunCounts("monza", 2, laps=9))
    for made in records:
        assert not outcome.is_over
        headers = topics.frame_headers(2, made)
        _add(outcome, SimpleNamespace(topic=topics.FRAMES, value=topics.encode_frames(made), headers=headers))
    assert outcome.final_order() == ["4", "1", "63"]
    assert (outcome.tally, outcome.frames) == (Tally(laps=9), {50, 51, 100, 101, 102, 103})
