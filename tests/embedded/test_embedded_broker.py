"""The embedded broker that does not come up: one sentence and exit code 2; waiting for it blocks nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from f1stream import cli
from f1stream.embedded import broker
from f1stream.embedded.broker import BrokerFailed
from f1stream.settings import settings
from tests.support.rig import free_port

PORTS = ("EMBEDDED_BROKER", "WEB", "RACE", "ARCHIVE", "SCHEDULE", "EMBEDDED_WAREHOUSE")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("F1STREAM_HOME", str(tmp_path))
    monkeypatch.setenv("F1STREAM_BROKER", "")
    for port in PORTS:
        monkeypatch.setenv(f"F1STREAM_{port}_PORT", str(free_port()))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def failure(command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence that ``f1stream COMMAND`` ends with."""
    monkeypatch.setattr(sys, "argv", ["f1stream", *command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("f1stream: ")
    return line


def test_broker_that_ends_at_once_is_one_sentence_and_exit_code_2(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(broker, "command", lambda port: ["/bin/sh", "-c", "exit 3"])
    line = failure(["demo", "--source", "sim:laps=1"], monkeypatch, capsys)
    assert f"The embedded broker ended at once with code 3. Its log is {home}/logs/broker.log." in line


@pytest.mark.parametrize("command", [["demo", "--source", "sim:laps=1"], ["broker"]])
def test_missing_broker_binary_is_one_sentence_and_exit_code_2(
    command: list[str], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", "/nowhere/tansu")
    assert "/nowhere/tansu" in failure(command, monkeypatch, capsys)


async def test_waiting_for_the_broker_leaves_the_event_loop_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "STARTS_WITHIN_S", 0.2)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    process = Mock(subprocess.Popen)
    process.poll.return_value = None
    with pytest.raises(BrokerFailed, match=r"did not listen on port \d+ within 0.2 s"):
        await broker.wait_until_up(process, free_port())
    counting.cancel()
    assert turns > 10
