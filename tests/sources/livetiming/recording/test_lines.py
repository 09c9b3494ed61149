"""Lines of files, plain and gzip, wherever their ends are."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from f1stream.sources.livetiming.recording.lines import CHUNK_BYTES, read_lines


def read(path: Path) -> tuple[list[tuple[int, bytes]], list[tuple[int, str]]]:
    told: list[tuple[int, str]] = []
    return list(read_lines(path, lambda number, reason, _: told.append((number, reason)))), told


@pytest.mark.parametrize("packed", [False, True])
def test_line_of_any_length_around_a_chunk_s_is_whole(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "file"
    for length in range(CHUNK_BYTES - 300, CHUNK_BYTES + 300, 7):
        text = b"x" * length + b"\r\n" + b"y" * length
        path.write_bytes(gzip.compress(text) if packed else text)
        assert read(path) == ([(1, b"x" * length), (2, b"y" * length)], []), length


def test_empty_lines_are_none_and_count(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf\r\n\na\r\n \t\n\nb")
    assert read(path) == ([(3, b"a"), (6, b"b")], [])


def test_members_and_padding_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"") + gzip.compress(b"c\n") + b"\0" * 512)
    assert read(path) == ([(1, b"a"), (2, b"bc")], [])


def test_what_follows_compressed_data_and_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"a\nb\n") + b"garbage")
    assert read(path) == ([(1, b"a"), (2, b"b")], [(3, "compressed data is damaged from here on")])


def test_all_that_can_be_unpacked_of_a_file_that_is_cut_off_is_given(tmp_path: Path) -> None:
    path = tmp_path / "file"
    packed = gzip.compress(b"".join(b"%d" % n + b"x" * 9_000 + b"\n" for n in range(30)))
    for at in range(18, len(packed)):
        path.write_bytes(packed[:at])
        unpacked = zlib.decompressobj(wbits=31).decompress(packed[:at])
        got, told = read(path)
        assert [line for _, line in got] == unpacked.split(b"\n")[: len(got)]
        assert len(got) == unpacked.count(b"\n") + (not unpacked.endswith(b"\n") and bool(unpacked))
        assert told == [(len(got) + unpacked.endswith(b"\n") + (not unpacked), "compressed data is cut off here")]
