"""The marts' SQL uses no function that means something else on Snowflake than on DuckDB, the embedded warehouse.

Tests run on DuckDB, so a difference shows in production only. The rules are from the documentation of both; what the
emulator translates correctly is listed too where that is one version of a library away from being wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

FUNCTIONS: dict[type[exp.Expression], str] = {
    exp.ArgMax: "max_by: a null of the chosen row is the result on Snowflake, DuckDB skips it",
    exp.ArgMin: "min_by: as max_by",
    exp.AnyValue: "any_value: any row on Snowflake, the first one that is not null in DuckDB",
    exp.Mode: "mode: which of several is not defined, and differs",
    exp.Greatest: "greatest: null if any argument is null on Snowflake, DuckDB skips nulls",
    exp.Least: "least: as greatest",
    exp.Concat: "concat: null if any argument is null on Snowflake, DuckDB skips nulls; || does not",
    exp.ConcatWs: "concat_ws: as concat",
    exp.ArrayAgg: "array_agg: Snowflake omits nulls, DuckDB keeps them",
    exp.GroupConcat: "listagg: of nulls an empty text on Snowflake, null in DuckDB",
    exp.ApproxDistinct: "approx_count_distinct: another estimate",
}
MOMENT = re.compile(r"(^|_)(at|date|since|from|to|birth)$")
"""Names of columns of dates and timestamps (``docs/marts.md``)."""
ALLOWED = {
    ("fact_lap_corners", "/ of whole numbers: six decimals on Snowflake, a float in DuckDB"):
        "coordinates are floats, and SQUARE returns one in both",
}  # fmt: skip
"""Findings by model that are no difference, and why."""


def differences(sql: str) -> Iterator[str]:
    """What of a statement in Snowflake's dialect has another meaning in DuckDB."""
    for statement in sqlglot.parse(sql, read="snowflake"):
        assert statement is not None
        for node in statement.walk():
            if reason := FUNCTIONS.get(type(node)):
                yield reason
            elif isinstance(node, exp.Div) and not any(map(_is_fraction, (node.this, node.expression))):
                yield "/ of whole numbers: six decimals on Snowflake, a float in DuckDB"
            elif _is_moment(node) and node.find(exp.DPipe):
                yield "text as a date or time: in the session's input format on Snowflake"
            for operand in _as_text(node):
                if isinstance(operand, exp.Column) and MOMENT.search(operand.name):
                    yield f"{operand.sql()} as text: in the session's output format on Snowflake"


def _as_text(node: exp.Expression) -> tuple[exp.Expression, ...]:
    """What an expression turns into text without a format."""
    if isinstance(node, exp.DPipe):
        return node.this, node.expression
    is_text = isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.TEXT_TYPES)
    return (node.this,) if is_text or (isinstance(node, exp.ToChar) and not node.args.get("format")) else ()


def _is_moment(node: exp.Expression) -> bool:
    return isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.TEMPORAL_TYPES)


def _is_fraction(node: exp.Expression) -> bool:
    return isinstance(node, exp.Cast) and not node.to.is_type(*exp.DataType.INTEGER_TYPES)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select max_by(a, b) from t", "max_by"),
        ("select min_by(a, b) from t", "min_by"),
        ("select greatest(a, 0) from t", "greatest"),
        ("select concat(a, b) from t", "concat"),
        ("select array_agg(a) from t", "array_agg"),
        ("select listagg(a, ',') from t", "listagg"),
        ("select any_value(a) from t", "any_value"),
        ("select a / b from t", "/ of whole numbers"),
        ("select cast(race_date as varchar) from t", "race_date as text"),
        ("select md5(coalesce(cast(t.valid_from as varchar), '')) from t", "t.valid_from as text"),
        ("select last_seen_at || a from t", "last_seen_at as text"),
        ("select to_char(race_date) from t", "race_date as text"),
        ("select cast(a || ' ' || b as timestamp_ntz) from t", "text as a date or time"),
        ("select cast(a as float) / b, cast(number as varchar) || state from t", ""),
        ("select to_char(race_date, 'YYYY-MM-DD'), try_to_timestamp_ntz(a || b, 'YYYY-MM-DD HH24:MI:SS') from t", ""),
    ],
)
def test_a_function_that_differs_is_found(sql: str, found: str) -> None:
    assert [finding[: len(found)] for finding in differences(sql)] == ([found] if found else [])


@pytest.mark.system
def test_the_marts_use_none_of_them(built_home: Path) -> None:
    target = built_home / "dbt" / "target"
    nodes = json.loads((target / "manifest.json").read_text())["nodes"].values()
    files = {node["name"]: target / "compiled" / "f1stream" / node["original_file_path"] for node in nodes}
    compiled = {name: file.read_text() for name, file in files.items() if file.suffix == ".sql"}
    assert len(compiled) > 60
    found = {(name, finding) for name, sql in compiled.items() for finding in differences(sql)}
    assert found == ALLOWED.keys()
