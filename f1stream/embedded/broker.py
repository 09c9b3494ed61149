"""The embedded broker: Tansu, a Kafka-compatible broker in one small binary, with everything in memory.

It is for the demo, development and quick tests. It starts in milliseconds and forgets everything when it stops.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import time

from f1stream.embedded.broker_binary import NoBinary, installed_binary
from f1stream.settings import EMBEDDED_HOST

STARTS_WITHIN_S = 10.0


class BrokerFailed(Exception):
    """The embedded broker did not start; the text is one sentence."""


class PortTaken(Exception):
    """A port is in use, or an address not ours; the text says which, and which setting moves it."""


def claim(host: str, port: int, setting: str, what: str) -> None:
    """Raise PortTaken when ``port`` cannot be listened on, or ``host`` is not this machine's."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:
            if not isinstance(error, OSError) or error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise PortTaken(
                    f"{host} is no address of this machine to listen on for {what} "
                    f"({getattr(error, 'strerror', None) or error}). "
                    "Set F1STREAM_WEB_HOST to one, such as 127.0.0.1 or ::1."
                ) from None
            raise PortTaken(
                f"Port {port} on {host} is not free for {what} ({error.strerror}). "
                f"Stop what uses it, or set {setting} to another port."
            ) from None


def command(port: int) -> list[str]:
    """The command line that runs a broker on loopback. Raises BrokerFailed where there is no binary to be run."""
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
    """Return when the broker listens. Raises BrokerFailed when it ends or does not come up."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BrokerFailed(f"The embedded broker ended at once with code {process.returncode}.")
        with socket.socket() as probe:
            if probe.connect_ex((EMBEDDED_HOST, port)) == 0:
                return
        await asyncio.sleep(0.02)
    raise BrokerFailed(f"The embedded broker did not listen on port {port} within {STARTS_WITHIN_S:g} s.")
