"""Loopback ports: which listen, which are free."""

from __future__ import annotations

import socket

from f1stream.settings import EMBEDDED_HOST

ANSWERS_WITHIN_S = 3.0


def url(host: str, port: int, path: str = "/") -> str:
    """Where a server of ours answers that listens on ``host``; on this machine when it listens on all addresses."""
    host = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "::1"}.get(host, host)  # noqa: S104 - no bind
    return f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}"


def listens(port: int, host: str = EMBEDDED_HOST) -> bool:
    """Whether something listens on a port."""
    try:
        socket.create_connection((host, port), timeout=ANSWERS_WITHIN_S).close()
    except OSError:  # a name that is not known, too
        return False
    return True


def free_port(wanted: int) -> int:
    """``wanted`` where it is free, any other loopback port where it is not."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((EMBEDDED_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no loopback port is free on {EMBEDDED_HOST}")
