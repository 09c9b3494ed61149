"""Detection of a deleted and recreated topic by the record at the last loaded offset."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from f1stream.warehouse.partition_batch import LoadedOffset
from f1stream.warehouse.tables import fingerprint
from f1stream.warehouse.topic_log import _is_same

LOADED = LoadedOffset(0, 10, 1_000, fingerprint(b"last"))


def record(offset: int, timestamp: int = 1_000, value: bytes | None = b"last") -> Any:
    return SimpleNamespace(offset=offset, timestamp=timestamp, value=value)


@pytest.mark.parametrize(
    ("found", "end", "same"),
    [
        ([record(9), record(10, 2_000, b"next")], 11, True),
        ([record(9, value=b"other")], 10, False),
        ([record(9, timestamp=1_001)], 10, False),  # the same value, published at another time
        ([record(9, value=None)], 10, False),
        ([record(12)], 13, True),  # retention has deleted the one that was loaded last
        ([record(0)], 1, False),  # the log ended before it, and is read from its beginning
        (None, 9, False),  # the log ends before what was loaded
        ([], 0, False),
        (None, 10, None),  # not fetched yet
        (None, None, None),
    ],
)
def test_a_topic_is_the_same_if_its_log_has_the_last_loaded_record(
    found: list[Any] | None, end: int | None, same: bool | None
) -> None:
    assert _is_same(LOADED, found, end) is same
