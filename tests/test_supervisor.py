"""Whatever ends a supervisor, its children end with it: signals, a closed terminal, a failed child, SIGKILL."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from f1stream import logs
from f1stream.processes import Children
from f1stream.supervisor import Supervisor
from tests.support.supervised import INTERRUPTED, ended

FOR_EVER = "exec sleep 600"
STUBBORN = "trap '' TERM INT HUP; while :; do sleep 0.05; done"
"""A child that SIGTERM does not end."""
GONE_WITHIN_S = 10


def after(gate: Path, command: str) -> str:
    """A child that goes on with ``command`` once the file ``gate`` is there."""
    return f"while [ ! -e {gate} ]; do sleep 0.02; done; {command}"


@pytest.fixture(autouse=True)
def hanging_up_is_not_ignored() -> Iterator[None]:
    """Under nohup the supervisor would inherit that it is; a handler of ours it does not."""
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    yield
    signal.signal(signal.SIGHUP, before)


class Supervised:
    """A supervisor and its children."""

    def __init__(self, logs: Path, *commands: str, nohup: bool = False) -> None:
        command = [sys.executable, "-m", "tests.support.supervised", str(logs), *commands]
        self.process = subprocess.Popen(
            ["nohup", *command] if nohup else command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.output = self.process.stdout
        line = self.output.readline()
        self.children = [psutil.Process(int(pid)) for pid in re.findall(r"\d+", line)]
        assert len(self.children) == len(commands), line

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(GONE_WITHIN_S)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Supervised]:
    started = Supervised(tmp_path, FOR_EVER, FOR_EVER)
    yield started
    started.process.kill()
    started.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_everything(running: Supervised, number: signal.Signals) -> None:
    assert running.end(number) == INTERRUPTED
    assert not any(child.is_running() for child in running.children), "none is left when the supervisor ends"
    assert "Stopping." in running.output.read()


def test_child_that_does_not_end_is_killed(tmp_path: Path) -> None:
    started = Supervised(tmp_path, FOR_EVER, STUBBORN)
    assert started.end(signal.SIGTERM) == INTERRUPTED
    assert not any(child.is_running() for child in started.children)


def test_closed_terminal_does_not_end_what_runs_under_nohup(tmp_path: Path) -> None:
    started = Supervised(tmp_path, after(tmp_path / "gate", "exit 0"), nohup=True)
    started.process.send_signal(signal.SIGHUP)
    (tmp_path / "gate").touch()
    assert started.process.wait(GONE_WITHIN_S) == 0, "its work came to its end"


def test_failing_child_stops_everything_and_its_log_is_shown(tmp_path: Path) -> None:
    started = Supervised(tmp_path, FOR_EVER, after(tmp_path / "gate", "echo no more tyres; exit 3"))
    (tmp_path / "gate").touch()
    assert started.process.wait(GONE_WITHIN_S) == 1
    assert not any(child.is_running() for child in started.children)
    said = started.output.read()
    assert "child1 ended with code 3" in said
    assert "no more tyres" in said


def test_the_log_of_a_child_that_writes_endlessly_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", 1_000)
    children = Children(tmp_path, lambda _: dict(os.environ))
    supervisor = Supervisor(children, Console(quiet=True))
    children.start("child", ["/bin/sh", "-c", "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.001; done"])
    log, old = tmp_path / "child.log", tmp_path / "child.old.log"
    try:
        # Until the log was put aside twice: it goes on at the beginning of the emptied file.
        while not old.exists() or numbers(old)[0] == 1:
            supervisor.check()
            time.sleep(0.005)
            assert log.stat().st_size < 100_000
    finally:
        children.stop()
    assert numbers(old) == sorted(numbers(old))
    assert not numbers(log) or numbers(log)[0] > numbers(old)[-1]
    assert b"\0" not in log.read_bytes() + old.read_bytes(), "no hole where the file was emptied"


def numbers(log: Path) -> list[int]:
    return [int(line.split()[-1]) for line in log.read_text().splitlines()]


def test_killed_child_stops_everything(running: Supervised) -> None:
    running.children[1].kill()
    assert running.process.wait(GONE_WITHIN_S) == 1
    assert "child1 ended with code -9" in running.output.read()
    assert not running.children[0].is_running()


def test_work_that_is_done_stops_everything(tmp_path: Path) -> None:
    started = Supervised(tmp_path, after(tmp_path / "gate", "exit 0"), FOR_EVER)
    (tmp_path / "gate").touch()
    assert started.process.wait(GONE_WITHIN_S) == 0
    assert not started.children[1].is_running()


def test_killed_supervisor_leaves_no_orphan(running: Supervised) -> None:
    running.process.kill()
    running.process.wait()
    deadline = time.monotonic() + GONE_WITHIN_S
    while not all(ended(child) for child in running.children):
        assert time.monotonic() < deadline, "a child outlives its supervisor"
        time.sleep(0.01)


@pytest.mark.parametrize("closed", [False, True], ids=["Ctrl-C", "terminal closed"])
def test_a_terminal_gets_its_cursor_back_and_may_be_closed(tmp_path: Path, closed: bool) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-m", "tests.support.supervised", str(tmp_path), FOR_EVER]
        os.execve(command[0], command, {**os.environ, "TERM": "xterm"})  # noqa: S606 - no shell is wanted
    try:
        shown = b""
        while not (found := re.search(rb"pids (\d+)\r\n", shown)):
            shown += os.read(terminal, 65_536)
        assert b"\x1b[?25l" in shown, "hidden"
        child = psutil.Process(int(found[1]))
        if closed:
            os.close(terminal)
        else:
            os.write(terminal, b"\x03")
            shown += read_to_the_end(terminal)
            assert re.findall(rb"\x1b\[\?25[lh]", shown)[-1] == b"\x1b[?25h"
        psutil.Process(pid).wait(GONE_WITHIN_S)
        assert not child.is_running()
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def read_to_the_end(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65_536)
        except OSError:  # nobody has it open any more
            return shown
