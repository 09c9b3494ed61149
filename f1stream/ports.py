"""Ports of servers: which have a listener, which are free, and the URL of one."""

from __future__ import annotations

import errno
import socket
import sys

from f1stream.errors import UserError
from f1stream.settings import EMBEDDED_HOST

CONNECT_TIMEOUT_S = 3.0
"""Seconds until a port that does not answer counts as one without a listener."""


class PortTaken(UserError):
    """A port is in use, or its address is not one of this machine; the text names the setting that moves it."""


def url(host: str, port: int, path: str = "/") -> str:
    """The URL of a server that listens on ``host``: localhost for one that listens on all addresses."""
    host = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "::1"}.get(host, host)  # noqa: S104 - no bind
    return f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}"


def listens(port: int, host: str = EMBEDDED_HOST) -> bool:
    """Whether a server listens on a port."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError:  # includes a host name that cannot be resolved
        return False
    return True


def free_port(wanted: int) -> int:
    """``wanted`` if it is free on loopback, else any free loopback port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((EMBEDDED_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no loopback port is free on {EMBEDDED_HOST}")


def check_port(host: str, port: int, setting: str, what: str, *, shared: bool = False) -> None:
    """Raise PortTaken if ``port`` cannot be listened on, or ``host`` is not an address of this machine.

    ``setting`` is the setting that moves the port, ``what`` the server that needs it; both are in the error's text.
    A ``shared`` port may have other servers that share it; UserError where the system does not divide connections.
    """
    if shared and sys.platform != "linux":
        raise UserError(
            "Only Linux divides the connections of a port among servers. "
            f"Unset F1STREAM_WEB_PORT_SHARED and set another {setting} for each server."
        )
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:
            if not isinstance(error, OSError) or error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise PortTaken(
                    f"{host} is no address of this machine to listen on for {what} "
                    f"({getattr(error, 'strerror', None) or error}). "
                    "Set F1STREAM_WEB_HOST to one, such as 127.0.0.1 or ::1."
                ) from None
            share = "; a page server shares it only with F1STREAM_WEB_PORT_SHARED=true" if shared else ""
            raise PortTaken(
                f"Port {port} on {host} is not free for {what} ({error.strerror}). "
                f"Stop what uses it{share}, or set {setting} to another port."
            ) from None
