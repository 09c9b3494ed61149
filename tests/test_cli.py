"""What the command line says of itself, and refuses: one sentence and exit code 2."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from f1stream import cli
from f1stream.embedded import broker, broker_binary
from f1stream.marts import project
from tests.support.command_line import refusal
from tests.support.demo import PORTS, ports
from tests.support.ports import free_port

HEAVY = {
    "aiohttp", "aiokafka", "apscheduler", "asyncio", "boto3", "dbt", "duckdb", "fakesnow", "fastf1", "faust", "mode",
    "numpy", "orjson", "pandas", "plotly", "prometheus_client", "psutil", "pyarrow", "pydantic", "pydantic_settings",
    "requests", "snowflake", "sqlalchemy", "sqlglot", "tenacity",
}  # fmt: skip
"""Libraries that only the commands that use them may import: together they take more than a second and 150 MB."""


def test_version() -> None:
    done = CliRunner().invoke(cli.app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"f1stream {version('f1stream')}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["warehouse", "--help"], ["--version"]])
def test_help_imports_no_library_that_is_slow_to_import(arguments: list[str]) -> None:
    """Each of the demo's processes starts through this module."""
    code = (
        "import sys, f1stream.cli as cli\n"
        "try: cli.main()\n"
        "finally: print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    # typer itself reads a command's options with pydantic
    assert HEAVY & set(done.stderr.split()) <= ({"pydantic"} if arguments != ["--help"] else set())
    assert "f1stream" in done.stderr, "the list of modules was printed"


def test_append_without_a_recording_is_refused() -> None:
    done = CliRunner().invoke(cli.app, ["live", "--append"])
    assert done.exit_code == 2
    assert "--append goes with --record" in done.output


def test_dbt_without_a_command_shows_its_help(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[list[str]] = []
    monkeypatch.setenv("F1STREAM_HOME", str(tmp_path))
    monkeypatch.setattr("f1stream.embedded.running.embedded_warehouse", nullcontext)
    monkeypatch.setattr(project, "run_dbt", lambda _, arguments: asked.append(arguments) or True)
    assert CliRunner().invoke(cli.app, ["dbt"]).exit_code == 0
    assert asked == [["--help"]]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The sentence that a command ends with, in settings of its own, with ports on which nothing listens."""
    for name, value in {"F1STREAM_HOME": str(tmp_path), "F1STREAM_BROKER": "", **ports()}.items():
        monkeypatch.setenv(name, value)

    def run(*command: str) -> str:
        (sentence,) = refusal(monkeypatch, capsys, *command)
        return sentence

    return run


@pytest.mark.parametrize(
    ("source", "reason"),
    [("nothing:1", "is not a source"), ("archive:/nowhere", "/nowhere"), ("sim:wheels=4", "wheels")],
)
def test_impossible_source(refused: Callable[..., str], source: str, reason: str) -> None:
    assert reason in refused("demo", "--source", source)


@pytest.mark.parametrize("name", PORTS[:-1])
def test_taken_port_is_named_with_its_setting(refused: Callable[..., str], name: str) -> None:
    setting = f"F1STREAM_{name}_PORT"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(os.environ[setting])))
        taken.listen()
        sentence = refused("demo", "--source", "sim:")
    assert os.environ[setting] in sentence
    assert setting in sentence


@pytest.mark.parametrize(
    "command", [["demo", "--source", "sim:laps=1"], ["jobs", "run", "build"], ["jolpica", "sync"]]
)
def test_a_home_that_cannot_be_written_is_named(
    refused: Callable[..., str], command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("F1STREAM_HOME", str(tmp_path / "file"))
    sentence = refused(*command)
    assert str(tmp_path / "file") in sentence
    assert "F1STREAM_HOME" in sentence


def test_an_address_that_is_not_of_this_machine_is_named_with_its_setting(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F1STREAM_WEB_HOST", "192.0.2.1")
    sentence = refused("web")
    assert "192.0.2.1 is no address of this machine to listen on for the page" in sentence
    assert "F1STREAM_WEB_HOST" in sentence


def test_a_file_of_no_authority_is_a_sentence_before_the_page_is_served(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("", "127.0.0.1:9"), ("_SECURITY", "SSL"), ("_CA_FILE", str(tmp_path / "none"))):
        monkeypatch.setenv(f"F1STREAM_BROKER{name}", value)
    assert "F1STREAM_BROKER_CA_FILE" in refused("web")


def test_a_report_that_cannot_be_written_is_refused_before_the_session(tmp_path: Path) -> None:
    for report in (tmp_path, tmp_path / "not" / "there"):
        done = CliRunner().invoke(cli.app, ["demo", "--exit-when-done", "--report", str(report)])
        assert done.exit_code == 2
        assert "--report" in done.output


@pytest.mark.parametrize("command", [[], ["demo"], ["warehouse", "sql"], ["jobs"]])
def test_help_is_shown_on_a_terminal_that_has_few_characters(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "argv", ["f1stream", *command, "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    terminal.flush()
    assert ended.value.code == 0
    assert b"--help" in written.getvalue()


@pytest.mark.parametrize("command", [["race"], ["archive"], ["topics"], ["live"], ["replay", "sim:laps=1,cars=2"]])
def test_unreachable_broker(refused: Callable[..., str], command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1STREAM_BROKER", f"127.0.0.1:{free_port()}")
    assert "No Kafka broker answers" in refused(*command)


def test_embedded_broker_that_ends_at_once(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "command", lambda port: ["/bin/sh", "-c", "exit 3"])
    sentence = refused("demo", "--source", "sim:laps=1")
    log = Path(os.environ["F1STREAM_HOME"]) / "logs" / "broker.log"
    assert f"The embedded broker ended at once with code 3. Its log is {log}." in sentence


@pytest.mark.parametrize("command", [["demo", "--source", "sim:laps=1"], ["broker"]])
def test_embedded_broker_without_a_binary(
    command: list[str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_binary, "PACKAGE", "not-installed-here")
    assert "The embedded broker cannot be started: the package not-installed-here is not installed" in refused(
        *command
    )
