"""The raw tables: columns derived from the models, and the conversion of a Kafka record into rows.

Every row has the identity of its record (topic, incarnation, partition, offset, and index within the record) and of
its run (``source`` and ``epoch``). Timestamps are UTC without a zone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, get_args, get_type_hints

import pyarrow as pa
from pydantic import BaseModel

from f1stream import topics
from f1stream.topics import BadRecord, RecordHeaders
from models import DeadLetter, Lap, Message, Packet
from models.packet import COLUMNS

Values = dict[str, list[Any]]
"""The values of a table's rows, by column."""


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
    """The decoded model; None when the record was refused and has no rows."""
    rows: int
    size: int
    """Bytes of the value."""
    hash: str
    """Of the value; see ``fingerprint``."""

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

    def read(self, message: Any, incarnation: int) -> DecodedRecord:
        """Decode a Kafka message. Raises BadRecord when it cannot be loaded; use ``undecoded`` then."""
        found = undecoded(message, incarnation)
        record = self.decode(message.value)
        if self.topic == topics.DEAD_LETTERS:
            try:
                headers = RecordHeaders.decode(message.headers, message.timestamp)
            except BadRecord:
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

    def arrow(self, records: list[DecodedRecord]) -> pa.Table:
        """The rows of ``records`` in order; each record has at least one.

        Raises pyarrow.ArrowInvalid or OverflowError when a value does not fit.
        """
        values = _common(records) | self.own(records)
        return pa.table({column.name: pa.array(values[column.name], column.arrow) for column in self.columns})


def undecoded(message: Any, incarnation: int) -> DecodedRecord:
    """A Kafka message without rows."""
    value = message.value or b""
    return DecodedRecord(
        Origin(message.topic, incarnation, message.partition, message.offset),
        message.key or b"", None, round(message.timestamp * 1000), None, 0, len(value), fingerprint(message.value),
    )  # fmt: skip


def fingerprint(value: bytes | None) -> str:
    """Hash of a record's value, by which a deleted and recreated topic is detected."""
    return "" if value is None else hashlib.blake2b(value, digest_size=16).hexdigest()


COMMON = _columns(
    kafka_topic=str, kafka_incarnation=int, kafka_partition=int, kafka_offset=int, kafka_index=int,
    source=str, epoch=int, session_key=str, session_date=date, published_at=datetime,
)  # fmt: skip
"""The first columns of every raw table; ``published_at`` is Kafka's timestamp."""


def _common(records: list[DecodedRecord]) -> Values:
    values: Values = {column.name: [] for column in COMMON}
    for record in records:
        n, origin, headers = record.rows, record.origin, record.headers
        date_ms = record.timestamp_ms if headers is None else headers.t0_utc_ms
        for name, value in (
            ("kafka_topic", origin.topic),
            ("kafka_incarnation", origin.incarnation),
            ("kafka_partition", origin.partition),
            ("kafka_offset", origin.offset),
            ("source", None if headers is None else headers.source),
            ("epoch", None if headers is None else headers.run_id),
            ("session_key", _session_key(record)),
            ("session_date", _utc(date_ms).date()),
            ("published_at", _utc(record.timestamp_ms)),
        ):
            values[name].extend([value] * n)
        values["kafka_index"].extend(range(n))
    return values


def _utc(ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)
    except (ValueError, OSError) as error:
        raise OverflowError(f"{ms} ms is no instant") from error


def _session_key(record: DecodedRecord) -> str:
    key = record.key.decode(errors="replace")
    return key if record.origin.topic == topics.MESSAGES else key.rpartition(":")[0] or key


# -- telemetry: a row a sample ---------------------------------------------------------------------------------


def _samples(records: list[DecodedRecord]) -> Values:
    packets: list[tuple[Packet, DecodedRecord]] = [(record.record, record) for record in records]
    values: Values = {"driver_number": [], "utc": []}
    for packet, record in packets:
        t0 = 0 if record.headers is None else record.headers.t0_utc_ms
        values["driver_number"].extend([packet.driver_number] * record.rows)
        values["utc"].extend((t0 + t) * 1000 for t in packet.session_time_ms)
    for name in COLUMNS:
        columns = [(getattr(packet, name), record.rows) for packet, record in packets]
        values[name] = list(chain.from_iterable([None] * n if column is None else column for column, n in columns))
    return values


TELEMETRY = Table(
    "TELEMETRY",
    topics.TELEMETRY,
    (*COMMON, *_columns(driver_number=str, utc=datetime), *_columns_of(Packet, COLUMNS)),
    topics.decode_packet,
    lambda packet: len(packet.session_time_ms),
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
