"""A worker that would lose records exits immediately, with a sentence that says why."""

from __future__ import annotations

import asyncio
import logging
import os

import pytest

from agents import exiting
from agents.exiting import EXIT_CODE, exit_on_error, exit_process
from f1stream.topics import SequenceGap


class ExitedError(Exception):
    """The process would have exited."""


@pytest.fixture
def reasons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why the process would have exited."""
    given: list[str] = []
    monkeypatch.setattr(exiting, "exit_process", given.append)
    return given


def test_exit_is_immediate_and_logs_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def end(code: int) -> None:
        raise ExitedError(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    with pytest.raises(ExitedError, match=str(EXIT_CODE)):
        exit_process("A record is missing.")
    assert caplog.messages[0].startswith("A record is missing. The worker exits and must be restarted")


async def test_sequence_gap_exits_the_process(reasons: list[str]) -> None:
    @exit_on_error
    async def per_driver(_: object) -> None:
        raise SequenceGap("9839:44 goes on at 7, 6 was next")

    await per_driver(None)
    assert reasons == ["A record is missing: 9839:44 goes on at 7, 6 was next."]


async def test_any_error_exits_the_process(reasons: list[str]) -> None:
    """Faust would skip the batch and continue."""

    @exit_on_error
    async def per_driver(_: object) -> None:
        raise KeyError("cause")

    await per_driver(None)
    assert reasons == ["per_driver failed: KeyError: 'cause'."]


async def test_agent_that_is_stopped_does_not_exit_the_process(reasons: list[str]) -> None:
    @exit_on_error
    async def per_driver() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await per_driver()
    assert reasons == []
