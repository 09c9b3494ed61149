"""Broker, warehouse, workers, scheduler and page on this machine, as child processes of this one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from f1stream.embedded import broker, warehouse
from f1stream.embedded.broker import BrokerFailed
from f1stream.embedded.warehouse import WarehouseFailed
from f1stream.ports import check_port, url
from f1stream.processes import F1STREAM, Child, Children
from f1stream.settings import EMBEDDED_HOST, Settings
from f1stream.supervisor import ChildFailed

READY_WITHIN_S = 60.0
"""Seconds from a worker's start to its first healthy answer; after that the stack fails."""
REQUEST_TIMEOUT_S = 2
"""Seconds. A service that takes longer to say how it is has not answered."""
SERVICES = {
    "race": "the race worker's health and metrics",
    "archive": "the archive worker's health and metrics",
    "schedule": "the scheduler's health and metrics",
    "web": "the page",
}
"""Commands that answer on ``/health`` at the port ``NAME_port``, and what their port is for."""


@dataclass
class Stack:
    """The parts, each started by its own method; ``Children.stop`` stops all of them."""

    settings: Settings
    children: Children
    check: Callable[[], None]
    """Raises ChildFailed if a child has ended with an error; called while the stack waits."""

    async def start_broker(self) -> None:
        """Start the embedded broker, unless Kafka is configured. Raises BrokerFailed."""
        s = self.settings
        if s.embedded:
            child = self.children.start("broker", broker.command(s.embedded_broker_port))
            try:
                await broker.wait_until_up(child.process, s.embedded_broker_port)
            except BrokerFailed as failed:
                raise BrokerFailed(f"{failed} Its log is {child.log}.") from failed

    async def create_topics(self) -> None:
        """Create the topics. Raises BrokerError."""
        from f1stream.kafka import create_topics  # noqa: PLC0415 - meanwhile the first processes start

        await create_topics(self.settings)

    async def start_warehouse(self, data: Path) -> None:
        """Start the embedded warehouse on ``data``, unless Snowflake is configured, and create the tables.

        Raises WarehouseFailed and WarehouseError.
        """
        s = self.settings
        if s.embedded_warehouse:
            child = self.children.start("warehouse", warehouse.command(data, s.embedded_warehouse_port))
            try:
                await asyncio.to_thread(warehouse.wait_until_up, child.process, s.embedded_warehouse_port)
            except WarehouseFailed as failed:
                raise WarehouseFailed(f"{failed} {child.last_words() or f'Its log is {child.log}.'}") from failed
        await asyncio.to_thread(_create_tables, s)

    def start(self, name: str) -> Child:
        """Start a service, ``f1stream NAME``. It is not ready yet."""
        return self.children.start(name, [*F1STREAM, name])

    def health(self, name: str, path: str = "/health") -> str:
        """The URL of a service's health."""
        return url(self.settings.web_host, getattr(self.settings, f"{name}_port"), path)

    async def ready(self, name: str) -> None:
        """Return when a service is healthy. Raises ChildFailed."""
        await self._answers(name, "/health")

    async def alive(self, name: str) -> None:
        """Return when a service has started, ready or not. Raises ChildFailed."""
        await self._answers(name, "/alive")

    async def health_report(self, name: str) -> dict[str, Any] | None:
        """The body of a service's health; None if it does not answer."""
        import aiohttp  # noqa: PLC0415 - slow, and no process that starts waits for it

        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(REQUEST_TIMEOUT_S)) as http,
                http.get(self.health(name)) as answer,
            ):
                report: dict[str, Any] = await answer.json()
                return report
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def _answers(self, name: str, path: str) -> None:
        try:
            await until_healthy(self.health(name, path), self.check, READY_WITHIN_S)
        except TimeoutError as late:
            raise ChildFailed(f"{name} was not ready within {READY_WITHIN_S:.0f} s: {late}") from None


def _create_tables(settings: Settings) -> None:
    """Its imports take a second, in which the broker and the workers start."""
    from f1stream.warehouse.connection import Warehouse  # noqa: PLC0415
    from f1stream.warehouse.schema import create  # noqa: PLC0415

    connection = Warehouse(settings)
    try:
        list(create(connection, settings.snowflake_database))
    finally:
        connection.close()


def check_ports(settings: Settings) -> None:
    """Raise PortTaken if a port of the stack is taken."""
    if settings.embedded:
        port = settings.embedded_broker_port
        check_port(EMBEDDED_HOST, port, "F1STREAM_EMBEDDED_BROKER_PORT", "the embedded broker")
    for name, what in SERVICES.items():
        check_port(settings.web_host, getattr(settings, f"{name}_port"), f"F1STREAM_{name.upper()}_PORT", what)


async def until_healthy(address: str, check: Callable[[], None], within_s: float) -> None:
    """Return when ``address`` answers with status 200. ``check`` is called before each request, and may raise.

    Raises TimeoutError, whose text is the last answer.
    """
    import aiohttp  # noqa: PLC0415 - slow, and no process that starts waits for it

    deadline = time.monotonic() + within_s
    reason = "it does not answer"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(REQUEST_TIMEOUT_S)) as http:
        while time.monotonic() < deadline:
            check()
            try:
                async with http.get(address) as answer:
                    if answer.status == 200:
                        return
                    reason = (await answer.text())[:200]
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)
    raise TimeoutError(reason)
