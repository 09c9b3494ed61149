"""One embedded warehouse for all tests that do not stop it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.warehouse_server import Server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("a home [1] "))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """Shared by all tests that do not stop it; each has its own connections, and no table of another test."""
    shared_server.client().execute("drop table if exists RAW.T")
    yield shared_server
    while shared_server.clients:
        shared_server.clients.pop().close()
