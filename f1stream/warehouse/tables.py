"""The raw tables: columns derived from the models, and the conversion of a Kafka record into rows.

Every row has the identity of its record (topic, incarnation, partition, offset, and index within the record) and of
its run (``source`` and ``epoch``). Timestamps are UTC without a zone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from f1stream import topics
from f1stream.topics import BadRecord, RecordHeaders
from f1stream.warehouse import packet_columns
from models import DeadLetter, Lap, Message, Packet
from models.packet import COLUMNS

Values = dict[str, Any]
"""The values of a table's rows, by column: lists or Arrow arrays."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its Snowflake type and its Arrow type."""

    name: str
    type: str
    arrow: pa.DataType

    @property
    def expression(self) -> str:
        """The SQL expression of the column in a COPY from Parquet."""
        if self.type == "VARIANT":
            return f"parse_json($1:{self.name})"
        return f"$1:{self.name}::{self.type}"


_TYPES: dict[type, tuple[str, pa.DataType]] = {
    bool: ("BOOLEAN", pa.bool_()),
    int: ("INT", pa.int64()),
    float: ("FLOAT", pa.float64()),
    str: ("VARCHAR", pa.string()),
    datetime: ("TIMESTAMP_NTZ", pa.timestamp("us")),
    date: ("DATE", pa.date32()),
    dict: ("VARIANT", pa.string()),
}


def _columns(**types: type) -> tuple[Column, ...]:
    return tuple(Column(name, *_TYPES[python]) for name, python in types.items())


def _plain_type(hint: Any) -> type:
    """The scalar in an annotation such as ``list[float | None] | None``."""
    if isinstance(hint, type) and hint in _TYPES:
        return hint
    return next(_plain_type(inner) for inner in get_args(hint) if inner is not type(None))


def _columns_of(model: type[BaseModel], names: Iterable[str]) -> tuple[Column, ...]:
    hints = get_type_hints(model)
    return _columns(**{RENAMED_FIELDS.get(name, name): _plain_type(hints[name]) for name in names})


RENAMED_FIELDS = {"topic": "refused_topic", "partition": "refused_partition", "offset": "refused_offset"}
"""Columns of a dead letter's fields about the refused record; ``kafka_…`` are about the letter itself."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record was read: its topic, partition and offset."""

    topic: str
    incarnation: int
    """How often the topic was deleted and created again."""
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DecodedRecord:
    """A decoded Kafka record that waits to be loaded."""

    origin: Origin
    key: bytes
    headers: RecordHeaders | None
    """None for a dead letter of a record without one."""
    timestamp_ms: int
    """Kafka's timestamp, Unix ms."""
    record: Any
    """The decoded model, or ``ParsedPacket``; None when the record was refused and has no rows."""
    rows: int
    value: bytes | None

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self.value or b"")

    @property
    def hash(self) -> str:
        """Of the value; see ``fingerprint``."""
        return fingerprint(self.value)

    def without_rows(self) -> DecodedRecord:
        """The record as refused: its offset is loaded, and no row."""
        return replace(self, record=None, rows=0)


@dataclass(frozen=True, slots=True)
class Table:
    """A raw table, and how records become its rows."""

    name: str
    topic: str
    columns: tuple[Column, ...]
    decode: Callable[[bytes | None], Any]
    count: Callable[[Any], int]
    """The number of rows of a record."""
    own: Callable[[list[DecodedRecord]], Values]
    """The values of the columns that the other tables do not have."""

    def decode_record(self, message: Any, incarnation: int, decoded: Any = None) -> DecodedRecord:
        """Decode a Kafka message. Raises BadRecord when it cannot be loaded; use ``undecoded`` then.

        ``decoded``: its value, if it was decoded with others.
        """
        found = undecoded(message, incarnation)
        record = self.decode(message.value) if decoded is None else decoded
        if self.topic == topics.DEAD_LETTERS:
            try:
                headers = RecordHeaders.decode(message.headers, message.timestamp)
                _utc(headers.t0_utc_ms)
            except (BadRecord, OverflowError):
                headers = None  # the letter may be about just that
        else:
            headers = RecordHeaders.decode(message.headers, message.timestamp)
            if self.topic == topics.MESSAGES:
                topics.session_key_of(message.key)
            else:
                _, number = topics.session_of(message.key)
                if record.driver_number != number:
                    raise BadRecord(f"driver_number is {record.driver_number}, the key says {number}")
        return replace(found, headers=headers, record=record, rows=self.count(record))

    @property
    def schema(self) -> pa.Schema:
        """The schema of ``arrow``."""
        return pa.schema([(column.name, column.arrow) for column in self.columns])

    def arrow(self, records: list[DecodedRecord]) -> pa.Table:
        """The rows of ``records`` in order; each record has at least one.

        Raises pyarrow.ArrowInvalid or OverflowError when a value does not fit.
        """
        counts = np.array([record.rows for record in records])
        values = _common(records, counts) | self.own(records)
        return pa.table({column.name: _array(values[column.name], column.arrow) for column in self.columns})


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def undecoded(message: Any, incarnation: int) -> DecodedRecord:
    """A Kafka message without rows."""
    return DecodedRecord(
        Origin(message.topic, incarnation, message.partition, message.offset),
        message.key or b"", None, round(message.timestamp * 1000), None, 0, message.value,
    )  # fmt: skip


def fingerprint(value: bytes | None) -> str:
    """Hash of a record's value, by which a deleted and recreated topic is detected."""
    return "" if value is None else hashlib.blake2b(value, digest_size=16).hexdigest()


COMMON = _columns(
    kafka_topic=str, kafka_incarnation=int, kafka_partition=int, kafka_offset=int, kafka_index=int,
    source=str, epoch=int, session_key=str, session_date=date, published_at=datetime,
)  # fmt: skip
"""The first columns of every raw table; ``published_at`` is Kafka's timestamp."""


def _common(records: list[DecodedRecord], counts: Any) -> Values:
    """``counts``: the number of rows of each record."""
    runs = [_run(record) for record in records]
    of_records: Values = {
        "kafka_topic": [record.origin.topic for record in records],
        "kafka_incarnation": [record.origin.incarnation for record in records],
        "kafka_partition": [record.origin.partition for record in records],
        "kafka_offset": [record.origin.offset for record in records],
        "source": [run.source for run in runs],
        "epoch": [run.epoch for run in runs],
        "session_key": [run.session_key for run in runs],
        "session_date": [run.session_date for run in runs],
        "published_at": [_utc(record.timestamp_ms) for record in records],
    }
    types = {column.name: column.arrow for column in COMMON}
    values: Values = {name: _repeated(pa.array(own, types[name]), counts) for name, own in of_records.items()}
    values["kafka_index"] = pa.array(np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts))
    return values


def _repeated(values: pa.Array, counts: Any) -> pa.Array:
    """Each value as often as ``counts`` says."""
    return values.take(pa.array(np.repeat(np.arange(len(counts)), counts)))


def _utc(ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)
    except (ValueError, OSError) as error:
        raise OverflowError(f"{ms} ms is no instant") from error


def _session_key(record: DecodedRecord) -> str:
    key = record.key.decode(errors="replace")
    return key if record.origin.topic == topics.MESSAGES else key.rpartition(":")[0] or key


@dataclass(frozen=True, slots=True)
class Run:
    """The run of a session, as in columns of every raw table."""

    session_key: str
    source: str | None
    epoch: int | None
    session_date: date


def rows_by_run(records: list[DecodedRecord]) -> Counter[Run]:
    """The number of rows of each run in ``records``. Raises OverflowError when a value does not fit."""
    counts: Counter[Run] = Counter()
    for record in records:
        counts[_run(record)] += record.rows
    return counts


def _run(record: DecodedRecord) -> Run:
    headers = record.headers
    return Run(
        _session_key(record),
        None if headers is None else headers.source,
        None if headers is None else headers.run_id,
        _utc(record.timestamp_ms if headers is None else headers.t0_utc_ms).date(),
    )


# -- telemetry: a row a sample ---------------------------------------------------------------------------------


def _samples(records: list[DecodedRecord]) -> Values:
    packets = [record.record for record in records]
    counts = np.array([record.rows for record in records])
    values: Values = packet_columns.columns(packets)
    t0 = pa.array([0 if record.headers is None else record.headers.t0_utc_ms for record in records], pa.int64())
    utc_ms = pc.add_checked(_repeated(t0, counts), values["session_time_ms"])
    values["utc"] = pc.multiply_checked(utc_ms, 1000).cast(pa.timestamp("us"))
    values["driver_number"] = _repeated(pa.array([packet.driver_number for packet in packets]), counts)
    return values


TELEMETRY = Table(
    "TELEMETRY",
    topics.TELEMETRY,
    (*COMMON, *_columns(driver_number=str, utc=datetime), *_columns_of(Packet, COLUMNS)),
    topics.decode_packet,
    packet_columns.count,
    _samples,
)


# -- the others: a row a record --------------------------------------------------------------------------------


def _one(_: Any) -> int:
    return 1


def _laps(records: list[DecodedRecord]) -> Values:
    laps: list[Lap] = [record.record for record in records]
    values: Values = {name: [getattr(lap, name) for lap in laps] for name in Lap.model_fields}
    values["start_utc"] = [at and at.astimezone(UTC).replace(tzinfo=None) for at in values["start_utc"]]
    return values | _sequence(records)


def _sequence(records: list[DecodedRecord]) -> Values:
    known = [record.headers for record in records if record.headers is not None]
    return {"seq": [headers.seq for headers in known], "emitted_ms": [headers.emitted_ms for headers in known]}


def _messages(records: list[DecodedRecord]) -> Values:
    messages: list[Message] = [record.record for record in records]
    values: Values = {
        "kind": [message.kind for message in messages],
        "driver_number": [getattr(message, "driver_number", None) for message in messages],
        "session_time_ms": [message.session_time_ms for message in messages],
        "payload": [message.model_dump_json() for message in messages],
    }
    return values | _sequence(records)


SEQUENCE = _columns(seq=int, emitted_ms=int)
LAPS = Table(
    "LAPS",
    topics.LAPS,
    (*COMMON, *SEQUENCE, *_columns_of(Lap, Lap.model_fields)),
    topics.decode_lap,
    _one,
    _laps,
)
MESSAGES = Table(
    "MESSAGES",
    topics.MESSAGES,
    (*COMMON, *SEQUENCE, *_columns(kind=str, driver_number=str, session_time_ms=int, payload=dict)),
    topics.decode_message,
    _one,
    _messages,
)


def _dead_letters(records: list[DecodedRecord]) -> Values:
    return {
        RENAMED_FIELDS.get(name, name): [getattr(record.record, name) for record in records]
        for name in DeadLetter.model_fields
    }


DEAD_LETTERS = Table(
    "DEAD_LETTERS",
    topics.DEAD_LETTERS,
    (*COMMON, *_columns_of(DeadLetter, DeadLetter.model_fields)),
    topics.decode_dead_letter,
    _one,
    _dead_letters,
)

ALL = (TELEMETRY, LAPS, MESSAGES, DEAD_LETTERS)
BY_TOPIC = {table.topic: table for table in ALL}


def decode_records(messages: Sequence[Any], incarnations: Sequence[int]) -> list[DecodedRecord | BadRecord]:
    """Decode Kafka messages, the packets among them together. BadRecord: see ``Table.decode_record``."""
    packets = [n for n, message in enumerate(messages) if message.topic == topics.TELEMETRY]
    decoded: dict[int, Any] = dict(
        zip(packets, packet_columns.decode_packets([messages[n].value for n in packets]), strict=True)
    )
    found: list[DecodedRecord | BadRecord] = []
    for n, (message, incarnation) in enumerate(zip(messages, incarnations, strict=True)):
        try:
            if isinstance(value := decoded.get(n), BadRecord):
                raise value
            found.append(BY_TOPIC[message.topic].decode_record(message, incarnation, value))
        except BadRecord as error:
            found.append(error)
    return found
