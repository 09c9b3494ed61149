"""Two servers for the benchmarks of viewers, each a process: the page's own, and a naive dashboard.

``python -m tests.bench.dashboard tape|page|naive FILE`` prints its port, reads FILE (a pickled ``Recorded``), and
replays it in real time once a line arrives on its standard input. ``page`` is ``tape`` with the usual limits.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from f1stream.settings import Settings
from web.app import create_app
from web.connections import Connections
from web.feed import Feed, now_ms
from web.metrics import Metrics
from web.server import CONNECTIONS, serving
from web.tape_store import FramesRecord, TapeStore

SHELF_BYTES = 2**28
MOST = 5_000


@dataclass(frozen=True)
class Recorded:
    """What has been, and what is to come: (session time in ms, frame) and (session time in ms, one car's sample)."""

    past: list[FramesRecord]
    frames: list[tuple[int, FramesRecord]]
    samples: list[tuple[int, dict[str, Any]]]


async def each_in_time(timed: Iterable[tuple[int, Any]]) -> Any:
    """Each of ``timed`` when it is due; the first one now."""
    began: float | None = None
    for t, item in timed:
        began = time.monotonic() - t / 1000 if began is None else began
        await asyncio.sleep(max(0.0, began + t / 1000 - time.monotonic()))
        yield t, item


async def tape(recorded: Recorded, limits: dict[str, int]) -> tuple[web.Application, Any]:
    """The page's server."""
    feed = Feed(TapeStore(SHELF_BYTES))
    feed.connected = feed.caught_up = True
    feed.add_frames(recorded.past)

    async def run() -> None:
        async for _, record in each_in_time(recorded.frames):
            feed.add_frames([replace(record, arrived_ms=now_ms())])

    return create_app(Settings(**limits), feed), run


async def naive(recorded: Recorded) -> tuple[web.Application, Any]:
    """Every sample is encoded for each viewer and sent to one after the other, without a tape."""
    open_now: set[web.WebSocketResponse] = set()

    async def handle(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        open_now.add(ws)
        async for _ in ws:
            pass
        open_now.discard(ws)
        return ws

    async def run() -> None:
        async for t, sample in each_in_time(recorded.samples):
            for ws in list(open_now):
                if not ws.closed:
                    await ws.send_str(json.dumps({"kind": "sample", "t": t, **sample}))

    app = web.Application()
    app.add_routes([web.get("/ws", handle)])
    return app, run


async def main(kind: str, path: Path) -> None:
    """Serve until standard input ends."""
    recorded = pickle.loads(path.read_bytes())
    if kind == "naive":
        app, run = await naive(recorded)
        app[CONNECTIONS] = Connections(Metrics(), MOST, MOST)
    else:
        many = {"web_viewers": MOST, "web_viewers_per_address": MOST}
        app, run = await tape(recorded, many if kind == "tape" else {})
    async with serving(app, "127.0.0.1", 0) as port:
        print(port, flush=True)
        publishing: asyncio.Task[None] | None = None
        while await asyncio.to_thread(sys.stdin.readline):
            publishing = asyncio.create_task(run())
        if publishing:
            publishing.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
