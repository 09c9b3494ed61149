"""Addresses to listen on, IPv6 among them."""

from __future__ import annotations

import socket
import sys

import pytest

from f1stream.errors import UserError
from f1stream.ports import PortTaken, check_port, listens, url
from tests.support.ports import free_port
from tests.support.required import missing


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://localhost:8000/"), ("0.0.0.0", "http://localhost:8000/"),  # noqa: S104 - no bind
        ("::1", "http://[::1]:8000/"),
        ("::", "http://[::1]:8000/"), ("192.0.2.7", "http://192.0.2.7:8000/"), ("box", "http://box:8000/"),
    ],
)  # fmt: skip
def test_where_to_look_is_an_address_that_a_browser_takes(host: str, shown: str) -> None:
    assert url(host, 8000) == shown


def test_a_port_of_ipv6_is_free_or_taken_by_itself() -> None:
    port = free_port()
    try:
        taken = socket.create_server(("::1", port), family=socket.AF_INET6)
    except OSError:
        missing("this machine has no IPv6")
    with taken:
        with pytest.raises(PortTaken, match=f"Port {port} on ::1 is not free"):
            check_port("::1", port, "F1STREAM_WEB_PORT", "the page")
        check_port("127.0.0.1", port, "F1STREAM_WEB_PORT", "the page")
        assert listens(port, "::1")
    check_port("::1", port, "F1STREAM_WEB_PORT", "the page")


def test_a_port_is_shared_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UserError, match=r"Only Linux .* Unset F1STREAM_WEB_PORT_SHARED"):
        check_port("127.0.0.1", free_port(), "F1STREAM_WEB_PORT", "the page", shared=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux divides connections among the servers of a port")
def test_a_shared_port_that_another_server_has_for_itself_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as alone:
        port = alone.getsockname()[1]
        with pytest.raises(PortTaken, match="shares it only with F1STREAM_WEB_PORT_SHARED=true"):
            check_port("127.0.0.1", port, "F1STREAM_WEB_PORT", "the page", shared=True)


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_an_address_that_is_not_this_machines_is_no_taken_port(host: str) -> None:
    with pytest.raises(PortTaken, match="is no address of this machine"):
        check_port(host, free_port(), "F1STREAM_WEB_PORT", "the page")
