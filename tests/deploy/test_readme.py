"""The documents read as a newcomer would: the commands and paths that they name exist, and tests run the commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from f1stream.cli import app
from tests.support.required import ROOT

DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md"]
    + [file for folder in ("docs", "deploy", "dbt") for file in (ROOT / folder).rglob("*.md")]
)
RUN_BY = {
    "f1stream demo": "test_ctrl_c_ends_the_simulated_race_that_is_shown_without_a_network",
    "f1stream sessions": "test_commands_fetch_and_list",
    "f1stream fetch": "test_commands_fetch_and_list",
    "f1stream check": "test_the_command_ends_with_1_only_when_something_is_beyond_its_bound",
    "f1stream replay": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream live": "test_all_that_the_feed_says_is_in_the_topics_and_in_the_recording",
    "f1stream race": "test_killed_in_mid_race_it_goes_on_where_its_tables_end",
    "f1stream archive": "test_killed_at_a_step_it_loads_everything_once",
    "f1stream schedule": "test_killed_while_it_asks_and_while_it_builds_nothing_is_half_done",
    "f1stream jobs": "test_killed_while_it_asks_and_while_it_builds_nothing_is_half_done",
    "f1stream jobs run": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream jolpica sync": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream jolpica backfill": "test_a_backfill_that_is_killed_goes_on_where_it_was",
    "f1stream dbt": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream warehouse init": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream warehouse status": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream warehouse sql": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream warehouse serve": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream web": "test_race_from_start_to_flag",
    "f1stream broker": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream topics": "test_a_session_goes_from_the_shell_into_the_warehouse",
    "f1stream doctor": "test_where_all_is_well_nothing_has_to_be_fixed",
}
"""A test that runs each command."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:make|f1stream) \S.*")
SCRIPT = re.compile(r"(?:[\w.]+/)+\w+\.sh|\.ci/run")


def named(text: str) -> Iterator[tuple[str, bool]]:
    """The commands of a document, each with whether it is a whole one, from a block."""
    for _, block in BLOCK.findall(text):
        for line in block.splitlines():
            command = re.sub(r" +#.*", "", line).strip()
            if COMMAND.match(command) and not re.search(r"  | \| ", command):  # those are lists with explanations
                yield command, "[" not in command and "…" not in command
    for code in re.findall(r"`([^`\n]+)`", BLOCK.sub("", text)):
        if COMMAND.fullmatch(code):
            yield code, False


def every(command: Any, name: str) -> Iterator[str]:
    """The commands that can be called, without hidden ones."""
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield name
    for word, each in below.items():
        if not each.hidden:
            yield from every(each, f"{name} {word}")


def parse(words: list[str], *, whole: bool) -> None:
    """Fails unless there is such a command with these options; of a whole one, all arguments must be right."""
    command = get_command(app)
    while words and (below := getattr(command, "commands", {}).get(words[0])):
        command, words = below, words[1:]
    words = [] if words and words[0].isupper() and not whole else words  # a placeholder
    assert not getattr(command, "commands", {}) or command.invoke_without_command or not words, words
    if whole:
        command.make_context(command.name, list(words))
    elif not command.context_settings.get("ignore_unknown_options"):
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(re.findall(r"--[a-z-]+", " ".join(words))) <= options


def recipe(words: list[str]) -> str:
    """What make would run. Fails where it knows no such target."""
    own = {
        key: value for key, value in os.environ.items() if key != "ARGS" and not key.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", "-n", *words], cwd=ROOT, env=own, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


@cache
def texts_of_tests() -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_that_a_document_names_exists(file: Path) -> None:
    text = file.read_text()
    for command, whole in sorted(set(named(text))):
        program, *words = shlex.split(command)
        if program == "make":
            ran = recipe(words)
            for demo in re.findall(r"^\.venv/bin/f1stream (demo.*)$", ran, re.MULTILINE):
                parse(shlex.split(demo), whole=True)
            assert all((ROOT / path).exists() for path in re.findall(r"bin/pytest (tests/\S+)", ran)), command
        else:
            parse(words, whole=whole)
    for script in SCRIPT.findall(text):
        assert os.access(ROOT / script, os.X_OK) or os.access(file.parent / script, os.X_OK), script


def test_every_command_is_run_by_a_test() -> None:
    assert sorted(RUN_BY) == sorted(every(get_command(app), "f1stream"))
    for command, test in RUN_BY.items():
        (text,) = (text for text in texts_of_tests() if re.search(rf"^(async )?def {test}\(", text, re.MULTILINE))
        assert [word for word in command.split()[1:] if not re.search(rf"\b{word}\b", text)] == [], command


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_path_that_a_document_names_exists(file: Path) -> None:
    """A path is from the project's root or from the file's folder; a module's name alone is that of any module."""
    text = BLOCK.sub("", file.read_text())
    at_root, modules = {path.name for path in ROOT.iterdir()}, {path.name for path in ROOT.glob("[!.]*/**/*.py")}
    names = re.findall(r"`([\w.-]+(?:/[\w.-]*)*)(?:::[^`]*)?`", text)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    paths = [each for each in names if each.split("/")[0] in at_root and "/" in each and each != "deploy/.env"]
    for path in (*paths, *links):
        assert (ROOT / path).exists() or (file.parent / path).exists(), path
    assert [each for each in names if re.fullmatch(r"\w+\.py", each) and each not in modules] == []
