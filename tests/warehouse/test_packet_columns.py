"""Packets that are parsed many at a time: the same values, and the same reasons, as from the model."""

from __future__ import annotations

import json
from random import Random
from typing import Annotated, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, StringConstraints, field_validator, model_validator

from f1stream import topics
from f1stream.topics import BadRecord
from f1stream.warehouse import packet_columns
from f1stream.warehouse.packet_columns import MIN_GROUP, ParsedPacket, columns, count, decode_packets
from models import Packet
from models.base import Record
from models.packet import COLUMNS
from tests.support.hostile import fuzzed

FIELDS: dict[str, Any] = {
    "driver_number": "4", "until_ms": 1_000, "session_time_ms": [800, 900], "x": [1.5, -2], "y": [2.0, 1e-7],
    "z": [0.0, 3], "speed": [280.0, 281.0], "rpm": [11_000.0, 11_001.0], "throttle": [104.0, 99.5],
    "brake": [False, True], "gear": [8, 128], "drs": [None, 12], "status": ["OnTrack", "OffTrack"], "lap": None,
    "distance": [-0.5, 4.0], "relative_distance": [None, None], "driver_ahead": [None, "44"],
}  # fmt: skip
GOOD = json.dumps(FIELDS).encode()
EMPTY = json.dumps({name: [] if isinstance(value, list) else value for name, value in FIELDS.items()}).encode()
ODD = [
    *((b"1.5", number) for number in (b"NaN", b"-Infinity", b"1e999", b"01", b"-0", b".5", b"1.", b"1E2", b"10000001",
                                      b"null", b"true", b'"1.5"', b"[1.5]", b"{}", b"1.5, 2", b"1.5/**/",
                                      b"-0.0", b"-0e0", b"-0 ", b"-0\n", b"-01", b"1e-0")),
    *((b"1.5", number) for number in (b"0." + b"1" * 5_000, b"1" * 5_000, b"1" * 5_000 + b"e-4999")),
    *((b"128", number) for number in (b"8.0", b"8.5", b"9223372036854775808", b"true", b'"8"', b"null", b"1e2", b"-0",
                                      b"0" * 400, b"9" * 5_000)),
    *((b'"4"', text) for text in (b"4", b"null", b'"12345678901"', b'"4\n"', b'"4\x00"', b'"\\u0034"', b'"\xc3\xa9"',
                                  b'"\xff"', b'"}\n{"', b'"\\ud800"')),
    (b"900", b"700"), (b"900", b"1001"), (b"800, 900", b"900, 800"), (b"800", b"-86400001"), (b"1000", b"86400001"),
    (b'"OnTrack"', b'"' + b"x" * 51 + b'"'), (b'"OnTrack"', b"null"), (b'"gear"', b'"geer"'), (b'"gear"', b'"x"'),
    (b"true", b"1"), (b"}", b',"gear":[1, 2]}'), (b"}", b',"more":1}'), (b"}", b""), (b"}", b"} "), (b"{", b" {"),
    (b"}", b"}" + GOOD), (b"}", b"}\n" + GOOD), (b"}", b"}{}"), (b"}", b",}"), (b"}", b', "lap": [1]}'),
    (b"[800, 900]", b"[" + b"1," * 3_000 + b"1]"), (b"[800, 900]", b"null"), (GOOD, b""), (GOOD, b"{}"),
    (GOOD, b"{}{"), (GOOD, b"[]"), (GOOD, b"null"), (GOOD, b"\n"),
]  # fmt: skip
"""Bytes of a packet, and what stands there instead."""


def by_model(value: bytes | None) -> Any:
    """The packet's values, or the reason why it is refused."""
    try:
        return topics.decode_packet(value).model_dump()
    except BadRecord as error:
        return str(error)


def outcome(found: ParsedPacket | Packet | BadRecord) -> Any:
    if isinstance(found, BadRecord):
        return str(found)
    if isinstance(found, Packet):
        return found.model_dump()
    (row,) = found.table.slice(found.row, 1).to_pylist()
    assert (found.driver_number, count(found)) == (row["driver_number"], len(row["session_time_ms"]))
    return row


def assert_as_the_model_does(values: list[bytes | None]) -> None:
    """The same in every digit: -0.0 is not 0.0."""
    assert [repr(outcome(found)) for found in decode_packets(values)] == [repr(by_model(value)) for value in values]


def test_many_good_packets_are_parsed_without_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_model(GOOD), by_model(EMPTY)
    monkeypatch.setattr(topics, "decode_packet", None)
    found = decode_packets([GOOD, EMPTY] * MIN_GROUP)
    assert [outcome(each) for each in found] == [*expected] * MIN_GROUP


@pytest.mark.parametrize(
    ("part", "instead"), ODD, ids=[f"{n}-{instead[:20]!r}" for n, (_, instead) in enumerate(ODD)]
)
def test_an_odd_packet_among_others_is_decoded_or_refused_as_by_the_model(part: bytes, instead: bytes) -> None:
    odd = GOOD.replace(part, instead, 1)
    assert odd != GOOD
    # The longest group that is parsed at once, of which only one packet is odd; and some that are.
    assert_as_the_model_does([*[GOOD] * (MIN_GROUP // 2), odd, *[GOOD] * (MIN_GROUP // 2)])
    assert_as_the_model_does([odd] * MIN_GROUP)
    assert_as_the_model_does([None, GOOD[:-9], odd, GOOD[-9:], *[GOOD] * MIN_GROUP])


@fuzzed(examples=150)
@given(seed=st.integers(0, 2**32))
def test_packets_with_changed_bytes_are_decoded_or_refused_as_by_the_model(seed: int) -> None:
    random = Random(seed)
    values: list[bytes | None] = [GOOD] * MIN_GROUP
    for _ in range(random.randint(1, 3)):
        changed = bytearray(GOOD)
        for _ in range(random.randint(1, 2)):
            at = random.randrange(len(changed))
            changed[at : at + random.randint(0, 2)] = random.choice(
                [bytes([random.randrange(256)]), *(bytes([each]) for each in b'{}[],:"0189.-eEntf \n')]
            )
        values[random.randrange(MIN_GROUP)] = bytes(changed)
    assert_as_the_model_does(values)


def test_columns_have_the_samples_of_all_packets_in_order() -> None:
    """Of two groups and of single ones, with and without each column, in another order than they were decoded."""
    bare = json.dumps({name: FIELDS[name] for name in list(FIELDS)[:11]} | {"driver_number": "1"}).encode()
    packets = [
        *decode_packets([GOOD, bare] * MIN_GROUP), *decode_packets([bare]),
        *decode_packets([bare, EMPTY] * MIN_GROUP), *decode_packets([GOOD]),
    ]  # fmt: skip
    packets = [packet for packet in packets if not isinstance(packet, BadRecord) and count(packet)]
    assert {type(packet) for packet in packets} == {ParsedPacket, Packet}
    Random(1).shuffle(packets)
    found = columns(packets)
    for name in COLUMNS:
        expected: list[Any] = []
        for packet in packets:
            column = outcome(packet)[name]
            expected += [None] * count(packet) if column is None else column
        assert found[name].to_pylist() == expected, name
        assert found[name].type == packet_columns.SCHEMA.field(name).type.value_type
    assert not any(isinstance(column, pa.ChunkedArray) for column in found.values())


def test_a_rule_that_cannot_be_checked_is_an_error_at_import() -> None:
    with pytest.raises(NotImplementedError, match="pattern"):
        packet_columns._Rule.of({"type": "string", "pattern": "^a"})


@pytest.mark.parametrize("number", ["integer", "number"])
def test_a_minimum_and_a_maximum_may_stand_alone(number: str) -> None:
    for bound, within, beyond in (("minimum", 5, 4), ("maximum", 5, 6)):
        rule = packet_columns._Rule.of({"type": number, bound: 5})
        assert rule.allows(pa.array([within], rule.arrow))
        assert not rule.allows(pa.array([within, beyond], rule.arrow))
        assert rule.allows(pa.array([], rule.arrow))


def positive(value: Any) -> Any:
    return value


class FieldIsValidated(Packet):
    _check = field_validator("gear")(positive)


class ModelIsValidated(Packet):
    _check = model_validator(mode="before")(positive)


class ValueIsValidated(Packet):
    until_ms: Annotated[int, AfterValidator(positive)]


class ItemIsValidated(Packet):
    drs: list[Annotated[int, AfterValidator(positive)] | None] | None = None


class TextIsChanged(Packet):
    status: list[Annotated[str, StringConstraints(strip_whitespace=True)]] | None = None


class ColumnsMayDiffer(Record):
    x: list[float]


@pytest.mark.parametrize(
    "model",
    [FieldIsValidated, ModelIsValidated, ValueIsValidated, ItemIsValidated, TextIsChanged, ColumnsMayDiffer],
)
def test_a_rule_that_is_not_in_the_schema_is_an_error_at_import(model: type[Record]) -> None:
    """Arrow's columns would be accepted without it."""
    packet_columns._require_known_rules(Packet)
    with pytest.raises(NotImplementedError, match="checked here"):
        packet_columns._require_known_rules(model)
