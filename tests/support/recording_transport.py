"""A websocket and its transport that record what is sent."""

from __future__ import annotations

from typing import Any

import orjson


class RecordingTransport:
    """Sends every write at once; ``waiting`` is the size of the send buffer that it reports, in bytes."""

    closed = False

    def __init__(self) -> None:
        self.waiting = 0
        self.sizes: list[int] = []
        """Bytes of each write."""
        self._sent = b""

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))
        self._sent += data

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def messages(self) -> list[Any]:
        """What was sent since the last call, decoded."""
        sent, found = self._sent, []
        self._sent = b""
        while sent:
            size, at = sent[1], 2
            if size == 126:
                size, at = int.from_bytes(sent[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(sent[2:10], "big"), 10
            found.append(orjson.loads(sent[at : at + size]))
            sent = sent[at + size :]
        return found
