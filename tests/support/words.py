"""What a test says: its strings, and those of whatever it uses of the tests' own modules."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


class Reading(ast.NodeVisitor):
    """Strings and names of a piece of code, in their order; docstrings say much that nobody does."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.names: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.words += node.value.split()

    def visit_Call(self, node: ast.Call) -> None:
        """Its arguments stand in brackets: what comes first may be a command."""
        self.visit(node.func)
        self.words.append("(")
        for part in (*node.args, *node.keywords):
            self.visit(part)
        self.words.append(")")

    def visit_Tuple(self, node: ast.Tuple) -> None:
        self.words.append("(")
        self.generic_visit(node)
        self.words.append(")")

    def visit_Name(self, node: ast.Name) -> None:
        self.names.append(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        self.names.append(node.attr)

    def visit_arg(self, node: ast.arg) -> None:
        """It may be a fixture."""
        self.names.append(node.arg)


def words_of(path: Path, function: str) -> str:
    """The words of a test, one blank between them. A name may mean more than one thing: it then means all of them."""
    defined, reading = definitions(path), Reading()
    seen: set[str] = set()
    reading.names.append(function)
    while reading.names:
        if (name := reading.names.pop(0)) not in seen:
            seen.add(name)
            for node in defined[name]:
                reading.visit(node)
    return " ".join(reading.words)


@cache
def definitions(path: Path) -> dict[str, list[ast.AST]]:
    """Functions, methods and constants of a module and of what it imports, by name; a class is how it begins."""
    defined: dict[str, list[ast.AST]] = defaultdict(list)
    for module in modules(path):
        for node in module.body:
            name_it(defined, node)
            if isinstance(node, ast.ClassDef):
                defined[node.name] += node.bases
                for part in node.body:
                    name_it(defined, part)
                    if getattr(part, "name", "") in {"__init__", "__enter__", "__post_init__"}:
                        defined[node.name].append(part)
    return defined


def name_it(defined: dict[str, list[ast.AST]], node: ast.AST) -> None:
    """A function by its name, a constant by its own."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        defined[node.name].append(node)
    for target in getattr(node, "targets", ()):
        if isinstance(target, ast.Name):
            defined[target.id].append(node)


def modules(path: Path) -> Iterator[ast.Module]:
    """A module of tests, its conftests, and the modules of tests that they import."""
    waiting, seen = [path, path.parent / "conftest.py", TESTS / "conftest.py"], set()
    while waiting:
        if (file := waiting.pop(0)) in seen or not file.is_file():
            continue
        seen.add(file)
        module = ast.parse(file.read_text())
        yield module
        for node in ast.walk(module):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting.append(TESTS / f"{node.module.removeprefix('tests.').replace('.', '/')}.py")
