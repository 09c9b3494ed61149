"""Kafka records into the warehouse, each exactly once, whatever dies.

A flush is one transaction: compare and set the offsets, COPY the rows, commit. Only then is Kafka told. The offsets
in the warehouse are the truth; of two workers that hold the same records one commits, and the other's compare fails.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from f1stream import topics
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.tables import Read, Table
from models import DeadLetter

Execute = Callable[..., Any]


class Partition(NamedTuple):
    """A topic's partition."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far one partition is loaded."""

    incarnation: int
    """How often its topic had been deleted and created anew."""
    next_offset: int
    last_timestamp_ms: int | None = None
    last_hash: str | None = None
    """Of the last record loaded; None before the first."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Consecutive records of one partition, loaded together."""

    partition: Partition
    incarnation: int
    first: int
    """The offset that must be the next to be loaded."""
    reads: list[Read]
    """At least one. Before the first there may be offsets that the log does not have."""

    @property
    def next(self) -> int:
        """The offset after the last record."""
        return self.reads[-1].origin.offset + 1

    def after(self, offset: int) -> Lot | None:
        """What of it is not before ``offset``; None when nothing is."""
        rest = [read for read in self.reads if read.origin.offset >= offset]
        return replace(self, first=max(self.first, offset), reads=rest) if rest else None

    def before(self, offset: int) -> Lot:
        """What of it is before ``offset``, which is not all and not nothing."""
        return replace(self, reads=[read for read in self.reads if read.origin.offset < offset])


class Fenced(Exception):
    """Somebody else has loaded some of these records, or the offsets are not where they were thought to be."""


class Refused(Exception):
    """A record whose values do not fit its table; the text says why."""

    def __init__(self, read: Read, reason: str) -> None:
        super().__init__(reason)
        self.read = read


class Loader:
    """Loads lots. Not for several threads at once; every method may raise snowflake.connector.Error."""

    def __init__(self, warehouse: Warehouse, name: str) -> None:
        self.warehouse = warehouse
        self.name = name
        """Who loads, in ``LOAD_OFFSETS``."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Spent in each phase since the start."""

    def places(self) -> dict[Partition, Place]:
        """How far every partition is loaded, in its newest incarnation."""
        rows = self.warehouse.rows(
            "select kafka_topic, kafka_partition, kafka_incarnation, next_offset, last_timestamp_ms, last_hash "
            "from RAW.LOAD_OFFSETS order by kafka_incarnation"
        )
        return {
            Partition(row["kafka_topic"], row["kafka_partition"]): Place(
                row["kafka_incarnation"], row["next_offset"], row["last_timestamp_ms"], row["last_hash"]
            )
            for row in rows
        }

    def begin_at(self, places: dict[Partition, Place]) -> None:
        """Note partitions, or new incarnations of them, of which nothing is loaded yet."""
        if not places:
            return
        self.warehouse.execute(
            "merge into RAW.LOAD_OFFSETS t using ("
            " select f.value:topic::varchar as topic, f.value:partition::int as part,"
            " f.value:incarnation::int as incarnation, f.value:next::int as next_offset"
            " from table(flatten(input => parse_json(?))) f) s"
            " on t.kafka_topic = s.topic and t.kafka_partition = s.part and t.kafka_incarnation = s.incarnation"
            " when not matched then insert (kafka_topic, kafka_partition, kafka_incarnation, next_offset, loaded_by)"
            " values (s.topic, s.part, s.incarnation, s.next_offset, null)",
            [json.dumps([
                {"topic": of.topic, "partition": of.partition, "incarnation": at.incarnation, "next": at.next_offset}
                for of, at in places.items()
            ])],
        )  # fmt: skip

    def load(self, lots: list[Lot]) -> Counter[str]:
        """Load lots of different partitions in one transaction; returns the rows loaded by table.

        Raises Fenced when an offset is not the one expected; Refused for a record that does not fit its table, and
        with more than one record whatever the warehouse says of it; nothing is loaded then.
        """
        reads = [read for read in self._new(lots) if read.rows]
        by_table: dict[str, list[Read]] = {}
        for read in reads:
            by_table.setdefault(read.origin.topic, []).append(read)
        loaded: Counter[str] = Counter()
        with tempfile.TemporaryDirectory(prefix="f1stream-") as folder:
            files = [
                (tables.BY_TOPIC[topic], self._parquet(tables.BY_TOPIC[topic], own, Path(folder)))
                for topic, own in by_table.items()
            ]
            for _, file in files:
                self._put(file)
            with self.warehouse.transaction() as execute:
                self._compare_and_set(execute, lots)
                for table, file in files:
                    self._copy(execute, table, file, sum(read.rows for read in by_table[table.topic]))
                    loaded[table.name] = sum(read.rows for read in by_table[table.topic])
                self._commit(execute)
        return loaded

    def _new(self, lots: list[Lot]) -> Iterator[Read]:
        """All records but dead letters that are in the warehouse already: those are sent at least once.

        The copies of a letter are in one partition. What was loaded before this lot is seen here, and when something
        is loaded in between, the compare fails.
        """
        known: set[tuple[Any, ...]] | None = None
        for lot in lots:
            if lot.partition.topic != topics.DEAD_LETTERS:
                yield from lot.reads
                continue
            if known is None:
                known = self._known_letters(lots)
            for read in lot.reads:
                if read.rows and (identity := _identity(read.record)) not in known:
                    known.add(identity)
                    yield read

    def _known_letters(self, lots: list[Lot]) -> set[tuple[Any, ...]]:
        letters = [
            read.record
            for lot in lots
            if lot.partition.topic == topics.DEAD_LETTERS
            for read in lot.reads
            if read.rows
        ]
        rows = self.warehouse.rows(
            "select distinct d.consumer, d.refused_topic, d.refused_partition, d.refused_offset, d.timestamp_ms"
            " from RAW.DEAD_LETTERS d join table(flatten(input => parse_json(?))) f"
            " on d.refused_topic = f.value:topic::varchar and d.refused_partition = f.value:partition::int"
            " and d.refused_offset = f.value:offset::int",
            [json.dumps([
                {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset} for letter in letters
            ])],
        )  # fmt: skip
        return {tuple(row.values()) for row in rows}

    # -- the steps, one after the other ------------------------------------------------------------------------

    def _parquet(self, table: Table, reads: list[Read], folder: Path) -> Path:
        with self._timed("parquet"):
            # A name of its own for each attempt: COPY skips files whose names it remembers.
            file = folder / f"{table.name.lower()}-{uuid.uuid4().hex}.parquet"
            try:
                rows = table.arrow(reads)
            except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError) as error:
                raise Refused(reads[0], f"a value does not fit the table: {error}") from error
            pq.write_table(rows, file, compression="snappy")
            return file

    def _put(self, file: Path) -> None:
        with self._timed("put"):
            self.warehouse.execute(f"put file://{file} @RAW.LOADS auto_compress=false overwrite=true")

    def _compare_and_set(self, execute: Execute, lots: list[Lot]) -> None:
        with self._timed("offsets"):
            done = execute(
                "update RAW.LOAD_OFFSETS t set next_offset = s.next_offset, last_timestamp_ms = s.last_timestamp_ms,"
                " last_hash = s.last_hash, loaded_at = current_timestamp()::timestamp_ntz, loaded_by = s.loaded_by"
                " from (select f.value:topic::varchar as topic, f.value:partition::int as part,"
                " f.value:incarnation::int as incarnation, f.value:first::int as first_offset,"
                " f.value:next::int as next_offset, f.value:timestamp::int as last_timestamp_ms,"
                " f.value:hash::varchar as last_hash, f.value:by::varchar as loaded_by"
                " from table(flatten(input => parse_json(?))) f) s"
                " where t.kafka_topic = s.topic and t.kafka_partition = s.part"
                " and t.kafka_incarnation = s.incarnation and t.next_offset = s.first_offset",
                [json.dumps([
                    {
                        "topic": lot.partition.topic, "partition": lot.partition.partition,
                        "incarnation": lot.incarnation, "first": lot.first, "next": lot.next,
                        "timestamp": lot.reads[-1].timestamp_ms, "hash": lot.reads[-1].hash, "by": self.name,
                    }
                    for lot in lots
                ])],
            )  # fmt: skip
            if done.rowcount != len(lots):
                raise Fenced(f"{done.rowcount} of {len(lots)} offsets are where they were")

    def _copy(self, execute: Execute, table: Table, file: Path, rows: int) -> None:
        with self._timed("copy"):
            names = ", ".join(column.name for column in table.columns)
            values = ", ".join(column.expression for column in table.columns)
            done = execute(
                f"copy into RAW.{table.name} ({names}) from (select {values} from @RAW.LOADS/{file.name})"  # noqa: S608
                " file_format = (type = parquet) purge = true"
            )
            at = [column.name.lower() for column in done.description].index("rows_loaded")
            loaded = sum(int(row[at]) for row in done.fetchall())
            if loaded != rows:
                raise WarehouseError(f"The warehouse loaded {loaded} rows of {rows} into {table.name}.")

    def _commit(self, execute: Execute) -> None:
        with self._timed("commit"):
            execute("commit")

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] += time.perf_counter() - began


def halves(lots: list[Lot]) -> tuple[list[Lot], list[Lot]] | None:
    """Lots in two parts that can be loaded one after the other; None for a single record."""
    if len(lots) > 1:
        return lots[: len(lots) // 2], lots[len(lots) // 2 :]
    (lot,) = lots
    if len(lot.reads) == 1:
        return None
    cut = lot.reads[len(lot.reads) // 2].origin.offset
    rest = lot.after(cut)
    return [lot.before(cut)], [rest] if rest else []


def rows_of(lots: Iterable[Lot]) -> int:
    """How many rows lots have."""
    return sum(read.rows for lot in lots for read in lot.reads)


def _identity(letter: DeadLetter) -> tuple[Any, ...]:
    return (letter.consumer, letter.topic, letter.partition, letter.offset, letter.timestamp_ms)
