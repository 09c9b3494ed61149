"""Tables of bytes that survive a restart: values with a version, and waiting until they are stored."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Protocol

_VERSION = struct.Struct(">QQ")
"""Run id and progress, before each stored value; as bytes they compare as the numbers do."""


class KeyValueStore(Protocol):
    """A table of a worker. Faust's tables, as we extend them, are such stores."""

    def read(self, key: bytes) -> bytes | None:
        """The value of ``key``; None when there is none."""

    def write(self, key: bytes, run_id: int, progress: int, value: bytes) -> None:
        """Set the value of ``key``. Of one key the version (``run_id``, ``progress``) never decreases."""

    async def flush(self) -> None:
        """Return when every write so far is stored: a restarted worker reads it."""


def with_version(run_id: int, progress: int, value: bytes) -> bytes:
    """A value as it is stored."""
    return _VERSION.pack(run_id, progress) + value


def without_version(stored: bytes | None) -> bytes | None:
    """The value of what is stored."""
    return None if stored is None else stored[_VERSION.size :]


def newest(stored: Mapping[bytes, bytes], changes: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """What ``changes`` (key, stored value) of a changelog make of a table, for the keys that occur in them.

    Of two values of a key the one with the greater version counts, wherever it stands: a worker that was frozen with
    a write in its producer delivers it when it wakes, after the newer ones of the partition's new owner.
    """
    found: dict[bytes, bytes] = {}
    for key, value in changes:
        before = found.get(key, stored.get(key))
        found[key] = value if before is None or value[: _VERSION.size] >= before[: _VERSION.size] else before
    return found
