"""The documents, read as a newcomer would: every path, link and command in them exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from f1stream.cli import app
from tests.support.required import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "deploy", "deploy/streamlit", "dbt", "tests")
    for path in (ROOT / folder).glob("*.md")
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README_LINES = 130


def code(document: str) -> Iterator[str]:
    """The lines of shell blocks without their comments, and the code spans of the prose."""
    text = (ROOT / document).read_text()
    for language, block in BLOCK.findall(text):
        if language in {"", "sh", "bash"}:
            yield from (re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))


def commands(program: str) -> list[tuple[str, str]]:
    """Document and command line of every command of a program, such as ``make``."""
    return sorted(
        {(document, line) for document in DOCUMENTS for line in code(document) if line.startswith(f"{program} ")}
    )


def anchors(path: Path) -> set[str]:
    """The headings of a document as links name them."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings_that_exist(document: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", (ROOT / document).read_text()):
        target, _, heading = link.partition("#")
        path = (ROOT / document).parent / target if target else ROOT / document
        assert path.exists(), link
        assert not heading or heading in anchors(path), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_that_are_named_exist(document: str) -> None:
    """From the project's root or from the document's folder; ``{a,b}`` names several, ``*`` any."""
    at_root = {path.name for path in ROOT.iterdir()}
    for named in code(document):
        path = named.partition("::")[0].rstrip("/")
        if re.fullmatch(r"[\w.-]+(/[\w.*-]+)+", path) and path.split("/")[0] in at_root:
            exists = any(ROOT.glob(path)) or any((ROOT / document).parent.glob(path))
            assert exists or path in {"deploy/.env", "web/static"}, named


@pytest.mark.parametrize(("document", "line"), commands("f1stream"))
def test_commands_of_f1stream_exist_with_their_options(document: str, line: str) -> None:
    """That every command also runs is in tests/deploy/test_secrets.py."""
    command: Any = get_command(app)
    words = [word for word in shlex.split(line.replace("…", ""))[1:] if not word.startswith("[")]
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    assert command is not get_command(app), f"{document}: no such command"
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    if command.name != "dbt":  # its arguments are dbt's
        assert {word for word in words if word.startswith("--")} <= options, document


@pytest.mark.parametrize(("document", "line"), commands("make"))
def test_targets_of_make_exist(document: str, line: str) -> None:
    own = {
        key: value for key, value in os.environ.items() if key != "ARGS" and not key.startswith(("MAKE", "MFLAGS"))
    }
    words = [word for word in shlex.split(line)[1:] if word != "|"]
    ran = subprocess.run(["make", "-n", *words], cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, (document, ran.stderr)


def test_the_readme_is_short_and_begins_with_its_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= README_LINES
    assert [line.split("#")[0].strip() for line in lines if line.startswith("make ")][:2] == [
        "make demo",
        "make test",
    ]
    assert re.search(r"^timed make test\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE), "CI runs it too"
