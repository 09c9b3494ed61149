"""A file's lines, plain or gzip, whole or cut off: nothing is read at once, nothing is kept."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MAX_LINE_BYTES = 8_000_000
"""The greatest line known has 0.2 MB."""
CHUNK_BYTES = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"

Report = Callable[[int, str, bytes], None]
"""Takes a line's number, what is wrong with it, and how it begins."""


def read_lines(path: Path, report: Report) -> Iterator[tuple[int, bytes]]:
    """Lines that hold something, with their numbers from 1, without BOM and line ends.

    Whether it is gzip is told by its first bytes. Lines that are too long, and compressed data that cannot be read,
    are reported; what comes before them is given. The last line may be cut off. Raises OSError.
    """
    number, rest, too_long = 0, b"", False
    for chunk in _bytes(path):
        if isinstance(chunk, str):
            report(number + 1, chunk, b"")
            continue
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        for line in whole:
            number += 1
            if too_long:
                too_long = False
                continue
            yield from _given(number, line, report)
        if len(rest) > MAX_LINE_BYTES:
            if not too_long:
                report(number + 1, f"longer than {MAX_LINE_BYTES:,} bytes", rest)
            rest, too_long = b"", True
    if not too_long:
        yield from _given(number + 1, rest, report)


def _given(number: int, line: bytes, report: Report) -> Iterator[tuple[int, bytes]]:
    if len(line) > MAX_LINE_BYTES:
        report(number, f"longer than {MAX_LINE_BYTES:,} bytes", line)
        return
    line = line.removeprefix(BOM) if number == 1 else line
    line = line.strip(b" \t\r")
    if line:
        yield number, line


def _bytes(path: Path) -> Iterator[bytes | str]:
    """The file's bytes, unpacked; a text says what is wrong with it at that point."""
    with path.open("rb") as file:
        chunk = file.read(CHUNK_BYTES)
        packed = _Gzip() if chunk.startswith(GZIP_MAGIC) else None
        while chunk and not (packed and packed.over):
            if packed is None:
                yield chunk
            else:
                yield from packed.unpacked(chunk)
            chunk = file.read(CHUNK_BYTES)
        if packed is not None and not packed.whole:
            yield "compressed data is damaged from here on" if packed.over else "compressed data is cut off here"


class _Gzip:
    """Gzip, as far as it can be read: also of several members, cut off, or damaged in the middle."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self.over = False
        """Nothing more can be read."""

    @property
    def whole(self) -> bool:
        """Whether all there should be has been read."""
        return self._member.eof and not self.over

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        """What so many more bytes of the file hold, 64 kB at a time."""
        full = False
        while data or full:
            if self._member.eof:
                if not data.strip(b"\0"):
                    return  # padding
                self._member = zlib.decompressobj(wbits=31)
            before = self._member.copy()
            try:
                made = self._member.decompress(data, CHUNK_BYTES)
            except zlib.error:
                self.over = True
                yield _as_far_as_it_goes(before, data)
                return
            yield made
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            full = len(made) == CHUNK_BYTES and not self._member.eof


def _as_far_as_it_goes(member: zlib._Decompress, data: bytes) -> bytes:
    made = []
    with suppress(zlib.error):
        for at in range(len(data)):
            made.append(member.decompress(data[at : at + 1]))
    return b"".join(made)
