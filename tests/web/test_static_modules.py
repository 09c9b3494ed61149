"""The page's ES modules: every static import names an existing export, there is no circle, and modules are short."""

from __future__ import annotations

import gzip
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from web.app import STATIC

IMPORT = re.compile(r'^import \{(?P<names>[^}]*)\} from "(?P<path>\.[^"]+)";$', re.MULTILINE)
ANY_IMPORT = re.compile(r'^\s*(?:import\b(?!\()|export\b.*\bfrom ")', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:const|let|class|function\*?) (\w+)", re.MULTILINE)
MAX_LINES = 300
CHART_BYTES = 35_000
"""Of all modules of the charts, each compressed."""

MODULES = {path: path.read_text() for path in sorted(STATIC.rglob("*.js"))}


def imports(path: Path) -> dict[Path, set[str]]:
    """The names that a module imports, by the module that they come from."""
    return {
        (path.parent / found["path"]).resolve(): {name.strip() for name in found["names"].split(",")}
        for found in IMPORT.finditer(MODULES[path])
    }


def test_every_import_of_the_page_names_an_export() -> None:
    assert len(MODULES) > 20
    for path, text in MODULES.items():
        assert len(ANY_IMPORT.findall(text)) == len(IMPORT.findall(text)), f"{path.name}: an import of another form"
        for target, names in imports(path).items():
            assert target in MODULES, f"{path.name} imports {target.name}, which does not exist"
            assert names <= set(EXPORT.findall(MODULES[target])), f"{path.name} imports from {target.name}"


def test_every_module_of_the_page_is_reached_from_its_start() -> None:
    reached: set[Path] = set()
    waiting = [STATIC / "main.js"]
    while waiting:
        path = waiting.pop().resolve()
        if path not in reached:
            reached.add(path)
            waiting += imports(path)
    assert {path.name for path in set(MODULES) - reached} == {"theme.js"}, "theme.js is a script of index.html"


def test_the_imports_of_the_page_have_no_circle() -> None:
    try:
        tuple(TopologicalSorter({path: imports(path).keys() for path in MODULES}).static_order())
    except CycleError as error:
        circle = [str(path.relative_to(STATIC)) for path in error.args[1]]
        raise AssertionError(f"import circle: {' <- '.join(circle)}") from error


def test_the_charts_are_light() -> None:
    charts = [text.encode() for path, text in MODULES.items() if path.parent.name == "charts"]
    assert len(charts) > 10
    assert sum(len(gzip.compress(text)) for text in charts) < CHART_BYTES


def test_no_module_of_the_page_is_long() -> None:
    long = {path.name: text.count("\n") for path, text in MODULES.items() if text.count("\n") > MAX_LINES}
    assert not long
