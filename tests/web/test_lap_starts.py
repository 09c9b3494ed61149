from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.page_race import KEY_FRAMES, frame
from web import tape as tapes
from web.lap_starts import LapStarts
from web.tape import Tape


def put(tape: Tape, first: int, laps: list[int]) -> None:
    """Frames from number ``first`` on, in each of which the leader is on the next of ``laps``."""
    numbers = range(first, first + len(laps))
    # Only lap 1 is looked up by the start.
    made = [frame(number, lap=lap, started_ms=None) for number, lap in zip(numbers, laps, strict=True)]
    values = [each.model_dump_json(exclude_unset=True).encode() for each in made]
    tape.append(first, values, [number for number in numbers if number % KEY_FRAMES == 0], 0)


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=8),
    before=st.integers(0, 3),
    batches=st.lists(st.integers(1, 90), min_size=1, max_size=12),
)
def test_a_lap_begins_with_its_first_frame_however_frames_are_batched(
    lengths: list[int], before: int, batches: list[int]
) -> None:
    laps = [before + n for n, length in enumerate(lengths) for _ in range(length)]
    tape, first = Tape("race", 1), 0
    while first < len(laps):
        size = batches[first % len(batches)]
        put(tape, first, laps[first : first + size])
        first += size
    for lap in range(2, before + len(lengths) + 2):
        found = next((number for number, shown in enumerate(laps) if shown >= lap), None)
        assert tape.lap_at(lap) == (None if found is None else found * 200)


def test_laps_of_an_aborted_start_are_removed() -> None:
    starts = LapStarts()
    for number, lap in enumerate([0, 1, 1, 2, 0, 0, 1, 2]):
        starts.note(number, lap)
    assert [starts.first(lap) for lap in (1, 2, 3)] == [6, 7, None]
    starts.note(8, 0)
    assert starts.first(1) is None


def test_going_to_a_lap_and_asking_whether_a_run_has_ended_decode_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape("race", 1)
    put(tape, 0, [1 + number // 300 for number in range(1_000)])
    monkeypatch.setattr(tapes.orjson, "loads", None)
    assert [tape.lap_at(lap) for lap in (2, 3, 4, 5)] == [60_000, 120_000, 180_000, None]
    assert not tape.ended


def test_a_dropped_lap_begins_where_the_tape_does() -> None:
    tape = Tape("race", 1)
    put(tape, 0, [1 + number // 60 for number in range(200)])
    tape.drop_oldest()
    tape.drop_oldest()
    assert [tape.lap_at(lap) for lap in (2, 3)] == [20_000, 24_000]
