"""Loopback ports for processes of the tests."""

from __future__ import annotations

import os
import re
import socket

FIRST, LAST = 10_000, 29_999
"""Below the ports that the kernel gives to clients (32768 and up): none is taken between choosing and listening."""
PER_WORKER = 1_000


def _range() -> range:
    """The ports of this process: each worker of pytest-xdist has its own."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    first = FIRST + worker * PER_WORKER % (LAST + 1 - FIRST)
    return range(first, first + PER_WORKER)


_next = os.getpid()
"""Counts up from a number of this process, so that test runs beside each other seldom try the same ports."""


def free_port() -> int:
    """A loopback port on which nobody listens, and that was not given out lately."""
    global _next  # noqa: PLW0603 - one for the process is what it is about
    ports = _range()
    for _ in ports:
        _next += 1
        port = ports[_next % PER_WORKER]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port of {ports} is free")
