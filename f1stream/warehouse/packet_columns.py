"""Packets as Arrow columns: many values of ``telemetry`` are parsed at once, without a model and objects for each.

The rules are those of ``models.Packet``, read from its JSON schema. What is not plainly valid here is decoded by the
model: it decides, and words the reason.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from annotated_types import Ge, Le, MaxLen
from pyarrow import json
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from f1stream import topics
from f1stream.topics import MAX_VALUE_BYTES, BadRecord
from models import Packet
from models.packet import COLUMNS

MIN_GROUP = 32
"""Packets. Fewer cost less one by one. Nearly as many are parsed by the model because of one that is not valid."""
MAX_DIGITS = 400
"""Digits in a row. The model judges longer ones: of a number it refuses more than 4,300; Arrow does not."""
_TYPES = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
_TOO_MANY_DIGITS = b"0" * (MAX_DIGITS + 1)
_DIGITS_TO_ZERO = bytes(ord("0") if chr(byte).isdecimal() else byte for byte in range(256))
_INTEGER_MINUS_ZERO = re.compile(rb"-0(?![.eE0-9])")
"""In a column of floats it is 0.0 for the model, and -0.0 for Arrow."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What ``Packet`` demands of a field, or of the items of its list."""

    arrow: pa.DataType
    nullable: bool
    minimum: float
    maximum: float
    max_length: int | None
    """Characters, or items."""
    items: _Rule | None

    @classmethod
    def of(cls, schema: dict[str, Any]) -> _Rule:
        """The rule in a JSON schema of a field."""
        variants = schema.get("anyOf", [schema])
        (variant,) = (variant for variant in variants if variant["type"] != "null")
        unsupported = variant.keys() - {
            "type", "title", "default", "items", "minimum", "maximum", "maxLength", "maxItems",
        }  # fmt: skip
        if unsupported:
            raise NotImplementedError(f"{sorted(unsupported)} of a packet's field cannot be checked here")
        items = cls.of(variant["items"]) if variant["type"] == "array" else None
        return cls(
            pa.list_(items.arrow) if items else _TYPES[variant["type"]], len(variants) > 1,
            variant.get("minimum", -math.inf), variant.get("maximum", math.inf),
            variant.get("maxLength", variant.get("maxItems")), items,
        )  # fmt: skip

    def allows(self, values: pa.Array) -> bool:
        """Whether every value obeys the rule. Texts are ASCII."""
        if values.null_count and not self.nullable:
            return False
        if self.max_length is not None:
            length = pc.list_value_length if self.items else pc.binary_length
            if (pc.max(length(values)).as_py() or 0) > self.max_length:
                return False
        if pa.types.is_floating(self.arrow) and pc.any(pc.is_nan(values)).as_py():
            return False  # Arrow's parser knows NaN, unlike JSON
        if pa.types.is_integer(self.arrow) or pa.types.is_floating(self.arrow):
            smallest, largest = pc.min_max(values).as_py().values()
            if smallest is not None and not self.minimum <= smallest <= largest <= self.maximum:
                return False
        return self.items is None or self.items.allows(values.flatten())


def _require_known_rules(model: type[BaseModel]) -> None:
    """Raise NotImplementedError if ``model`` has rules that its JSON schema lacks, and that nothing here checks."""
    decorators = model.__pydantic_decorators__
    validators = {*decorators.model_validators, *decorators.field_validators, *decorators.validators}
    if unknown := (validators | decorators.root_validators.keys()) ^ {"_columns_agree"}:
        raise NotImplementedError(f"Validators of packets are not those that are checked here: {sorted(unknown)}")
    for name, field in model.model_fields.items():
        for rule in (*field.metadata, *_metadata(field.annotation)):
            if not isinstance(rule, Ge | Le | MaxLen):
                raise NotImplementedError(f"{rule} of a packet's {name} cannot be checked here")


def _metadata(annotation: Any) -> Iterator[Any]:
    """What an annotation says beside its types, at any depth."""
    for inner in get_args(annotation):
        if isinstance(inner, FieldInfo):
            yield from inner.metadata
        elif isinstance(inner, type) or get_args(inner):
            yield from _metadata(inner)
        else:
            yield inner


_require_known_rules(Packet)
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
    if len(values) < MIN_GROUP:
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
    objects = [value for value in values if value is not None and _is_unescaped_ascii_object(value)]
    if not objects or len(objects) < len(values):
        return None
    lines = b"\n".join(objects)
    if _INTEGER_MINUS_ZERO.search(lines) or _TOO_MANY_DIGITS in lines.translate(_DIGITS_TO_ZERO):
        return None
    try:
        found = json.read_json(
            pa.BufferReader(lines), json.ReadOptions(use_threads=False, block_size=len(lines) + 1), _PARSE
        )
    except pa.ArrowInvalid:
        return None
    if found.num_rows != len(objects):
        return None
    (table,) = found.combine_chunks().to_batches()
    valid = all(rule.allows(table[name]) for name, rule in _RULES.items()) and _columns_agree(table)
    return table if valid else None


def _is_unescaped_ascii_object(value: bytes) -> bool:
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
            valid = np.repeat(taken[name].is_valid().to_numpy(zero_copy_only=False), counts)
            found[name] = found[name].take(pa.array(np.cumsum(valid) - 1, mask=~valid))
    return found
