"""A file's lines, plain or gzip, complete or cut off; read in chunks and not kept."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MAX_LINE_BYTES = 8_000_000
"""A longer line is reported and skipped. The longest line seen has 0.2 MB."""
CHUNK_BYTES = 64 * 1024
"""Bytes that are read and decompressed at a time."""
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"

Report = Callable[[int, str, bytes], None]
"""Takes a line's number, the reason why it is damaged, and its beginning."""


def read_lines(path: Path, report: Report) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers from 1, without BOM and line ends.

    The first bytes show whether the file is gzip. Lines that are too long, and compressed data that cannot be read,
    are reported; lines before them are returned. The last line may be cut off. Raises OSError.
    """
    number, rest, too_long = 0, b"", False
    for chunk in _bytes(path):
        if isinstance(chunk, str):
            report(number + 1, chunk, b"")
            continue
        *complete, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        for line in complete:
            number += 1
            if too_long:
                too_long = False
                continue
            yield from _checked(number, line, report)
        if len(rest) > MAX_LINE_BYTES:
            if not too_long:
                report(number + 1, f"longer than {MAX_LINE_BYTES:,} bytes", rest)
            rest, too_long = b"", True
    if not too_long:
        yield from _checked(number + 1, rest, report)


def _checked(number: int, line: bytes, report: Report) -> Iterator[tuple[int, bytes]]:
    if len(line) > MAX_LINE_BYTES:
        report(number, f"longer than {MAX_LINE_BYTES:,} bytes", line)
        return
    line = line.removeprefix(BOM) if number == 1 else line
    line = line.strip(b" \t\r")
    if line:
        yield number, line


def _bytes(path: Path) -> Iterator[bytes | str]:
    """The file's bytes, decompressed. A text among them is the reason why the file is damaged at that point."""
    with path.open("rb") as file:
        chunk = file.read(CHUNK_BYTES)
        gzip = _Gzip() if chunk.startswith(GZIP_MAGIC) else None
        while chunk and not (gzip and gzip.over):
            if gzip is None:
                yield chunk
            else:
                yield from gzip.decompressed(chunk)
            chunk = file.read(CHUNK_BYTES)
        if gzip is not None and not gzip.complete:
            yield "compressed data is damaged from here on" if gzip.over else "compressed data is cut off here"


class _Gzip:
    """A gzip file as far as it can be read: it may have several members, be cut off, or be damaged in the middle."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self.over = False
        """Whether nothing more can be read."""

    @property
    def complete(self) -> bool:
        """Whether the last member has been read to its end."""
        return self._member.eof and not self.over

    def decompressed(self, data: bytes) -> Iterator[bytes]:
        """The content of the file's next bytes, up to ``CHUNK_BYTES`` at a time."""
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
                yield _before_damage(before, data)
                return
            yield made
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            full = len(made) == CHUNK_BYTES and not self._member.eof


def _before_damage(member: zlib._Decompress, data: bytes) -> bytes:
    """The content of damaged data up to the damaged byte."""
    made = []
    with suppress(zlib.error):
        for at in range(len(data)):
            made.append(member.decompress(data[at : at + 1]))
    return b"".join(made)
