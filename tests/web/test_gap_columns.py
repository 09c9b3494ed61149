"""Columns of arriving frames, and frames that are rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from f1stream.topics import BadRecord, encode_frames
from tests.support.page_race import CARS, KEY_FRAMES, frame, frames_record, head_record
from web.gap_columns import UNKNOWN, GapColumns, read_frame
from web.tape import Tape
from web.tape_store import FramesRecord, TapeStore

Change = Callable[[dict[str, Any]], object]


def decoded(number: int, **named: Any) -> dict[str, Any]:
    key = number // KEY_FRAMES * KEY_FRAMES
    return read_frame(number, encode_frames([frame(number, **named)]), None if number == key else key)


def filled(*frames: dict[str, Any]) -> GapColumns:
    made = GapColumns(frames[0])
    for each in frames:
        made.append(each)
    return made


def test_a_row_has_the_values_of_the_picture_at_its_time() -> None:
    columns = filled(*(decoded(number, changes={"81": {"laps_down": number % 3}}) for number in range(50, 60)))
    rows = columns.rows()
    tape = Tape("test_race", 1)
    record = frames_record(50, 10)
    tape.append(50, record.value.split(b"\n"), record.keys, 0)
    for n in range(10):
        picture = tape.state_at((50 + n) * 200)
        assert picture is not None
        for place, (car, *_) in enumerate(CARS):
            assert columns.column(rows, "gap", car, place)[n] == picture["gap"][place]
            assert columns.column(rows, "position", car, place)[n] == picture["cars"][car]["position"]
    assert columns.column(rows, "laps_down", "81", 2).tolist() == [(50 + n) % 3 for n in range(10)]


def test_null_and_absent_values_are_unknown() -> None:
    first, second = decoded(0), decoded(1)
    second["cars"] = {"4": {"position": None}}
    first["gap"], second["interval"] = [None, 0, 5], [7, None, 9]
    columns = filled(first, second)
    rows = columns.rows()
    assert columns.column(rows, "gap", "1", 0).tolist()[0] == UNKNOWN
    assert columns.column(rows, "interval", "4", 1).tolist()[1] == UNKNOWN
    assert columns.column(rows, "position", "4", 1).tolist() == [1, UNKNOWN]
    assert columns.column(rows, "laps_down", "4", 1).tolist() == [UNKNOWN, UNKNOWN]
    assert columns.column(rows, "position", "99", 9) is None
    assert columns.column(rows, "gap", "99", 9) is None


def test_spilled_columns_equal_those_in_memory() -> None:
    tapes, whole = TapeStore(120_000, disk_limit=2**30), TapeStore(2**30)
    for each in (tapes, whole):
        each.append(head_record())
        for first in range(0, 40 * KEY_FRAMES, KEY_FRAMES):
            each.append(frames_record(first, KEY_FRAMES))
    assert tapes.disk_size
    times = range(0, 40 * KEY_FRAMES * 200, 3_400)
    spilled, other = ([*each.get("test_race").rows_at(times)] for each in (tapes, whole))  # type: ignore[union-attr]
    assert [rows for _, rows in spilled] == [rows for _, rows in other]
    for (group, _), (same, _) in zip(spilled, other, strict=True):
        assert np.array_equal(group.rows(), same.rows())


@pytest.mark.parametrize(
    ("first", "times", "shown"),
    [
        (0, range(0, 1_001, 200), [0, 1, 2, 3, 4, 5]),
        (0, range(0, 1_001, 250), [0, 1, 2, 3, 5]),
        (50, range(0, 10_401, 5_200), [52]),
        (0, range(23_900, 10**6, 10**5), [119]),
        (0, range(-5_000, 0, 200), []),
    ],
)
def test_at_each_time_the_latest_frame_is_shown_once(first: int, times: range, shown: list[int]) -> None:
    tape = Tape("test_race", 1)
    record = frames_record(first, 120 - first)
    tape.append(first, record.value.split(b"\n"), record.keys, 0)
    assert [group.start + row for group, rows in tape.rows_at(times) for row in rows] == shown


NO_FRAMES: dict[str, Change] = {
    "another time": lambda body: body.update(t=400),
    "another keyframe": lambda body: body.update(key_t=200),
    "another kind": lambda body: body.update(kind="head"),
    "no cars": lambda body: body.pop("cars"),
    "cars as a list": lambda body: body.update(cars=[]),
    "an invalid state": lambda body: body["cars"].update({"4": None}),
    "a car that is not in the keyframe": lambda body: body["cars"].update({"99": {"position": 1}}),
    "a place as text": lambda body: body["cars"].update({"4": {"position": "first"}}),
    "a place out of bounds": lambda body: body["cars"].update({"4": {"position": 2**31}}),
    "no race": lambda body: body.update(race=None),
    "a lap as text": lambda body: body["race"].update(lap="nine"),
    "a start as text": lambda body: body["race"].update(started_ms="noon"),
    "no gaps": lambda body: body.pop("gap"),
    "a gap for each but one": lambda body: body["gap"].pop(),
    "a gap as text": lambda body: body["gap"].__setitem__(0, "far"),
    "a gap out of bounds": lambda body: body["interval"].__setitem__(0, 10**30),
}


def damaged(change: Change, number: int) -> bytes:
    body = orjson.loads(encode_frames([frame(number)]))
    change(body)
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        return encode_frames([frame(number)]).replace(b'"interval":[4321', b'"interval":[1%s' % (b"0" * 30))


@pytest.mark.parametrize("change", NO_FRAMES.values(), ids=NO_FRAMES)
def test_a_frame_that_cannot_be_shown_is_a_hole_until_the_next_keyframe(change: Change) -> None:
    tapes = TapeStore(2**26)
    tapes.append(head_record())
    tapes.append(frames_record(0, 10))
    tape = tapes.get("test_race")
    assert tape is not None
    with pytest.raises(BadRecord):
        tapes.append(FramesRecord("test_race", "frames", 1, 10, frozenset(), damaged(change, 10), 0))
    assert tapes.append(frames_record(11, 60)) == 21, "from the keyframe at 50 on"
    assert (tape.latest, tape.ended) == (70, False)
    assert (
        tape.size == sum(group.size for group, _ in tape.rows_at(range(0, 14_200, 200))) + len(tape.head or b"") + 41
    )


@pytest.mark.parametrize("value", [b"no JSON", b"[]", b"null", b"{}", b'{"kind":"key","t":0,"key_t":0}'])
def test_an_invalid_frame_of_a_newer_run_does_not_replace_the_tape(value: bytes) -> None:
    tapes = TapeStore(2**26)
    tapes.append(head_record())
    tapes.append(frames_record(0, 10))
    with pytest.raises(BadRecord):
        tapes.append(FramesRecord("test_race", "frames", 2, 0, frozenset({0}), value, 0))
    tape = tapes.get("test_race")
    assert tape is not None
    assert (tape.run_id, tape.latest) == (1, 9)


def test_a_keyframe_without_cars_is_refused() -> None:
    with pytest.raises(BadRecord, match="no cars"):
        GapColumns(decoded(0) | {"cars": {}})
