"""Loads batches of records and their partitions' offsets in one transaction."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import snowflake.connector

from f1stream import metrics, topics
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse, error_text, refuses_data
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

    def offsets(self) -> dict[Partition, LoadedOffset]:
        """The loaded offset of every partition, in its newest incarnation."""
        rows = self.warehouse.rows(
            "select kafka_topic, kafka_partition, kafka_incarnation, next_offset, last_timestamp_ms, last_hash "
            "from RAW.LOAD_OFFSETS order by kafka_incarnation"
        )
        return {
            Partition(row["kafka_topic"], row["kafka_partition"]): LoadedOffset(
                row["kafka_incarnation"], row["next_offset"], row["last_timestamp_ms"], row["last_hash"]
            )
            for row in rows
        }

    def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """Insert first offsets of new partitions or incarnations; existing rows stay unchanged."""
        if not offsets:
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
                for of, at in offsets.items()
            ])],
        )  # fmt: skip

    def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        """Load batches of different partitions in one transaction; returns the rows loaded by table.

        1. Put the rows into the stage as Parquet files, from memory: a crash leaves nothing on disk. A file that
           remains in the stage is not loaded again: each attempt has its own file names.
        2. Begin. Update the offset of every partition whose stored offset is the batch's first offset, and compare
           the number of updated rows with the number of batches.
        3. Copy the files into the tables.
        4. Commit.

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
        with self.warehouse.transaction() as execute:
            self._compare_and_set(execute, batches)
            for table, file in files:
                self._copy(execute, table, file, sum(record.rows for record in by_table[table.topic]))
                loaded[table.name] = sum(record.rows for record in by_table[table.topic])
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
                f"put file://{file} @RAW.LOADS auto_compress=false overwrite=true", content=content
            )

    def _compare_and_set(self, execute: Execute, batches: list[PartitionBatch]) -> None:
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
                        "topic": batch.partition.topic, "partition": batch.partition.partition,
                        "incarnation": batch.incarnation, "first": batch.first_offset, "next": batch.next_offset,
                        "timestamp": batch.records[-1].timestamp_ms, "hash": batch.records[-1].hash,
                        "by": self.name,
                    }
                    for batch in batches
                ])],
            )  # fmt: skip
            if done.rowcount != len(batches):
                raise Fenced(f"{done.rowcount} of {len(batches)} offsets are the expected ones")

    def _copy(self, execute: Execute, table: Table, file: str, rows: int) -> None:
        with self._timed("copy"):
            names = ", ".join(column.name for column in table.columns)
            values = ", ".join(column.expression for column in table.columns)
            done = execute(
                f"copy into RAW.{table.name} ({names}) from (select {values} from @RAW.LOADS/{file})"  # noqa: S608
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
