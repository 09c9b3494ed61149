"""``python -m f1stream.marts.diagram`` writes ``dbt/TABLES.md``: the marts as a diagram, from dbt's manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from f1stream.marts.project import folder, manifest
from f1stream.settings import settings

FILE = folder() / "TABLES.md"
HEAD = """# The marts

Generated from dbt's manifest by `make diagram`; a test fails when this file is out of date. How the marts are built
and queried: [docs/marts.md](../docs/marts.md). Every column is described in dbt's own documentation:
`f1stream dbt docs generate`, then `f1stream dbt docs serve`.

A line is a foreign key that dbt tests. The diagram shows facts and dimensions; the marts made of them for one reader
each are only in the table below it.
"""
DIAGRAMMED = ("facts", "dimensions")
"""Folders of marts. Marts outside them join others for one reader, and would cross the diagram with lines."""
PARENT = re.compile(r"ref\('(\w+)'\)")
"""A table in the arguments of a test."""
Node = dict[str, Any]


def tables(manifest: Node) -> str:
    """The text of ``TABLES.md``: a mermaid diagram of keys and foreign keys, and a table with a row per mart."""
    marts = {
        node["unique_id"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and "marts" in node["fqn"]
    }
    tests = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("test_metadata")
        and node["attached_node"] in marts
        and marts.keys() >= set(node["depends_on"]["nodes"])  # a seed is no mart
    ]
    lines = [HEAD, "```mermaid", "erDiagram"]
    diagrammed = sorted(filter(_is_diagrammed, marts.values()), key=lambda node: str(node["name"]))
    lines += sorted(
        f"    {parent} |o--o{{ {node['name']} : {column}"
        for node in diagrammed
        for column, parent in _foreign_keys(tests, node).items()
    )
    for node in diagrammed:
        primary = {test["column_name"] for test in _tests_of(tests, node, "primary_key")}
        lines += _entity(node, primary, {*_foreign_keys(tests, node)})
    lines += ["```", "", "| mart | what one row is | built as |", "| --- | --- | --- |"]
    for node in sorted(marts.values(), key=lambda node: (node["fqn"][2:-1], node["name"])):
        lines.append(f"| `{node['name']}` | {node['description']} | {node['config']['materialized']} |")
    return "\n".join(lines) + "\n"


def _is_diagrammed(mart: Node) -> bool:
    return mart["fqn"][-2] in DIAGRAMMED


def _tests_of(tests: list[Node], mart: Node, kind: str) -> list[Node]:
    return [
        test for test in tests if test["attached_node"] == mart["unique_id"] and test["test_metadata"]["name"] == kind
    ]


def _foreign_keys(tests: list[Node], mart: Node) -> dict[str, str]:
    """Column to the table it refers to."""
    return {
        column: PARENT.sub(r"\1", parent)
        for test in _tests_of(tests, mart, "foreign_keys")
        for column, parent in test["test_metadata"]["kwargs"]["to"].items()
    }


def _entity(node: Node, primary: set[str], foreign: set[str]) -> Iterator[str]:
    yield f"    {node['name']} {{"
    for name, column in node["columns"].items():
        kinds = [kind for kind, of in (("PK", primary), ("FK", foreign)) if name in of]
        if kinds:
            yield f"        {column['data_type'].partition('(')[0]} {name} {', '.join(kinds)}"
    others = sum(name not in primary | foreign for name in node["columns"])
    yield f"        columns and_{others}_more"
    yield "    }"


def write(file: Path = FILE) -> None:
    """Replace the file."""
    file.write_text(tables(manifest(settings())))


if __name__ == "__main__":
    write()
