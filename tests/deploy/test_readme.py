"""The README read as a newcomer would: its commands and paths exist, and a test is named that runs each command."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from typer.main import get_command

from f1stream.cli import app
from tests.support.required import ROOT

README, DEPLOYED, CONTRIBUTING = (
    (ROOT / name).read_text() for name in ("README.md", "deploy/README.md", "CONTRIBUTING.md")
)
RUN_BY = {
    "test_ctrl_c_ends_the_simulated_race_that_is_shown_without_a_network":
        ["make demo", "f1stream demo"],
    "test_result_and_standings_are_on_the_page_after_the_session":
        ['make demo ARGS="--source sim:laps=15,seed=7 --speed max"'],
    "test_whole_australian_grand_prix_is_accounted_for":
        ["f1stream demo --source archive:/path/to/aus2025_race --speed 5"],
    "test_sessions_at_once_are_accounted_for":
        ["f1stream demo --source sim:laps=5 --speed max --exit-when-done --report report.json"],
    "test_the_command_ends_with_1_only_when_something_is_beyond_its_bound": ["f1stream check"],
    "test_commands_fetch_and_list":
        ["f1stream sessions", "f1stream sessions 2025", "f1stream fetch"],
    "test_a_session_goes_from_the_shell_into_the_warehouse": [
        "f1stream replay", "f1stream jobs run", "f1stream jolpica sync", "f1stream warehouse init",
        "f1stream warehouse status", "f1stream warehouse sql", 'f1stream warehouse sql "select …"',
        "f1stream warehouse serve", "f1stream broker", "f1stream topics", "f1stream dbt",
        "faust -A agents.race worker", "faust -A agents.archive worker",
    ],
    "test_all_that_the_feed_says_is_in_the_topics_and_in_the_recording":
        ["f1stream live", "f1stream live --record"],
    "test_killed_in_mid_race_it_goes_on_where_its_tables_end": ["f1stream race"],
    "test_killed_at_a_step_it_loads_everything_once": ["f1stream archive"],
    "test_killed_while_it_asks_and_while_it_builds_nothing_is_half_done":
        ["f1stream schedule", "f1stream jobs"],
    "test_a_backfill_that_is_killed_goes_on_where_it_was": ["f1stream jolpica backfill"],
    "test_with_other_partitions_the_race_is_the_same_and_both_runs_are_loaded":
        ['f1stream warehouse sql "…"'],
    "test_race_from_start_to_flag": ["f1stream web"],
    "test_where_all_is_well_nothing_is_to_be_mended": ["f1stream doctor"],
    "test_image_has_changed_with_each_thing_that_its_dockerfile_copies": ["deploy/changed.sh"],
    "test_tables_come_before_services_and_the_marts_after_them":
        ["deploy/release.sh TAG DBT_TARGET"],
    "test_every_node_of_every_build_passed": ["dbt build"],
    "test_without_a_warehouse_one_is_started_and_stopped": ["make streamlit"],
}  # fmt: skip
"""Commands by the test that runs them, maybe with other values: of a source, of a speed."""
NOT_RUN = {
    # They run all tests, or run for minutes: CI calls them, and the workflows are read for that.
    "test_checks_are_those_of_a_developer": ["make test", ".ci/run", "make checks"],
    "test_workers_replaced_one_by_one_change_no_frame_and_lose_no_row":
        ["make test-system ARGS=tests/faults/test_rolling_restart.py", "make faults"],
    # Formula 1's servers are not asked: the demo takes what is at hand, and fetching asks servers of the tests.
    "test_race_that_was_fetched_before_is_shown_without_asking":
        ["f1stream demo --source fastf1:2025/Monza/R --speed 5"],
    # There is no cloud: the release has a stand-in, and test_terraform.py reads the files.
    "test_tables_come_before_services_and_the_marts_after_them":
        ["terraform apply", "terraform plan"],
    # There is no Docker: what the file says is started as plain processes.
    "test_a_session_goes_through_all_of_them_to_page_and_warehouse": [
        "docker compose -f deploy/compose.yaml up --build --wait",
        "docker compose -f deploy/compose.yaml run --rm source replay sim:laps=10 --speed 5"],
    # There is no Snowflake either.
    "test_the_upload_to_snowflake_is_all_that_the_app_imports": ["make streamlit-deploy"],
    # The script is not among the jars: a client deletes the topics that its pattern names.
    "test_with_other_partitions_the_race_is_the_same_and_both_runs_are_loaded":
        ["kafka-topics.sh --bootstrap-server … --delete --topic"
         " 'telemetry|laps|messages|updates|frames|dead-letters|f1stream-race-.*'"],
}  # fmt: skip
"""What no test runs, and the test that comes nearest."""
TESTS = {command: test for each in (RUN_BY, NOT_RUN) for test, commands in each.items() for command in commands}
COMMAND = re.compile(
    r"(make|f1stream|faust|dbt|terraform|docker|git|kafka-topics.sh|python3?|pip|mvn) .|\.ci/run|\w+/\w+\.sh"
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> Iterator[list[str]]:
    """Lines of the blocks that are typed into a shell, without what is said about them; of the command list, all."""
    for language, block in BLOCK.findall(text):
        if language not in {"sql", "caddyfile"} and not block.startswith("GET ") and "──▶" not in block:
            yield [re.sub(r" +#.*", "", line) for line in block.splitlines()]


def listed() -> list[str]:
    """The lines of "The command line"."""
    (block,) = blocks(README.partition("\n## The command line\n")[2].partition("\n## ")[0])
    return block


def usage(line: str) -> tuple[list[str], list[str]]:
    """Commands and options of such a line; a group has its commands between bars, before the first colon."""
    (_, name, rest), options = line.split(maxsplit=2), re.findall(r"--[a-z-]+", line)
    below = getattr(get_command(app), "commands").get(name)  # noqa: B009 - Typer's own click has no types
    if not hasattr(below, "commands"):
        return [f"f1stream {name}"], options
    parts = re.sub(r"\[--.*?\]", "", rest.partition(": ")[0]).split("|")
    own = [f"f1stream {name}"] if below.invoke_without_command else []
    return own + [f"f1stream {name} {part.strip(' []').split()[0]}" for part in parts], options


def told() -> Iterator[str]:
    """Every command of both files."""
    for line in listed():
        yield from usage(line)[0]
        yield from re.findall(r"also: (faust .*)", line)
    for text in (README, DEPLOYED):
        for block in blocks(text):
            yield from () if block == listed() else block
        prose = BLOCK.sub("", text)
        yield from (line.strip() for line in re.findall(r"^    .*$", prose, re.MULTILINE))
        yield from (code for code in re.findall(r"`([^`]+)`", prose) if COMMAND.match(code))


def parsed(words: list[str], example: bool) -> Any:
    """The command that is meant; of an example all arguments must be right, elsewhere the options must exist."""
    command = get_command(app)
    while words and (below := getattr(command, "commands", {}).get(words[0])):
        command, words = below, words[1:]
    if example:
        command.make_context(command.name, list(words))
    else:
        assert not getattr(command, "commands", {}) or command.invoke_without_command, "it needs a command of its own"
        assert set(re.findall(r"--[a-z-]+", " ".join(words))) <= options_of(command)
    return command


def options_of(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def recipe(words: list[str]) -> str:
    """What make would run."""
    own = {
        key: value for key, value in os.environ.items() if key != "ARGS" and not key.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", "-n", *words], cwd=ROOT, env=own, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def file_of(test: str) -> str:
    """The text of the file that has the test. Fails unless one has it."""
    (text,) = (text for text in texts_of_tests() if re.search(rf"^(async )?def {test}\(", text, re.MULTILINE))
    return text


@cache
def texts_of_tests() -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))


@pytest.mark.parametrize("command", sorted(set(told())))
def test_it_is_a_command_and_is_mapped_to_a_test(command: str) -> None:
    assert COMMAND.match(command), "what stands in a block of commands is no command that is known here"
    assert command in TESTS, "name the test that runs it"
    file_of(TESTS[command])
    program, *words = shlex.split(command)
    example = any(command in block for text in (README, DEPLOYED) for block in blocks(text))
    if program == "make":
        ran = recipe(words)
        if words[0] == "demo":
            (demo,) = re.findall(r"^\.venv/bin/f1stream (demo.*)$", ran, re.MULTILINE)
            parsed(shlex.split(demo), example=True)
        assert all((ROOT / file).exists() for file in re.findall(r"bin/pytest (tests/\S+)", ran))
    elif program == "f1stream":
        parsed(words, example)
    elif "/" in program:
        assert os.access(ROOT / program, os.X_OK)


@pytest.mark.parametrize("command", [each for ran in RUN_BY.values() for each in ran if each.startswith("f1stream")])
def test_the_file_of_the_test_that_runs_it_has_its_words(command: str) -> None:
    said = file_of(TESTS[command])
    assert [word for word in subcommands(command) if not re.search(rf"\b{word}\b", said)] == []


def subcommands(line: str) -> Iterator[str]:
    command, words = get_command(app), shlex.split(line)[1:]
    while words and (below := getattr(command, "commands", {}).get(words[0])):
        yield words[0]
        command, words = below, words[1:]


def test_nothing_is_mapped_that_is_not_told() -> None:
    assert TESTS.keys() == set(told())
    assert re.search(r"^timed make test\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE), "CI runs what is told"
    assert len(TESTS) == sum(map(len, (*RUN_BY.values(), *NOT_RUN.values()))), "one is mapped twice"


def test_the_list_has_every_command_and_only_options_that_exist() -> None:
    def every(command: Any, name: str) -> Iterator[str]:
        below = getattr(command, "commands", {})
        if not below or command.invoke_without_command:
            yield name
        for word, each in below.items():
            if not each.hidden:
                yield from every(each, f"{name} {word}")

    named = [command for line in listed() for command in usage(line)[0]]
    assert sorted(named) == sorted(every(get_command(app), "f1stream"))
    for line in listed():
        names, options = usage(line)
        there = set().union(*(options_of(parsed(name.split()[1:], example=False)) for name in names))
        assert set(options) <= there, line


def test_a_developer_s_commands_are_targets_of_the_makefile_and_files() -> None:
    (block,) = blocks(CONTRIBUTING)
    for line in block:
        program, *words = shlex.split(line)
        assert program in {"make", ".venv/bin/pre-commit"}
        assert program != "make" or recipe(words)
    inline = [code for code in re.findall(r"`([^`\n]+)`", CONTRIBUTING) if COMMAND.match(code)]
    assert len(inline) > 2
    for code in inline:
        program, *words = shlex.split(code)
        assert recipe(words) if program == "make" else os.access(ROOT / program, os.X_OK), code


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "deploy/README.md"])
def test_every_path_that_is_named_exists(name: str) -> None:
    """A path from the project's root or from the file's folder; a module alone is one of the folder named before."""
    text = (ROOT / name).read_text()
    at_root, modules = {path.name for path in ROOT.iterdir()}, {path.name for path in ROOT.glob("[!.]*/**/*.py")}
    named = re.findall(r"`([\w.-]+(?:/[\w.-]*)*)`", text)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    paths = [each for each in named if each.split("/")[0] in at_root and "/" in each and each != "deploy/.env"]
    assert len(paths) + len(links) > 3
    for path in (*paths, *links):
        assert (ROOT / path).exists() or (ROOT / name).parent.joinpath(path).exists(), path
    assert [each for each in named if re.fullmatch(r"\w+\.py", each) and each not in modules] == []
