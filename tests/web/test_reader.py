from __future__ import annotations

import asyncio
import time

from f1stream.settings import Settings
from web.reader import StreamReader
from web.shelf import Shelf


async def test_a_reader_without_a_broker_is_not_connected_and_stops_at_once() -> None:
    reader = StreamReader(Shelf(10**6), Settings(broker="127.0.0.1:1"))
    await reader.start()
    for pause in (0.0, 0.3):
        await asyncio.sleep(pause)
        assert not reader.connected
        assert not reader.caught_up
    started = time.monotonic()
    await reader.stop()
    assert time.monotonic() - started < 2


async def test_a_reader_stopped_while_it_is_refused_stops() -> None:
    """The refusal and the cancellation arrive together: aiokafka then hides the cancellation."""
    for turns in range(12):
        reader = StreamReader(Shelf(10**6), Settings(broker="127.0.0.1:1"))
        await reader.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(reader.stop(), 2)
