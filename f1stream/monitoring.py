"""``/health``, ``/alive`` and ``/metrics``: the same routes on every process's web server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

Check = Callable[[], tuple[bool, Mapping[str, Any]]]
"""Whether the check succeeds, and the JSON that says why not."""


def monitoring_routes(health: Check, alive: Check, registry: CollectorRegistry = REGISTRY) -> list[web.RouteDef]:
    """The routes of a process.

    ``/health`` is for people, alerts and whatever waits for a start; ``/alive`` is for what replaces a process: it
    fails only if a new process could do better. Both answer 503 if they fail. ``/metrics`` is in the format that the
    request accepts, text by default.
    """
    return [
        web.get("/health", _route(health)),
        web.get("/alive", _route(alive)),
        web.get("/metrics", make_aiohttp_handler(registry)),
    ]


def _route(check: Check) -> Callable[[web.Request], Any]:
    async def answer(_: web.Request) -> web.Response:
        return check_response(*check())

    return answer


def check_response(passed: bool, body: Mapping[str, Any]) -> web.Response:
    """The answer to a check, which no proxy may cache."""
    return web.json_response(body, status=200 if passed else 503, headers={"Cache-Control": "no-store"})
