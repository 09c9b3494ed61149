"""Key-value tables that survive a restart: versioned values, and writes that can be awaited."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Protocol

_VERSION = struct.Struct(">QQ")
"""Run id and progress, prefixed to each stored value. Big-endian, so the bytes compare like the numbers."""


class KeyValueStore(Protocol):
    """A table of a worker; ``DurableTable`` implements it on Faust."""

    def read(self, key: bytes) -> bytes | None:
        """The value of ``key``; None when there is none."""

    def write(self, key: bytes, run_id: int, progress: int, value: bytes) -> None:
        """Set the value of ``key``. The version (``run_id``, ``progress``) of a key must never decrease."""

    async def flush(self) -> None:
        """Wait until every write so far is stored, so that a restarted worker reads it."""


def with_version(run_id: int, progress: int, value: bytes) -> bytes:
    """The stored form of a value."""
    return _VERSION.pack(run_id, progress) + value


def without_version(stored: bytes | None) -> bytes | None:
    """The value of a stored form."""
    return None if stored is None else stored[_VERSION.size :]


def newest(stored: Mapping[bytes, bytes], changes: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Apply ``changes`` (key, stored value) of a changelog to a table; returns the keys that occur in them.

    The greatest version of a key wins, not the last one: a worker that was frozen with a write in its producer
    delivers it when it wakes, after the newer writes of the partition's new owner.
    """
    found: dict[bytes, bytes] = {}
    for key, value in changes:
        before = found.get(key, stored.get(key))
        found[key] = value if before is None or value[: _VERSION.size] >= before[: _VERSION.size] else before
    return found
