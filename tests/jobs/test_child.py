"""A command as a child of the scheduler: its output, its exit code, and that it ends with its parent."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest

from f1stream import logs, processes
from f1stream.jobs import child
from f1stream.jobs.child import CommandRunner
from f1stream.settings import Settings
from tests.support.clock import until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is a line of shell instead of a command of ours."""
    monkeypatch.setattr(child, "COMMAND", ["/bin/sh", "-c"])
    monkeypatch.setattr(child, "POLL_S", 0.01)


def test_a_run_is_a_command_of_ours(settings: Settings) -> None:
    followed = CommandRunner(settings, "live")
    assert followed.run("replay", "sim:laps=none") == 2
    assert "'none'" in followed.last_words()
    assert not followed.last_words().startswith("f1stream: ")


@pytest.mark.usefixtures("shell")
def test_output_goes_to_our_stderr_and_to_a_log_that_later_runs_append_to(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    followed = CommandRunner(settings, "live")
    assert followed.run("echo one; echo first >&2; exit 2") == 2
    assert followed.last_words() == "first"
    assert followed.run("echo second; exit 3") == 3
    assert followed.last_words() == "second", "its own"
    for written in ((settings.home / "logs" / "live.log").read_text(), capsys.readouterr().err):
        assert written == "one\nfirst\nsecond\n"


@pytest.mark.usefixtures("shell")
def test_a_run_that_wrote_nothing_has_no_last_words(settings: Settings) -> None:
    followed = CommandRunner(settings, "live")
    followed.run("echo first")
    assert followed.run("exec sleep 600", goes_on=lambda: False) is None
    assert followed.last_words() == ""


@pytest.mark.usefixtures("shell")
def test_a_large_log_is_rotated(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", 10)
    folder = settings.home / "logs"
    folder.mkdir()
    (folder / "live.log").write_text("what was said long ago\n")
    CommandRunner(settings, "live").run("echo new")
    assert (folder / "live.log").read_text() == "new\n"
    assert (folder / "live.old.log").read_text() == "what was said long ago\n"
    CommandRunner(settings, "live").run("for n in 1 2 3 4 5 6 7 8; do echo line $n; done")
    assert (folder / "live.old.log").read_text() == "line 6\nline 7\n", "in the middle of a run too"
    assert (folder / "live.log").read_text() == "line 8\n"


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("command", ["exec sleep 600", "trap '' TERM; while :; do sleep 0.05; done"])
def test_no_process_is_left_after_a_stop(settings: Settings, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOPS_WITHIN_S", 0.2)
    followed, codes = CommandRunner(settings, "live"), list[int | None]()
    thread = threading.Thread(target=lambda: codes.append(followed.run(f"echo begun; {command}")))
    thread.start()
    until("it runs", followed.last_words)
    started = [each for each in psutil.Process().children() if each.name() in {"sh", "dash", "bash", "sleep"}]
    assert started
    followed.stopped.set()
    thread.join(10)
    assert codes == [None]
    assert not any(each.is_running() for each in started)
