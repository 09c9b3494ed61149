from __future__ import annotations

import orjson
import pytest

from f1stream.topics import BadRecord, decode_frames, encode_frames
from models import Frame
from models.frame import FRAME_MS
from tests.support.page_race import KEY_FRAMES, frame, frames_record, head, head_record
from web import tape_store
from web.records import decode_frames_record
from web.tape import Tape, merged
from web.tape_store import TapeStore

ENDED = {"race_control": [], "ended": True}


def tape_of(first: int, count: int) -> Tape:
    tape = Tape("test_race", 1)
    put(tape, first, count)
    return tape


def put(tape: Tape, first: int, count: int) -> int:
    record = frames_record(first, count)
    return tape.append(record.seq, record.value.split(b"\n"), record.keys, 0)


def frame_at(tape: Tape, t: int) -> bytes | None:
    """The latest frame at or before ``t``."""
    group = tape.group_of(t // FRAME_MS)
    return group.frame(min(t // FRAME_MS, group.last)) if group else None


def keyframe_at(tape: Tape, t: int) -> bytes | None:
    group = tape.group_of(t // FRAME_MS)
    return group.frame(group.start) if group else None


def test_frames_come_back_as_the_bytes_that_went_in() -> None:
    tape = tape_of(0, 120)
    assert frame_at(tape, 12_345) == encode_frames([frame(61)])
    assert keyframe_at(tape, 12_345) == encode_frames([frame(50)])
    assert tape.span() == (0, 119 * 200)


def test_a_repeated_batch_is_dropped_and_an_overlapping_one_adds_only_what_is_new() -> None:
    tape = tape_of(0, 20)
    assert put(tape, 0, 20) == 0
    assert put(tape, 15, 10) == 5
    assert tape.latest == 24


def test_a_tape_that_begins_in_the_middle_waits_for_its_first_keyframe() -> None:
    tape = tape_of(30, 15)
    assert tape.latest is None
    assert tape.span() is None
    assert put(tape, 45, 10) == 5
    assert tape.span() == (50 * 200, 54 * 200)


def test_deltas_behind_a_hole_wait_for_the_next_keyframe() -> None:
    tape = tape_of(0, 10)
    assert put(tape, 12, 10) == 0
    assert put(tape, 22, 40) == 12
    assert tape.latest == 61
    assert frame_at(tape, 2_500) == encode_frames([frame(9)])


def test_a_picture_before_the_tape_is_unknown() -> None:
    tape = tape_of(50, 10)
    assert tape.state_at(9_000) is None
    assert frame_at(tape, 9_000) is None
    assert keyframe_at(tape, 9_000) is None


def test_keyframe_and_delta_make_the_picture_of_that_time() -> None:
    tape = tape_of(0, 180)
    picture = tape.state_at(25_000)
    assert picture is not None
    assert Frame.model_validate(picture).key_t == 25_000
    assert picture["cars"]["81"] == {
        "position": 2, "status": "running", "lap": 0, "last_lap_ms": 60_100, "last_lap_mark": "personal",
        "compound": "HARD", "tyre_age": 1, "stops": 1,
    }  # fmt: skip


def test_null_is_unknown_and_absent_is_unchanged() -> None:
    key = {"t": 0, "cars": {"4": {"lap": 1, "last_lap_ms": 5}}, "race": {"lap": 1, "status": "Started"}}
    delta = {"t": 200, "cars": {"4": {"last_lap_ms": None}, "1": {"lap": 0}}, "race": {"lap": 2}}
    assert merged(key, delta)["cars"] == {"4": {"lap": 1, "last_lap_ms": None}, "1": {"lap": 0}}
    assert merged(key, delta)["race"] == {"lap": 2, "status": "Started"}
    assert key["cars"] == {"4": {"lap": 1, "last_lap_ms": 5}}


def test_a_head_holds_from_its_frame_on_and_is_not_stored_twice() -> None:
    tape = tape_of(0, 60)
    assert tape.append_head(0, b"first")
    assert not tape.append_head(0, b"first")
    assert not tape.append_head(20, b"first")
    assert tape.append_head(40, b"second")
    assert (tape.head_of(39), tape.head_of(40), tape.head) == (b"first", b"second", b"second")


def test_the_last_frame_of_a_run_says_that_it_ended() -> None:
    tape = tape_of(0, 10)
    assert not tape.ended
    tape.append(10, [encode_frames([frame(10, **ENDED)])], [], 0)
    assert tape.ended


def test_a_newer_run_replaces_the_tape_and_late_frames_of_the_old_run_are_dropped() -> None:
    tapes = TapeStore(10**9)
    tapes.append(head_record(epoch=1))
    tapes.append(frames_record(0, 30, epoch=1))
    tapes.append(head_record(epoch=2))
    assert tapes.append(frames_record(30, 10, epoch=1)) == 0
    assert tapes.append(frames_record(0, 5, epoch=2)) == 5
    tape = tapes.get("test_race")
    assert tape is not None
    assert (tape.run_id, tape.latest) == (2, 4)


def test_a_session_without_a_head_is_not_shown() -> None:
    tapes = TapeStore(10**9)
    tapes.append(frames_record(0, 5))
    assert tapes.get("test_race") is None
    assert tapes.newest() is None
    tapes.append(head_record())
    assert tapes.get("test_race") is tapes.newest() is not None


def test_finished_sessions_are_dropped_first_when_memory_is_short() -> None:
    tapes = TapeStore(10**9)
    for place, session in enumerate(("over", "running", "new")):
        tapes.append(head_record(session=session))
        tapes.append(frames_record(0, 100, session=session, arrived_ms=place * 1000))
    tapes.append(frames_record(100, 1, session="over", arrived_ms=0, **ENDED))
    tapes.limit = tapes.size - 1
    tapes.append(frames_record(100, 1, session="new", arrived_ms=3000))
    assert [tape.session_key for tape in tapes] == ["running", "new"]


def test_sessions_are_limited_and_the_one_updated_longest_ago_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_store, "SESSIONS", 3)
    monkeypatch.setattr(tape_store, "DROPPED", 2)
    tapes = TapeStore(10**9)
    for n in range(6):
        tapes.append(head_record(session=f"s{n}"))
        tapes.append(frames_record(0, 5, session=f"s{n}", arrived_ms=1_000 * (n + 1)))
    assert [tape.session_key for tape in tapes] == ["s3", "s4", "s5"]
    assert tapes.append(frames_record(5, 1, session="s2", arrived_ms=9_000)) == 0
    assert len(tapes._dropped) == 2


def test_a_session_longer_than_memory_loses_its_beginning_only() -> None:
    tapes = TapeStore(120_000)
    tapes.append(head_record())
    for first in range(0, 40 * KEY_FRAMES, KEY_FRAMES):
        tapes.append(frames_record(first, KEY_FRAMES))
    assert 60_000 < tapes.size <= 120_000
    tape = tapes.get("test_race")
    assert tape is not None
    assert tape.latest == 40 * KEY_FRAMES - 1
    span = tape.span()
    assert span is not None
    assert span[0] > 0
    assert tape.size == tapes.size


@pytest.mark.parametrize(("limit", "spill_above"), [(120_000, None), (2**30, 120_000)])
def test_spilled_frames_are_read_back_unchanged(limit: int, spill_above: int | None) -> None:
    tapes, whole = TapeStore(limit, disk_limit=2**30, spill_above=spill_above), TapeStore(2**30)
    for each in (tapes, whole):
        each.append(head_record())
        for first in range(0, 40 * KEY_FRAMES, KEY_FRAMES):
            each.append(frames_record(first, KEY_FRAMES))
    tape, other = tapes.get("test_race"), whole.get("test_race")
    assert tape is not None
    assert other is not None
    assert tapes.size <= 120_000 < tapes.disk_size
    assert tape.span() == other.span()
    for t in range(0, 40 * 10_000, 3_400):
        assert frame_at(tape, t) == frame_at(other, t)
        assert tape.state_at(t) == other.state_at(t)
    assert tape.lap_at(5) == other.lap_at(5) == 4 * 60_000


def test_lap_1_begins_with_the_start_and_not_with_an_aborted_one() -> None:
    tape = Tape("test_race", 1)
    since = {0: (0, None), 50: (1, 10_000), 100: (0, None), 150: (0, None), 200: (1, 40_100)}
    for first, (on_lap, started_ms) in since.items():
        record = frames_record(first, 50, lap=on_lap, started_ms=started_ms)
        tape.append(record.seq, record.value.split(b"\n"), record.keys, 0)
        known = {50: 10_000, 200: 40_200}.get(first)
        assert tape.lap_at(1) == known
    assert tape.lap_at(2) is None


@pytest.mark.parametrize(("started_ms", "begins"), [(4_100, 4_200), (None, 0)])
def test_lap_1_of_a_session_that_counts_no_laps_is_its_start_and_of_an_ended_one_without_a_start_the_first_frame(
    started_ms: int | None, begins: int
) -> None:
    tape = Tape("test_race", 1)
    for first, ended in ((0, False), (50, True)):
        record = frames_record(first, 50, lap=0, started_ms=started_ms, ended=ended)
        tape.append(record.seq, record.value.split(b"\n"), record.keys, 0)
        assert tape.lap_at(1) == (begins if ended or started_ms else None)


@pytest.mark.parametrize(("limit", "is_lost"), [(120_000, True), (2**30, False)])
def test_with_a_full_disk_only_frames_beyond_the_memory_are_lost(
    monkeypatch: pytest.MonkeyPatch, limit: int, is_lost: bool
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    tapes = TapeStore(limit, disk_limit=2**30, spill_above=60_000)
    tapes.append(head_record())
    monkeypatch.setattr("web.spill_file.os.pwrite", full)
    for first in range(0, 40 * KEY_FRAMES, KEY_FRAMES):
        tapes.append(frames_record(first, KEY_FRAMES))
    tape = tapes.get("test_race")
    assert tape is not None
    assert tape.latest == 40 * KEY_FRAMES - 1
    assert tapes.size <= limit
    assert (frame_at(tape, 0) is None) == is_lost


HEADERS = [("kind", b"frames"), ("epoch", b"7"), ("seq", b"50"), ("count", b"2"), ("keys", b"50")]


def test_a_frames_record_is_decoded_from_its_headers_alone() -> None:
    record = decode_frames_record(b"race", HEADERS, b"not json\nnot json", 5)
    assert (record.session_key, record.run_id, record.seq, record.keys) == ("race", 7, 50, frozenset({50}))


@pytest.mark.parametrize("missing", ["kind", "epoch", "seq", "count", "keys"])
def test_a_record_without_a_header_is_refused(missing: str) -> None:
    headers = [header for header in HEADERS if header[0] != missing]
    with pytest.raises(BadRecord, match=missing):
        decode_frames_record(b"race", headers, b"{}\n{}", 5)


def test_a_record_whose_number_of_lines_differs_from_its_header_is_refused() -> None:
    with pytest.raises(BadRecord, match="2 lines"):
        decode_frames_record(b"race", HEADERS, b"{}", 5)


def test_the_synthetic_race_conforms_to_the_models() -> None:
    assert decode_frames(encode_frames([head(), frame(0), frame(1)]))[2] == frame(1)
    assert "cars" in orjson.loads(encode_frames([frame(1)]))
