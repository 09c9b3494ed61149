"""An embedded warehouse that a command has started ends with the command, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from f1stream.embedded import running
from f1stream.ports import listens
from tests.support.clock import until
from tests.support.ports import free_port
from tests.support.supervised import ended

ENDLESS = "select count(*) from range(1000000000) a, range(1000000000) b where a.range % 7 = b.range % 11"


@pytest.fixture(autouse=True)
def signals_are_not_ignored() -> Iterator[None]:
    """A child inherits ignored signals, as under nohup or in the background, but no handlers."""
    numbers = (signal.SIGHUP, signal.SIGINT)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_warehouse_ends_with_the_command_that_started_it(number: signal.Signals) -> None:
    port = free_port()
    command = subprocess.Popen(
        [sys.executable, "-m", "tests.support.owner", str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert command.stdout is not None
    assert command.stdout.readline() == b"up\n"
    (warehouse,) = psutil.Process(command.pid).children()
    command.send_signal(number)
    code = command.wait(10)
    if number in {signal.SIGTERM, signal.SIGHUP}:
        assert code == 128 + number
        assert not warehouse.is_running(), "the command waits for it"
    until("the warehouse has ended", lambda: ended(warehouse))
    assert not listens(port)


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_endless_query_ends_with_its_command(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    environment = {
        **os.environ, "F1STREAM_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path),
        "F1STREAM_EMBEDDED_WAREHOUSE_PORT": str(port),
    }  # fmt: skip
    command = subprocess.Popen(
        [sys.executable, "-m", "f1stream", "warehouse", "sql", ENDLESS],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until("the warehouse is busy", lambda: is_busy(psutil.Process(command.pid)))
    (warehouse,) = psutil.Process(command.pid).children()
    command.send_signal(number)
    said = command.communicate(timeout=30)[1]
    until("the warehouse has ended", lambda: ended(warehouse))
    assert not listens(port)
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["home"], "no temporary file is left"


def is_busy(command: psutil.Process) -> bool:
    """Whether its warehouse runs a query: it uses a whole core for longer than its start."""
    return any(each.cpu_times().user > 3 for each in command.children())


def test_signal_handlers_of_others_are_kept() -> None:
    def ours(*_: object) -> None:
        """A handler of another part of the program."""

    before = signal.signal(signal.SIGTERM, ours)
    try:
        with running.exit_on_signals():
            assert signal.getsignal(signal.SIGTERM) is ours
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)
