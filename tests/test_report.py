"""The report of a run with rejected records."""

from __future__ import annotations

from pathlib import Path

from aiokafka import AIOKafkaProducer

from f1stream import topics
from f1stream.race.stages.frame_records import damaged_record
from f1stream.report import collect
from f1stream.sources.publish import RunCounts
from models import DeadLetter, Frame
from models.frame import RaceState, Tally
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


async def test_of_the_dead_letters_those_count_with_which_the_race_refused_a_record_of_this_run(
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
