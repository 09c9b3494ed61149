"""tests/README.md lists every proof: each test stands in one row, and each test in a row exists."""

from __future__ import annotations

import re
from collections import Counter

from tests.support.required import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(?:\{([\w,]+)\}|(\w+))`")
FUNCTION = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


def listed(document: str) -> Counter[str]:
    """Tests by row of a document's tables."""
    rows = [line for line in (ROOT / document).read_text().splitlines() if line.startswith("| ")]
    return Counter(
        f"{path}::{name}"
        for row in rows
        for path, several, one in NAMED.findall(row)
        for name in (several or one).split(",")
    )


def there() -> set[str]:
    """Tests by file."""
    return {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in FUNCTION.findall(path.read_text())
    }


def test_every_test_is_in_one_row_of_the_list_and_every_row_has_tests_that_exist() -> None:
    named = listed("tests/README.md")
    assert there() - named.keys() == set(), "add these to tests/README.md"
    assert named.keys() - there() == set(), "these are gone: say where the fact is proven now"
    assert [name for name, times in named.items() if times > 1] == [], "one row each"


def test_every_guarantee_names_tests_that_exist() -> None:
    assert listed("docs/guarantees.md").keys() - there() == set()
    rows = [line for line in (ROOT / "docs" / "guarantees.md").read_text().splitlines() if line.startswith("| ")]
    assert [row for row in rows[1:] if "tests/" not in row and not row.startswith("| Input")] == []
