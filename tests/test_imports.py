"""How modules import each other: without a circle, along the flow of the data, and none too long to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.support.required import ROOT

ORDER = (
    ("models",),
    (
        "f1stream.errors", "f1stream.private_folder", "f1stream.env_file", "f1stream.embedded.password",
        "f1stream.settings", "f1stream.child_environment", "f1stream.logs", "f1stream.ports", "f1stream.processes",
        "f1stream.supervisor", "f1stream.scratch", "f1stream.disk", "f1stream.lock", "f1stream.process_health",
        "f1stream.monitoring", "f1stream.garbage", "f1stream.fetch_wait",
    ),
    ("f1stream.topics", "f1stream.topic_settings", "f1stream.kafka"),
    ("f1stream.metrics", "f1stream.processing"),
    ("f1stream.race",),
    ("f1stream.sources", "f1stream.progress"),
    ("f1stream.conformance",),
    ("f1stream.embedded",),
    ("f1stream.warehouse",),
    ("f1stream.jolpica",),
    ("f1stream.marts",),
    ("f1stream.jobs",),
    ("agents",),
    ("web",),
    ("f1stream.report", "f1stream.stack", "f1stream.doctor", "f1stream.demo_session", "f1stream.demo"),
    ("f1stream.commands",),
    ("f1stream.cli", "f1stream.child", "f1stream.reference", "f1stream.__main__"),
)  # fmt: skip
"""A package imports from its own line and from earlier ones. The longest name that fits a module counts."""
LONGEST = 400
"""Lines of a module."""


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package in ("models", "f1stream", "agents", "web"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """Our modules that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield from (each for each in [name if name in modules() else node.module] if each in modules())
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())


@cache
def imports() -> dict[str, set[str]]:
    return {name: set(imported(path)) - {name} for name, path in modules().items()}


def line_of(name: str) -> int:
    """Which line of the order a module is in."""
    fits = [
        (len(prefix), line)
        for line, prefixes in enumerate(ORDER)
        for prefix in prefixes
        if f"{name}.".startswith(f"{prefix}.")
    ]
    assert fits, f"{name} is in no line of the order"
    return max(fits)[1]


def test_no_module_imports_itself_through_others() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as circle:
        raise AssertionError(" imports ".join(reversed(circle.args[1]))) from None


def test_imports_point_along_the_flow() -> None:
    against = [
        f"{name} imports {other}"
        for name, others in imports().items()
        if name != "f1stream"
        for other in sorted(others)
        if other != "f1stream" and line_of(other) > line_of(name)
    ]
    assert against == []


def test_no_module_is_too_long_to_read() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
