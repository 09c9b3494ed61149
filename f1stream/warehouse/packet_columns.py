"""Packets as Arrow columns: many values of ``telemetry`` are parsed at once, without a model and objects for each.

The rules are those of ``models.Packet``, read from its JSON schema. What is not plainly valid here is decoded by the
model: it decides, and words the reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from f1stream import topics
from f1stream.topics import MAX_VALUE_BYTES, BadRecord
from models import Packet
from models.packet import COLUMNS

FEW = 32
"""Fewer packets cost less one by one. Nearly as many are parsed by the model because of one that is not valid."""
_TYPES = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}


@dataclass(frozen=True, slots=True)
class _Rule:
    """What ``Packet`` demands of a field, or of the items of its list."""

    arrow: pa.DataType
    nullable: bool
    least: float | None
    most: float | None
    longest: int | None
    """Most characters, or most items."""
    items: _Rule | None

    @classmethod
    def of(cls, schema: dict[str, Any]) -> _Rule:
        """The rule in a JSON schema of a field."""
        kinds = schema.get("anyOf", [schema])
        (kind,) = (kind for kind in kinds if kind["type"] != "null")
        rules = kind.keys() - {"type", "title", "default", "items", "minimum", "maximum", "maxLength", "maxItems"}
        if rules:
            raise NotImplementedError(f"{sorted(rules)} of a packet's field cannot be checked here")
        items = cls.of(kind["items"]) if kind["type"] == "array" else None
        return cls(
            pa.list_(items.arrow) if items else _TYPES[kind["type"]], len(kinds) > 1, kind.get("minimum"),
            kind.get("maximum"), kind.get("maxLength", kind.get("maxItems")), items,
        )  # fmt: skip

    def allows(self, values: pa.Array) -> bool:
        """Whether every value obeys the rule. Texts are ASCII."""
        if values.null_count and not self.nullable:
            return False
        if self.longest is not None:
            length = pc.list_value_length if self.items else pc.binary_length
            if (pc.max(length(values)).as_py() or 0) > self.longest:
                return False
        if pa.types.is_floating(self.arrow) and pc.any(pc.is_nan(values)).as_py():
            return False  # Arrow's parser knows NaN, unlike JSON
        if self.least is not None:
            least, most = pc.min_max(values).as_py().values()
            if least is not None and not self.least <= least <= most <= self.most:
                return False
        return self.items is None or self.items.allows(values.flatten())


_RULES = {name: _Rule.of(schema) for name, schema in Packet.model_json_schema()["properties"].items()}
SCHEMA = pa.schema([(name, rule.arrow) for name, rule in _RULES.items()])
_PARSE = json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error")


@dataclass(frozen=True, slots=True)
class ParsedPacket:
    """A packet: a row of a table of packets."""

    driver_number: str
    samples: int
    table: pa.RecordBatch
    row: int


def count(packet: ParsedPacket | Packet) -> int:
    """The number of its samples."""
    return packet.samples if isinstance(packet, ParsedPacket) else len(packet.session_time_ms)


def decode_packets(values: Sequence[bytes | None]) -> list[ParsedPacket | Packet | BadRecord]:
    """Decode values of ``telemetry``; an invalid one is a BadRecord, with the reason."""
    if len(values) < FEW:
        return [_by_model(value) for value in values]
    table = _parse(values)
    if table is None:
        half = len(values) // 2
        return [*decode_packets(values[:half]), *decode_packets(values[half:])]
    drivers, counts = table["driver_number"], pc.list_value_length(table["session_time_ms"])
    return [
        ParsedPacket(driver, samples, table, row)
        for row, (driver, samples) in enumerate(zip(drivers.to_pylist(), counts.to_pylist(), strict=True))
    ]


def _by_model(value: bytes | None) -> Packet | BadRecord:
    try:
        return topics.decode_packet(value)
    except BadRecord as error:
        return error


def _parse(values: Sequence[bytes | None]) -> pa.RecordBatch | None:
    """A row for each value; None if any is not valid, or is for the model to judge."""
    plain = [value for value in values if value is not None and _is_plain(value)]
    if not plain or len(plain) < len(values):
        return None
    lines = b"\n".join(plain)
    try:
        found = json.read_json(
            pa.BufferReader(lines), json.ReadOptions(use_threads=False, block_size=len(lines) + 1), _PARSE
        )
    except pa.ArrowInvalid:
        return None
    if found.num_rows != len(plain):
        return None
    (table,) = found.combine_chunks().to_batches()
    valid = all(rule.allows(table[name]) for name, rule in _RULES.items()) and _columns_agree(table)
    return table if valid else None


def _is_plain(value: bytes) -> bool:
    """Whether it is one object at least, and all of its characters stand for themselves."""
    return (
        len(value) <= MAX_VALUE_BYTES
        and value.isascii() and b"\\" not in value and value.startswith(b"{") and value.endswith(b"}")
    )  # fmt: skip


def _columns_agree(table: pa.RecordBatch) -> bool:
    """The same as in ``Packet``: lists of one length, and times in order up to ``until_ms``."""
    samples = pc.list_value_length(table["session_time_ms"])
    for name in COLUMNS:
        if not pc.all(pc.equal(pc.list_value_length(table[name]), samples), min_count=0).as_py():
            return False
    counts, times = samples.to_numpy(), table["session_time_ms"].flatten().to_numpy()
    ends = np.cumsum(counts)[counts > 0] - 1
    steps = np.diff(times)
    steps[ends[:-1]] = 0
    return bool((steps >= 0).all() and (times[ends] <= table["until_ms"].to_numpy()[counts > 0]).all())


def columns(packets: Sequence[ParsedPacket | Packet]) -> dict[str, pa.Array]:
    """The samples of packets, one after the other, by column; null for a packet without the column."""
    tables = {id(packet.table): packet.table for packet in packets if isinstance(packet, ParsedPacket)}
    models = [packet.model_dump() for packet in packets if isinstance(packet, Packet)]
    starts, start = {}, len(models)
    for key, table in tables.items():
        starts[key] = start
        start += table.num_rows
    nth = itertools.count()
    rows = [
        starts[id(packet.table)] + packet.row if isinstance(packet, ParsedPacket) else next(nth) for packet in packets
    ]
    parts = [pa.RecordBatch.from_pylist(models, SCHEMA), *tables.values()]
    (taken,) = pa.Table.from_batches(parts).take(pa.array(rows)).combine_chunks().to_batches()
    counts = pc.list_value_length(taken["session_time_ms"]).to_numpy()
    found = {}
    for name in COLUMNS:
        found[name] = taken[name].flatten()
        if taken[name].null_count:
            there = np.repeat(taken[name].is_valid().to_numpy(zero_copy_only=False), counts)
            found[name] = found[name].take(pa.array(np.cumsum(there) - 1, mask=~there))
    return found
