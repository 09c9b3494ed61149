"""The README read as a newcomer would: every command in it is a command, and a test has its words.

That the test runs them is for who reads it; that it passes is for who runs all tests.
"""

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
from tests.support.words import words_of

README, DEPLOYED = (ROOT / "README.md").read_text(), (ROOT / "deploy" / "README.md").read_text()
RUN_BY = {
    "test_demo.py::test_ctrl_c_ends_the_simulated_race_that_is_shown_without_a_network":
        ["make demo", "f1stream demo"],
    "test_demo.py::test_result_and_standings_are_on_the_page_after_the_session":
        ['make demo ARGS="--source sim:laps=15,seed=7 --speed max"'],
    "test_demo.py::test_whole_australian_grand_prix_is_accounted_for":
        ["f1stream demo --source archive:/path/to/aus2025_race --speed 5"],
    "test_demo.py::test_sessions_at_once_are_accounted_for":
        ["f1stream demo --source sim:laps=5 --speed max --exit-when-done --report report.json"],
    "test_fastf1_fetch.py::test_commands_fetch_and_list":
        ["f1stream sessions", "f1stream sessions 2025", "f1stream fetch"],
    "test_commands.py::test_a_session_goes_from_the_shell_into_the_warehouse": [
        "f1stream replay", "f1stream jobs run", "f1stream jolpica sync", "f1stream warehouse init",
        "f1stream warehouse status", "f1stream warehouse sql", 'f1stream warehouse sql "select …"',
        "f1stream warehouse serve", "f1stream broker", "f1stream topics", "f1stream dbt",
        "faust -A agents.race worker", "faust -A agents.archive worker",
    ],
    "test_live.py::test_all_that_the_feed_says_is_in_the_topics_and_in_the_recording":
        ["f1stream live", "f1stream live --record"],
    "test_race_worker.py::test_killed_worker_changes_nothing": ["f1stream race"],
    "test_archive_faults.py::test_sigterm_in_mid_batch_loses_nothing": ["f1stream archive"],
    "test_killed.py::test_killed_while_it_asks_and_while_it_builds_nothing_is_half_done":
        ["f1stream schedule", "f1stream jobs"],
    "test_sync.py::test_a_backfill_that_is_killed_goes_on_where_it_was": ["f1stream jolpica backfill"],
    "test_operations.py::test_with_other_partitions_the_race_is_the_same_and_both_runs_are_loaded":
        ['f1stream warehouse sql "…"'],
    "test_live_page.py::test_race_from_start_to_flag": ["f1stream web"],
    "test_doctor.py::test_where_all_is_well_nothing_is_to_be_mended": ["f1stream doctor"],
    "test_workflows.py::test_image_has_changed_with_each_thing_that_its_dockerfile_copies": ["deploy/changed.sh"],
    "test_workflows.py::test_tables_come_before_services_and_the_marts_after_them":
        ["deploy/release.sh TAG DBT_TARGET"],
    "test_marts.py::test_every_node_of_every_build_passed": ["dbt build"],
    "test_streamlit.py::test_without_a_warehouse_one_is_started_and_stopped": ["make streamlit"],
}  # fmt: skip
"""The test that runs what is told, maybe with other values: of a source, of a speed."""
NOT_RUN = {
    # They run all tests, or run for minutes: CI calls them, and the workflows are read for that.
    "test_workflows.py::test_checks_are_those_of_a_developer": ["make test", ".ci/run", "make checks"],
    "test_rolling_restart.py::test_workers_replaced_one_by_one_change_no_frame_and_lose_no_row":
        ["make test ARGS=tests/faults/test_rolling_restart.py"],
    # Formula 1's servers are not asked: the demo takes what is at hand, and fetching asks servers of the tests.
    "test_demo_session.py::test_race_that_was_fetched_before_is_shown_without_asking":
        ["f1stream demo --source fastf1:2025/Monza/R --speed 5"],
    # There is no cloud: the release has a stand-in, and test_terraform.py reads the files.
    "test_workflows.py::test_tables_come_before_services_and_the_marts_after_them":
        ["terraform apply", "terraform plan"],
    # There is no Docker: what the file says is started as plain processes.
    "test_compose.py::test_a_session_goes_through_all_of_them_to_page_and_warehouse": [
        "docker compose -f deploy/compose.yaml up --build --wait",
        "docker compose -f deploy/compose.yaml run --rm source replay sim:laps=10 --speed 5"],
    # There is no Snowflake either.
    "test_streamlit.py::test_what_is_uploaded_to_snowflake_is_all_that_the_app_imports": ["make streamlit-deploy"],
    # The script is not among the jars: a client deletes the topics that its pattern names.
    "test_operations.py::test_with_other_partitions_the_race_is_the_same_and_both_runs_are_loaded":
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
        if language != "sql" and not block.startswith("GET ") and "──▶" not in block:
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


def phrases(command: str) -> list[str]:
    """What a test that runs a command says: subcommands, options, kinds of sources; of make, of its recipe's end.

    Patterns. Subcommands come after the program's name, or first in what is given to a function that knows it.
    """
    program, *words = shlex.split(command)
    if program == "make":
        return phrases(recipe(words).splitlines()[-1].removeprefix(".venv/bin/"))
    if program == "python" or "/" in program:
        return [f" {re.escape(Path(words[0] if program == 'python' else program).name)} "]
    if program != "f1stream":
        return [f" {re.escape(' '.join(words))} "]
    options = [f" {word} " for word in words if word.startswith("--")]
    kinds = [f" {word.partition(':')[0]}:" for word in words if re.match(r"(sim|archive|fastf1):", word)]
    return [rf" (f1stream|\() {' '.join(subcommands(words))} ", *options, *kinds]


def subcommands(words: list[str]) -> Iterator[str]:
    command = get_command(app)
    while words and (below := getattr(command, "commands", {}).get(words[0])):
        yield words[0]
        command, words = below, words[1:]


def place_of(name: str) -> tuple[Path, str]:
    """Where it is, and its function."""
    file, _, function = name.partition("::")
    (path,) = (ROOT / "tests").rglob(file)
    assert re.search(rf"^(async )?def {function}\(", path.read_text(), re.MULTILINE), f"{function} is not in {path}"
    return path, function


def missing_in(test: str, command: str) -> list[str]:
    """Which phrases of a command a test does not say."""
    said = f" {words_of(*place_of(test))} "
    return [each for each in phrases(command) if not re.search(each, said)]


@pytest.mark.parametrize("command", sorted(set(told())))
def test_it_is_a_command_and_is_mapped_to_a_test(command: str) -> None:
    assert COMMAND.match(command), "what stands in a block of commands is no command that is known here"
    assert command in TESTS, "name the test that runs it"
    place_of(TESTS[command])
    program, *words = shlex.split(command)
    example = any(command in block for text in (README, DEPLOYED) for block in blocks(text))
    if program == "make":
        ran = recipe(words)
        if words[0] == "demo":
            (demo,) = re.findall(r"^\.venv/bin/f1stream (demo.*)$", ran, re.MULTILINE)
            parsed(shlex.split(demo), example=True)
        assert all((ROOT / file).is_file() for file in re.findall(r"bin/pytest (tests/\S+)", ran))
    elif program == "f1stream":
        parsed(words, example)
    elif "/" in program:
        assert os.access(ROOT / program, os.X_OK)


@pytest.mark.parametrize(
    ("test", "command"), [(test, command) for test, commands in RUN_BY.items() for command in commands]
)
def test_the_test_that_runs_it_has_its_words(test: str, command: str) -> None:
    assert missing_in(test, command) == []


@pytest.mark.parametrize("command", ["f1stream dbt", "f1stream live --record", "make streamlit", "make demo"])
def test_a_test_of_something_else_has_not(command: str) -> None:
    assert missing_in("test_doctor.py::test_where_all_is_well_nothing_is_to_be_mended", command) == phrases(command)


def test_nothing_is_mapped_that_is_not_told() -> None:
    assert TESTS.keys() == set(told())
    assert (ROOT / ".ci" / "run").read_text().endswith("\nmake test\n"), "CI runs what is told"
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
