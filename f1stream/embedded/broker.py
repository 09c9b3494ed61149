"""The embedded broker: Tansu, a Kafka-compatible broker in one binary, for the demo, development and tests.

It starts in milliseconds and keeps everything in memory: its data are lost when it stops.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time

from f1stream.embedded.broker_binary import NoBinary, installed_binary
from f1stream.errors import UserError
from f1stream.settings import EMBEDDED_HOST

STARTS_WITHIN_S = 10.0
"""Seconds. A broker that does not listen by then raises BrokerFailed."""


class BrokerFailed(UserError):
    """The embedded broker did not start; the text is one sentence."""


def command(port: int) -> list[str]:
    """The command line of a broker on loopback. Raises BrokerFailed when there is no binary to run."""
    address = f"tcp://{EMBEDDED_HOST}:{port}"
    try:
        binary = installed_binary()
    except NoBinary as error:
        raise BrokerFailed(f"The embedded broker cannot be started: {error}.") from error
    return [
        str(binary), "broker", "--listener-url", address,
        "--advertised-listener-url", address, "--storage-engine", "memory://f1stream/",
    ]  # fmt: skip


async def wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when the broker listens. Raises BrokerFailed when it exits or does not listen in time."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BrokerFailed(f"The embedded broker ended at once with code {process.returncode}.")
        with socket.socket() as probe:
            if probe.connect_ex((EMBEDDED_HOST, port)) == 0:
                return
        await asyncio.sleep(0.02)
    raise BrokerFailed(f"The embedded broker did not listen on port {port} within {STARTS_WITHIN_S:g} s.")
