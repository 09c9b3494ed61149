"""Waiting for the embedded broker. tests/test_cli.py has the errors when it does not start."""

from __future__ import annotations

import asyncio
import subprocess
from unittest.mock import Mock

import pytest

from f1stream.embedded import broker
from f1stream.embedded.broker import BrokerFailed
from tests.support.ports import free_port


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
