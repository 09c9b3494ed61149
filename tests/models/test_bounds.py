"""Every value of a record is bounded, and within bounds it is read back as written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from f1stream import topics
from f1stream.topics import BadRecord
from models import DamageNotice, DeadLetter, Frame, Lap, Marts, Message, Packet, SessionHeader, Updates
from models.bounds import LONGEST_MS

RECORDS = {
    "packet": Packet, "lap": Lap, "message": Message, "updates": Updates, "frame": Frame, "head": SessionHeader,
    "damaged": DamageNotice, "dead letter": DeadLetter, "marts": Marts,
}  # fmt: skip
SAMPLE: dict[str, Any] = {
    "driver_number": "4", "until_ms": 1_000, "session_time_ms": [900], "x": [1.5], "y": [2.0], "z": [0.0],
    "speed": [280.0], "rpm": [11_000.0], "throttle": [104.0], "brake": [False], "gear": [8],
}  # fmt: skip
ENTRY = {"driver_number": "4", "tla": "NOR", "name": "N", "team": "M", "team_color": "ff8000", "grid_position": 1}
SQUARE = [[0, 0], [0, 5_000], [0, 10_000], [5_000, 10_000], [10_000, 10_000], [10_000, 5_000], [10_000, 0],
          [8_000, 0], [6_000, 0], [4_000, 0]]  # fmt: skip


def unbounded(schema: Any, where: str = "") -> Iterator[str]:
    """The paths in a JSON schema of values without a bound."""
    if isinstance(schema, list):
        for nth, each in enumerate(schema):
            yield from unbounded(each, f"{where}.{nth}")
        return
    if not isinstance(schema, dict):
        return
    chosen = {"enum", "const"} & schema.keys()
    kind = schema.get("type") if isinstance(schema.get("type"), str) else None
    needs: dict[str, set[str]] = {
        "integer": {"minimum", "maximum"}, "number": {"minimum", "maximum"}, "array": {"maxItems"},
        "string": {"maxLength"}, "object": set(),
    }  # fmt: skip
    if kind in needs and not chosen and not needs[kind] <= schema.keys() and schema.get("format") != "date-time":
        yield f"{where}: {kind}"
    if kind == "object" and "properties" not in schema and not {"maxProperties", "propertyNames"} <= schema.keys():
        yield f"{where}: dict"
    for name, each in schema.items():
        if name not in {"enum", "const", "default", "required"}:
            yield from unbounded(each, f"{where}.{name}")


@pytest.mark.parametrize("name", RECORDS)
def test_no_value_of_a_record_is_without_bounds(name: str) -> None:
    assert list(unbounded(TypeAdapter(RECORDS[name]).json_schema())) == []
    assert list(unbounded({"properties": {"a": {"type": "integer", "minimum": 0}}})) == [".properties.a: integer"]


def packet(**fields: Any) -> bytes:
    return json.dumps(SAMPLE | fields).encode()


def message(kind: str, **fields: Any) -> bytes:
    return json.dumps({"kind": kind, "session_time_ms": 0} | fields).encode()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1e8"])
@pytest.mark.parametrize("column", ["x", "y", "z", "speed", "rpm"])
def test_a_packet_with_a_number_that_json_does_not_have_is_refused(column: str, number: str) -> None:
    value = packet(**{column: ["?"]}).replace(b'"?"', number.encode())
    with pytest.raises(BadRecord, match=column):
        topics.decode_packet(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (message("weather", air_temp=float("nan"), track_temp=1, humidity=1, pressure=1, rainfall=False,
                 wind_direction=1, wind_speed=1), "air_temp"),
        (message("track", outline=SQUARE, rotation=float("inf")), "rotation"),
        (message("track", outline=SQUARE, corners=[["1", float("nan"), 0]]), "corners"),
        (message("track", outline=[[float("nan"), 0], *SQUARE[1:]]), "outline"),
        (message("track", outline=[[1e7, 0], *SQUARE[1:]]), "outline"),
        (message("track", outline=[[5, 5]] * 20), "0 m long"),
        (message("track", outline=[[0, 0], [900, 0]] * 10), "within 90 m"),
        (message("track", outline=[[0, 0], [900_000, 0]] * 10), "1800000 m long"),
        (message("track", outline=SQUARE * 3_000), "20000"),
        (message("entries", entries=[]), "at least 1"),
        (message("entries", entries=[ENTRY, ENTRY]), "car 4 is in it more than once"),
        (message("entries", entries=[ENTRY | {"driver_number": str(n)} for n in range(101)]), "at most 100"),
        (message("entries", entries=[ENTRY | {"driver_number": ""}]), "at least 1"),
        (message("race_control", category="Other", message="X" * 1_001), "1000"),
        (message("session_end") .replace(b": 0", b": 86400001"), "session_time_ms"),
        (message("session_end") .replace(b": 0", b": 1e400"), "session_time_ms"),
        (message("lap_count", lap=2**64, total_laps=57), "lap"),
        (message("tyre_change", driver_number="4", lap=1, compound="S\x00FT", tyre_life=0, fresh=True), "compound"),
    ],
)  # fmt: skip
def test_a_message_out_of_bounds_is_refused_with_the_reason(value: bytes, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        topics.decode_message(value)


@pytest.mark.parametrize("start_ms", [-1, -(10**12), LONGEST_MS + 1])
def test_a_session_does_not_begin_before_its_clock_or_a_day_after(start_ms: int) -> None:
    info = message("session_info", name="Race", type="Race", meeting="", location="", country_code="", circuit="",
                   total_laps=None, t0_utc_ms=0, start_ms=start_ms, source="test")  # fmt: skip
    with pytest.raises(BadRecord, match="start_ms"):
        topics.decode_message(info)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"until_ms": 7 * 86_400_000}, "until_ms"),
        ({"session_time_ms": [-86_400_001]}, "lies before"),
        ({"gear": [2**64]}, "gear"),
        ({"driver_number": "4" * 11}, "driver_number"),
        ({name: column * 3_001 for name, column in SAMPLE.items() if isinstance(column, list)}, "3000"),
    ],
)
def test_a_packet_out_of_bounds_is_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        topics.decode_packet(packet(**fields))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"x": []}, "do not have 1 values"),
        ({"drs": [1, 0]}, "do not have 1 values"),
        ({"t": [5, 4], "x": [0, 0], "y": [0, 0], "speed": [0, 0]}, "not in time order"),
        ({"t": [LONGEST_MS + 1]}, "lie beyond"),
        ({"first_seq": 3}, "first_seq 3 is after last_seq 2"),
        ({"epoch": 2**63}, "epoch"),
    ],
)
def test_updates_that_the_race_cannot_use_are_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    update = {"epoch": 1, "driver_number": "4", "first_seq": 2, "last_seq": 2, "until_ms": 1_000, "messages": 1,
              "t": [900], "x": [1.0], "y": [1.0], "speed": [1.0], "laps": []}  # fmt: skip
    assert topics.decode_updates(json.dumps({"entries": [update]}).encode()).entries[0].first_seq == 2
    with pytest.raises(BadRecord, match=reason):
        topics.decode_updates(json.dumps({"entries": [update | fields]}).encode())


@pytest.mark.parametrize("season", [1949, 2201, 10**30])
def test_a_season_of_another_age_is_refused(season: int) -> None:
    with pytest.raises(BadRecord, match="season"):
        topics.decode_marts(json.dumps({"kind": "season", "season": season, "built_ms": 1, "rounds": []}).encode())
