"""The report of ``f1stream demo``: compares published runs with their frames, dead letters and warehouse rows."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer

from f1stream import topics
from f1stream.kafka import end_offsets
from f1stream.settings import Settings
from f1stream.sources.publish import RunCounts
from f1stream.topics import BadRecord
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import Partition
from models import DeadLetter, Frame, SessionHeader
from models.frame import Tally

QUIET_S = 1.0
"""Dead letters are complete when none has come for this long after the last frame."""
KEYFRAME, ENDED = b'{"kind":"key"', b'"ended":true'
"""How a keyframe begins, and what only the last frame contains: other frames need not be decoded."""


@dataclass
class RunOutcome:
    """The frames and dead letters of one run."""

    published: RunCounts
    frames: set[int] = field(default_factory=set)
    head: SessionHeader | None = None
    tally: Tally | None = None
    """From the last frame; then the run is complete."""
    damaged: str | None = None
    """The reason why the race worker has stopped the run; None if it has not."""
    keyframe: bytes = b""
    """The last one, undecoded."""
    positions: dict[str, int] = field(default_factory=dict)
    """By driver number, from the last frame and its keyframe."""
    dead_letters: dict[tuple[str, str, int, int], DeadLetter] = field(default_factory=dict)
    """By consumer, topic, partition and offset."""

    @property
    def is_over(self) -> bool:
        """Whether no more frames are expected."""
        return self.tally is not None or self.damaged is not None

    def final_order(self) -> list[str]:
        """Three-letter abbreviations in the final order."""
        names = {car.driver_number: car.tla for car in self.head.cars} if self.head else {}
        return [names.get(number, number) for number in sorted(self.positions, key=self.positions.__getitem__)]

    def rejected_by(self, consumer: str) -> Counter[str]:
        """Records that ``consumer`` rejected, by topic. Another consumer may have accepted them."""
        return Counter(letter.topic for letter in self.dead_letters.values() if letter.consumer == consumer)

    def differences(self) -> list[str]:
        """A sentence for each count that does not match."""
        sentences = []
        if self.damaged is not None:
            return [f"Session {self.published.session_key}: the run is damaged: {self.damaged}."]
        if self.tally is None:
            return [f"Session {self.published.session_key}: the last frame is missing."]
        missing = max(self.frames) - min(self.frames) + 1 - len(self.frames)
        if missing:
            sentences.append(f"{missing} frames are missing.")
        rejected = self.rejected_by("race")
        if self.tally.samples != self.published.samples and not rejected[topics.TELEMETRY]:
            sentences.append(
                f"{self.published.samples:,} samples were published, {self.tally.samples:,} are in the race."
            )
        for what, topic in (("laps", topics.LAPS), ("messages", topics.MESSAGES)):
            published, seen = getattr(self.published, what), getattr(self.tally, what)
            if seen + rejected[topic] != published:
                lost = f"{rejected[topic]:,} dead letters"
                sentences.append(f"{published:,} {what} were published, {seen:,} are in the race and {lost}.")
        return [f"Session {self.published.session_key}: {sentence}" for sentence in sentences]


async def collect(settings: Settings, runs: list[RunCounts], progress: Callable[[], None]) -> list[RunOutcome]:
    """Read the frames and dead letters until every run has ended. ``progress`` is called after each poll.

    Invalid records of other publishers are skipped.
    """
    outcomes: dict[tuple[bytes, int | None], RunOutcome] = {
        (run.session_key.encode(), run.epoch): RunOutcome(run) for run in runs
    }
    consumer = AIOKafkaConsumer(
        topics.FRAMES, topics.DEAD_LETTERS, **settings.kafka_client(), auto_offset_reset="earliest",
        enable_auto_commit=False, fetch_max_wait_ms=50, max_partition_fetch_bytes=4 * 1024 * 1024,
    )  # fmt: skip
    await consumer.start()
    quiet = 0.0
    try:
        while quiet < QUIET_S or any(not outcome.is_over for outcome in outcomes.values()):
            began = asyncio.get_running_loop().time()
            batch = await consumer.getmany(timeout_ms=200)
            for message in (message for messages in batch.values() for message in messages):
                outcome = outcomes.get(_run_of(message))
                if outcome is not None:
                    with suppress(BadRecord, LookupError, ValueError):
                        _add(outcome, message)
            quiet = 0.0 if batch else quiet + asyncio.get_running_loop().time() - began
            progress()
    finally:
        await consumer.stop()
    return list(outcomes.values())


def _number(message: Any, header: str) -> int:
    return int(dict(message.headers)[header])


def _run_of(message: Any) -> tuple[bytes, int | None]:
    """Session key and run id. A dead letter has those of the rejected record.

    A record without a valid run id is not ours: everything published here has valid headers, whatever its body.
    """
    epoch = dict(message.headers).get("epoch") or b""
    return (message.key or b"").partition(b":")[0], int(epoch) if epoch.isdigit() else None


def _add(outcome: RunOutcome, message: Any) -> None:
    """Add a record to its outcome. Raises BadRecord, LookupError or ValueError for one that no worker has written."""
    if message.topic == topics.DEAD_LETTERS:
        letter = topics.decode_dead_letter(message.value)
        outcome.dead_letters[letter.consumer, letter.topic, letter.partition, letter.offset] = letter
        return
    if dict(message.headers)["kind"] == b"damaged":
        outcome.damaged = topics.decode_damaged(message.value).reason
        return
    if dict(message.headers)["kind"] == b"head":
        head = topics.decode_frames(message.value)[0]
        outcome.head = head if isinstance(head, SessionHeader) else None
        return
    first = _number(message, "seq")
    outcome.frames.update(range(first, first + _number(message, "count")))
    if dict(message.headers)["keys"]:
        outcome.keyframe = [line for line in message.value.split(b"\n") if line.startswith(KEYFRAME)][-1]
    if ENDED in message.value:
        for frame in topics.decode_frames(b"\n".join([outcome.keyframe, message.value.rpartition(b"\n")[2]])):
            if isinstance(frame, Frame):
                _add_frame(outcome, frame)


def _add_frame(outcome: RunOutcome, frame: Frame) -> None:
    for number, car in frame.cars.items():
        if "position" in car.model_fields_set:
            outcome.positions[number] = car.position
    if frame.race.ended:
        outcome.tally = frame.race.tally


@dataclass(frozen=True)
class WarehouseRows:
    """The number of the runs' rows in each warehouse table."""

    telemetry: int
    laps: int
    messages: int
    dead_letters: int
    duplicates: int
    """Rows with the Kafka position of another row."""

    def total(self) -> int:
        """The number of all rows."""
        return self.telemetry + self.laps + self.messages + self.dead_letters

    def differences(self, outcomes: list[RunOutcome]) -> list[str]:
        """A sentence for each count that does not match."""
        dead = sum((outcome.rejected_by("archive") for outcome in outcomes), Counter[str]())
        sentences = []
        for what, topic, rows in (
            ("samples", topics.TELEMETRY, self.telemetry),
            ("laps", topics.LAPS, self.laps),
            ("messages", topics.MESSAGES, self.messages),
        ):
            published = sum(getattr(outcome.published, what) for outcome in outcomes)
            if rows + dead[topic] != published and not (dead[topic] and what == "samples"):
                sentences.append(f"Warehouse: {published:,} {what} were published, {rows:,} are loaded.")
        if self.duplicates:
            sentences.append(f"Warehouse: {self.duplicates:,} rows are duplicates.")
        return sentences


async def loaded(settings: Settings, runs: list[RunCounts], progress: Callable[[], None]) -> WarehouseRows:
    """Wait until all records that are now in the topics are loaded, and count the rows of the runs."""
    warehouse, loader = Warehouse(settings), Loader(Warehouse(settings), "")
    ends = await end_offsets(
        settings, [Partition(table.topic, n) for table in tables.ALL for n in range(settings.topic_partitions)]
    )
    try:
        while True:
            offsets = await asyncio.to_thread(loader.offsets)
            if all(end == 0 or (of in offsets and offsets[of].next_offset >= end) for of, end in ends.items()):
                break
            progress()
            await asyncio.sleep(0.2)
        return await asyncio.to_thread(count_rows, warehouse, runs)
    finally:
        warehouse.close()
        loader.warehouse.close()


def count_rows(warehouse: Warehouse, runs: list[RunCounts]) -> WarehouseRows:
    """Count the rows of the runs by table, including all rows without a run id (dead letters)."""
    which = json.dumps([{"session": run.session_key, "epoch": run.epoch} for run in runs])
    counts: dict[str, int] = {}
    duplicates = 0
    for table in tables.ALL:
        (row,) = warehouse.rows(
            "select count(*) as n, "  # noqa: S608 - the table's name is ours
            "count(distinct kafka_incarnation, kafka_partition, kafka_offset, kafka_index) as one"
            f" from RAW.{table.name} t join table(flatten(input => parse_json(?))) f"
            " on t.session_key = f.value:session::varchar and (t.epoch = f.value:epoch::int or t.epoch is null)",
            [which],
        )
        counts[table.name.lower()] = row["n"]
        duplicates += row["n"] - row["one"]
    return WarehouseRows(**counts, duplicates=duplicates)


def as_json(
    outcomes: list[RunOutcome], rows: WarehouseRows, seconds: dict[str, float], rss: dict[str, int]
) -> dict[str, Any]:
    """The report of one or more runs: sums over the runs, and the final order of the first."""
    return {
        "session_key": ",".join(outcome.published.session_key for outcome in outcomes),
        "samples": sum(outcome.tally.samples for outcome in outcomes if outcome.tally),
        "laps": sum(outcome.tally.laps for outcome in outcomes if outcome.tally),
        "messages": sum(outcome.tally.messages for outcome in outcomes if outcome.tally),
        "frames": sum(len(outcome.frames) for outcome in outcomes),
        "dead_letters": sum(len(outcome.dead_letters) for outcome in outcomes),
        "warehouse": asdict(rows),
        "final_order": outcomes[0].final_order(),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "peak_rss_mb": {name: round(value / 1e6) for name, value in rss.items()},
    }
