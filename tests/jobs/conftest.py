"""What tests of the scheduler share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event


@pytest.fixture(autouse=True)
def schedule_is_not_synced_to_disk() -> Iterator[None]:
    """A process that is killed loses nothing by it, only a machine without power would; each sync takes 20 ms."""

    def connected(connection: Any, _: object) -> None:
        connection.execute("pragma synchronous = off")

    event.listen(Engine, "connect", connected)
    yield
    event.remove(Engine, "connect", connected)
