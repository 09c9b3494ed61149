"""Lines of files, plain and gzip, wherever their ends are."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from f1stream.sources.livetiming.recording.lines import CHUNK_BYTES, read_lines


def read(path: Path) -> tuple[list[tuple[int, bytes]], list[tuple[int, str]]]:
    reported: list[tuple[int, str]] = []
    return list(read_lines(path, lambda number, reason, _: reported.append((number, reason)))), reported


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_any_length_around_a_chunk_is_complete(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "file"
    for length in range(CHUNK_BYTES - 300, CHUNK_BYTES + 300, 7):
        text = b"x" * length + b"\r\n" + b"y" * length
        path.write_bytes(gzip.compress(text) if packed else text)
        assert read(path) == ([(1, b"x" * length), (2, b"y" * length)], []), length


def test_empty_lines_are_skipped_and_numbered(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf\r\n\na\r\n \t\n\nb")
    assert read(path) == ([(3, b"a"), (6, b"b")], [])


def test_members_and_padding_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"") + gzip.compress(b"c\n") + b"\0" * 512)
    assert read(path) == ([(1, b"a"), (2, b"bc")], [])


def test_data_after_the_gzip_members_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"a\nb\n") + b"garbage")
    assert read(path) == ([(1, b"a"), (2, b"b")], [(3, "compressed data is damaged from here on")])


def test_a_cut_gzip_file_is_read_as_far_as_possible(tmp_path: Path) -> None:
    path = tmp_path / "file"
    packed = gzip.compress(b"".join(b"%d" % n + b"x" * 9_000 + b"\n" for n in range(30)))
    for at in range(18, len(packed)):
        path.write_bytes(packed[:at])
        unpacked = zlib.decompressobj(wbits=31).decompress(packed[:at])
        got, reported = read(path)
        assert [line for _, line in got] == unpacked.split(b"\n")[: len(got)]
        assert len(got) == unpacked.count(b"\n") + (not unpacked.endswith(b"\n") and bool(unpacked))
        assert reported == [(len(got) + unpacked.endswith(b"\n") + (not unpacked), "compressed data is cut off here")]
