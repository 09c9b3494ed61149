"""Loads batches of records and their partitions' offsets in one transaction."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import snowflake.connector

from f1stream import metrics, topics
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse, error_text, refuses_data, suggest_init
from f1stream.warehouse.errors import DataRefused, Fenced, WarehouseError
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from f1stream.warehouse.tables import DecodedRecord, Table
from models import DeadLetter

Execute = Callable[..., Any]
GROUP_ROWS = 20_000
"""Rows that are converted at once, to a row group of the file. All rows of a flush at once would need 30 MB more."""


class Loader:
    """Loads batches. Not thread-safe; every method may raise snowflake.connector.Error."""

    def __init__(self, warehouse: Warehouse, name: str) -> None:
        self.warehouse = warehouse
        self.name = name
        """This worker, in column ``loaded_by`` of ``LOAD_OFFSETS``."""
        self._lockable: set[Partition] = set()
        """Partitions that have a row in ``LOAD_LOCKS``."""

    def offsets(self) -> dict[Partition, LoadedOffset]:
        """The loaded offset of every partition, in its newest incarnation. Raises WarehouseError for duplicates."""
        return {of: loaded for (of, _), loaded in self._stored(self.warehouse.execute).items()}

    @suggest_init()
    def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """Insert first offsets of new partitions or incarnations; existing rows stay unchanged."""
        if not offsets:
            return
        self._insert_locks(offsets)
        with self.warehouse.transaction() as execute:
            self._lock(execute, offsets)
            execute(
                "insert into RAW.LOAD_OFFSETS (kafka_topic, kafka_partition, kafka_incarnation, next_offset)"
                " select s.topic, s.part, s.incarnation, s.next_offset from ("
                "select f.value:topic::varchar as topic, f.value:partition::int as part,"
                " f.value:incarnation::int as incarnation, f.value:next::int as next_offset"
                " from table(flatten(input => parse_json(?))) f) s left join RAW.LOAD_OFFSETS t"
                " on t.kafka_topic = s.topic and t.kafka_partition = s.part and t.kafka_incarnation = s.incarnation"
                " where t.kafka_topic is null",
                [json.dumps([
                    {"topic": of.topic, "partition": of.partition, "incarnation": at.incarnation,
                     "next": at.next_offset}
                    for of, at in offsets.items()
                ])],
            )  # fmt: skip
            execute("commit")

    @suggest_init()
    def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        """Load batches of different partitions in one transaction; returns the rows loaded by table.

        1. Put the rows into the stage as Parquet files, from memory: a crash leaves nothing on disk. A file that
           remains in the stage is not loaded again: each attempt has its own file names.
        2. Begin. Copy the files into the tables, and insert the numbers of samples by run: a worker that dies here
           holds no lock that another one waits for.
        3. Update the partitions' rows in ``LOAD_LOCKS``: another worker's update of them waits for the end of this
           transaction. Only then read the stored offsets, in a statement of their own: Snowflake documents that a
           statement sees what was committed before it began, and not what one that has waited sees.
        4. Compare each stored offset with the batch's first offset, and set it to the batch's end.
        5. Commit. The locks are held from 3 on, for the last statements of the transaction.

        Raises Fenced when an offset is not the expected one, and DataRefused for values that do not fit; then nothing
        is loaded. After a snowflake.connector.Error either everything is loaded or nothing is.
        """
        try:
            return self._load(batches)
        except snowflake.connector.Error as error:
            if not refuses_data(error):
                raise
            raise DataRefused(f"the warehouse refused it: {error_text(error)}") from error
        finally:
            pa.default_memory_pool().release_unused()  # 65 MB of files and columns, between two flushes

    def _load(self, batches: list[PartitionBatch]) -> Counter[str]:
        records = [record for record in self._new(batches) if record.rows]
        by_table: dict[str, list[DecodedRecord]] = {}
        for record in records:
            by_table.setdefault(record.origin.topic, []).append(record)
        loaded: Counter[str] = Counter()
        files: list[tuple[Table, str]] = []
        for topic, own in by_table.items():
            table = tables.BY_TOPIC[topic]
            # A new name for each attempt: COPY skips files that it has loaded under the same name.
            files.append((table, f"{table.name.lower()}-{uuid.uuid4().hex}.parquet"))
            self._put(files[-1][1], self._parquet(table, own))
        self._insert_locks(batch.partition for batch in batches)
        with self.warehouse.transaction() as execute:
            for table, file in files:
                self._copy(execute, table, file, sum(record.rows for record in by_table[table.topic]))
                loaded[table.name] = sum(record.rows for record in by_table[table.topic])
            self._count_samples(execute, by_table.get(topics.TELEMETRY, []))
            self._compare_and_set(execute, batches)
            self._commit(execute)
        return loaded

    def _new(self, batches: list[PartitionBatch]) -> Iterator[DecodedRecord]:
        """The records without dead letters that are already loaded: producers send those at least once.

        All copies of a dead letter are in one partition, so the query sees every copy loaded before this batch. If
        another worker loads one after the query, the comparison of offsets fails.
        """
        loaded: set[tuple[Any, ...]] | None = None
        for batch in batches:
            if batch.partition.topic != topics.DEAD_LETTERS:
                yield from batch.records
                continue
            if loaded is None:
                loaded = self._loaded_dead_letters(batches)
            for record in batch.records:
                if record.rows and (identity := _identity(record.record)) not in loaded:
                    loaded.add(identity)
                    yield record

    def _loaded_dead_letters(self, batches: list[PartitionBatch]) -> set[tuple[Any, ...]]:
        letters = [
            record.record
            for batch in batches
            if batch.partition.topic == topics.DEAD_LETTERS
            for record in batch.records
            if record.rows
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

    # -- the steps ------------------------------------------------------------------------------------------------

    def _parquet(self, table: Table, records: list[DecodedRecord]) -> IO[bytes]:
        with self._timed("parquet"):
            content = io.BytesIO()
            with pq.ParquetWriter(content, table.schema, compression="snappy", use_dictionary=_texts(table)) as file:
                for group in _row_groups(records):
                    try:
                        file.write_table(table.arrow(group))
                    except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError) as error:
                        raise DataRefused(f"a value does not fit the table: {error}") from error
            content.seek(0)
            return content

    def _put(self, file: str, content: IO[bytes]) -> None:
        with self._timed("put"):
            self.warehouse.execute(
                f"put 'file://{file}' @RAW.LOADS auto_compress=false overwrite=true", content=content
            )

    def _insert_locks(self, partitions: Iterable[Partition]) -> None:
        """Insert the missing rows of ``LOAD_LOCKS``, for all to see before one of them is locked.

        Two workers at once may insert two rows of a partition. Each of them then locks the one that was first.
        """
        new = set(partitions) - self._lockable
        if not new:
            return
        self.warehouse.execute(
            "insert into RAW.LOAD_LOCKS (kafka_topic, kafka_partition) select s.topic, s.part from ("
            "select f.value:topic::varchar as topic, f.value:partition::int as part"
            " from table(flatten(input => parse_json(?))) f) s left join RAW.LOAD_LOCKS t"
            " on t.kafka_topic = s.topic and t.kafka_partition = s.part where t.kafka_topic is null",
            [json.dumps([{"topic": of.topic, "partition": of.partition} for of in new])],
        )
        self._lockable |= new

    def _lock(self, execute: Execute, partitions: Collection[Partition]) -> None:
        """Wait until no other transaction holds one of these locks, and hold them until the end of this one.

        All are updated or, if one has no row, none: the rows of a partition that has two would count for the other.
        """
        done = execute(
            "update RAW.LOAD_LOCKS t set locked_by = s.locked_by from ("
            "select w.topic, w.part, w.locked_by from ("
            "select f.value:topic::varchar as topic, f.value:partition::int as part, f.value:by::varchar as locked_by"
            " from table(flatten(input => parse_json(?))) f) w"
            " join (select distinct kafka_topic, kafka_partition from RAW.LOAD_LOCKS) there"
            " on there.kafka_topic = w.topic and there.kafka_partition = w.part"
            " qualify count(*) over () = ?) s"
            " where t.kafka_topic = s.topic and t.kafka_partition = s.part",
            [
                json.dumps([{"topic": of.topic, "partition": of.partition, "by": self.name} for of in partitions]),
                len(partitions),
            ],
        )
        if done.rowcount < len(partitions):
            self._lockable.clear()
            raise WarehouseError("Rows of RAW.LOAD_LOCKS were deleted; the next attempt inserts them again.")

    @staticmethod
    def _stored(execute: Execute) -> dict[tuple[Partition, int], LoadedOffset]:
        """The loaded offset of every partition and incarnation, the newest incarnations last."""
        stored: dict[tuple[Partition, int], LoadedOffset] = {}
        for topic, part, incarnation, *loaded in execute(
            "select kafka_topic, kafka_partition, kafka_incarnation, next_offset, last_timestamp_ms, last_hash"
            " from RAW.LOAD_OFFSETS order by kafka_incarnation"
        ).fetchall():
            key = Partition(topic, part), incarnation
            if key in stored:
                raise WarehouseError(
                    f"RAW.LOAD_OFFSETS has two rows of {topic}[{part}], incarnation {incarnation}: next offsets "
                    f"{stored[key].next_offset} and {loaded[0]}. Nothing is loaded until one is left (the larger): "
                    "deploy/RUNBOOKS.md has the statement under WarehouseAway."
                )
            stored[key] = LoadedOffset(incarnation, *loaded)
        return stored

    def _compare_and_set(self, execute: Execute, batches: list[PartitionBatch]) -> None:
        with self._timed("offsets"):
            self._lock(execute, [batch.partition for batch in batches])
            stored = self._stored(execute)
            for batch in batches:
                found = stored.get((batch.partition, batch.incarnation))
                if found is None or found.next_offset != batch.first_offset:
                    raise Fenced(
                        f"{batch.partition.topic}[{batch.partition.partition}] is loaded to "
                        f"{found and found.next_offset}, and {batch.first_offset} was next"
                    )
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
                        "topic": batch.partition.topic, "partition": batch.partition.partition,
                        "incarnation": batch.incarnation, "first": batch.first_offset, "next": batch.next_offset,
                        "timestamp": batch.records[-1].timestamp_ms, "hash": batch.records[-1].hash,
                        "by": self.name,
                    }
                    for batch in batches
                ])],
            )  # fmt: skip
            # A worker of the release before takes no lock, and may have set an offset since the select. If it commits
            # while this statement waits for it, it is not documented whether this statement sees that.
            if done.rowcount != len(batches):
                raise Fenced(f"{done.rowcount} of {len(batches)} offsets are the expected ones")

    def _copy(self, execute: Execute, table: Table, file: str, rows: int) -> None:
        with self._timed("copy"):
            names = ", ".join(column.name for column in table.columns)
            values = ", ".join(column.expression for column in table.columns)
            done = execute(
                f"copy into RAW.{table.name} ({names}) from (select {values} from @RAW.LOADS/{file})"  # noqa: S608
                " file_format = (type = parquet use_logical_type = true) purge = true"
            )
            at = [column.name.lower() for column in done.description].index("rows_loaded")
            loaded = sum(int(row[at]) for row in done.fetchall())
            if loaded != rows:
                raise WarehouseError(f"The warehouse loaded {loaded} rows of {rows} into {table.name}.")

    def _count_samples(self, execute: Execute, packets: list[DecodedRecord]) -> None:
        if not packets:
            return
        with self._timed("counts"):
            execute(
                "insert into RAW.TELEMETRY_COUNTS (session_key, source, epoch, session_date, row_count)"
                " select f.value:session::varchar, f.value:source::varchar, f.value:epoch::int, f.value:date::date,"
                " f.value:rows::int from table(flatten(input => parse_json(?))) f",
                [json.dumps([
                    {"session": run.session_key, "source": run.source, "epoch": run.epoch,
                     "date": run.session_date.isoformat(), "rows": rows}
                    for run, rows in tables.rows_by_run(packets).items()
                ])],
            )  # fmt: skip

    def _commit(self, execute: Execute) -> None:
        with self._timed("commit"):
            execute("commit")

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            metrics.PHASES.labels(phase).inc(time.perf_counter() - began)


def _texts(table: Table) -> list[str]:
    """The columns of text, whose values repeat; looking for repeated numbers costs more than it saves."""
    return [field.name for field in table.schema if pa.types.is_string(field.type)]


def _row_groups(records: Iterable[DecodedRecord]) -> Iterator[list[DecodedRecord]]:
    """Consecutive records with ``GROUP_ROWS`` rows or a few more."""
    group: list[DecodedRecord] = []
    rows = 0
    for record in records:
        group.append(record)
        rows += record.rows
        if rows >= GROUP_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _identity(letter: DeadLetter) -> tuple[Any, ...]:
    return (letter.consumer, letter.topic, letter.partition, letter.offset, letter.timestamp_ms)
