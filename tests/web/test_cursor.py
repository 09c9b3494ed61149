from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.frame import FRAME_MS
from tests.support.page_race import LAP_MS, frames_record, head_record
from web.commands import BadCommand, GoLive, GoToLap, Pause, Play, Reveal
from web.cursor import ViewerCursor
from web.tape import Tape
from web.tape_store import TapeStore

ARRIVED_MS = 1_000_000
FRAMES = 1_000


@pytest.fixture(scope="module")
def tape() -> Tape:
    """200 s of a race, a frame each 200 ms of wall time from ARRIVED_MS on."""
    tapes = TapeStore(2**26)
    tapes.append(head_record())
    for number in range(FRAMES):
        tapes.append(frames_record(number, arrived_ms=ARRIVED_MS + number * FRAME_MS))
    made = tapes.get("test_race")
    assert made is not None
    return made


@pytest.fixture
def tape_with_hole() -> Tape:
    """Frames 60 to 99 are missing."""
    tapes = TapeStore(2**26)
    for record in (head_record(), frames_record(0, 60), frames_record(100, 100)):
        tapes.append(record)
    made = tapes.get("test_race")
    assert made is not None
    return made


def at(tape: Tape, *commands: GoLive | Play | Pause | GoToLap) -> ViewerCursor:
    cursor = ViewerCursor()
    cursor.follow(tape)
    for command in commands:
        cursor.apply(command)
    return cursor


def sent(
    cursor: ViewerCursor, now: float, now_ms: int = ARRIVED_MS + FRAMES * FRAME_MS, budget: int = 8
) -> list[int]:
    """The session times of the frames that are sent now."""
    messages = [orjson.loads(message) for message in cursor.advance(cursor.target(now, now_ms), budget)]
    return [message["t"] for message in messages if message["kind"] != "head"]


def test_a_pause_shows_the_picture_of_that_time_and_no_other(tape: Tape) -> None:
    cursor = at(tape, Pause(id=1, do="pause", t=63_450))
    assert sent(cursor, 0.0) == [60_000, 63_400]
    assert sent(cursor, 100.0) == []
    assert cursor.due_in(100.0, 0) is None


@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0, 16.0])
def test_playing_advances_at_its_speed(tape: Tape, speed: float) -> None:
    cursor = at(tape, Play(id=1, do="play", t=20_000, speed=speed))
    sent(cursor, 50.0)
    for step in range(1, 40):
        times = sent(cursor, 50.0 + step / 8)
        assert cursor.t == (20_000 + step * 125 * speed) // FRAME_MS * FRAME_MS
        assert all(t <= 20_000 + step * 125 * speed for t in times)
        wait = cursor.due_in(50.0 + step / 8, 0)
        assert wait is not None
        assert 0 < wait <= FRAME_MS / 1000 / speed + 1e-6


@pytest.mark.parametrize("speed", [1.0, 16.0])
def test_playing_passes_frames_missing_from_the_tape_at_its_speed_and_counts_none_as_skipped(
    tape_with_hole: Tape, speed: float
) -> None:
    cursor = at(tape_with_hole, Play(id=1, do="play", t=11_000, speed=speed))
    now, seen = 5.0, []
    for _ in range(80):
        seen += sent(cursor, now)
        wait = cursor.due_in(now, 0)
        assert wait is not None
        assert 0 < wait <= FRAME_MS / 1000 / speed + 1e-6
        now += wait + 1e-6
    assert [t // FRAME_MS for t in seen] == [50, *range(55, 60), *range(100, 135)]
    assert cursor.skipped == 0


def test_a_jump_into_missing_frames_shows_the_frame_before_them_and_a_long_step_too(tape_with_hole: Tape) -> None:
    assert sent(at(tape_with_hole, Pause(id=1, do="pause", t=80 * FRAME_MS)), 0.0) == [50 * FRAME_MS, 59 * FRAME_MS]
    cursor = at(tape_with_hole, Play(id=1, do="play", t=51 * FRAME_MS))
    sent(cursor, 0.0)
    assert sent(cursor, 20 * FRAME_MS / 1000) == [59 * FRAME_MS]


def test_playing_up_to_the_live_edge_becomes_live(tape: Tape) -> None:
    cursor = at(tape, Play(id=1, do="play", t=198_000, speed=16))
    sent(cursor, 0.0)
    assert cursor.mode == "play"
    sent(cursor, 1.0)
    assert (cursor.mode, cursor.t) == ("live", (FRAMES - 1) * FRAME_MS)


@given(delay_ms=st.integers(0, 100_000), since_ms=st.integers(0, 150_000))
def test_a_delayed_viewer_sees_what_had_arrived_then(tape: Tape, delay_ms: int, since_ms: int) -> None:
    cursor = at(tape, GoLive(id=1, do="live", delay_ms=delay_ms))
    now_ms = ARRIVED_MS + 50_000 + since_ms
    due = 50_000 + since_ms - delay_ms
    times = sent(cursor, 0.0, now_ms, budget=1)
    if due < 0:
        assert times == []
    else:
        assert times[-1] == min(due // FRAME_MS, FRAMES - 1) * FRAME_MS if delay_ms else (FRAMES - 1) * FRAME_MS
    if delay_ms and 0 <= due < 198_000:
        wait = cursor.due_in(0.0, now_ms)
        assert wait is not None
        assert 0 < wait <= FRAME_MS / 1000


def test_going_to_a_lap_shows_its_first_picture(tape: Tape) -> None:
    for lap in (1, 2, 3):
        cursor = at(tape, Pause(id=1, do="pause", t=7_000), GoToLap(id=2, do="lap", lap=lap))
        sent(cursor, 0.0)
        assert (cursor.mode, cursor.t) == ("pause", (lap - 1) * LAP_MS)
    cursor = at(tape, GoToLap(id=1, do="lap", lap=2))
    assert cursor.mode == "play", "a live viewer continues from there"
    with pytest.raises(BadCommand, match="lap 7 has not begun"):
        at(tape, GoToLap(id=1, do="lap", lap=7))


def test_a_pause_before_or_after_the_tape_shows_its_first_or_last_picture(tape: Tape) -> None:
    assert sent(at(tape, Pause(id=1, do="pause", t=-5_000)), 0.0) == [0]
    assert sent(at(tape, Pause(id=1, do="pause", t=1 << 29)), 0.0)[-1] == (FRAMES - 1) * FRAME_MS


def test_after_a_jump_the_keyframe_is_sent_again(tape: Tape) -> None:
    cursor = at(tape, Pause(id=1, do="pause", t=61_000))
    assert sent(cursor, 0.0) == [60_000, 61_000]
    cursor.apply(Pause(id=2, do="pause", t=61_200))
    assert cursor.moved(2)["jump"] is True
    assert sent(cursor, 0.0) == [60_000, 61_200]


@pytest.fixture
def ended() -> Tape:
    """A race that ended 12 s after its first frame."""
    tapes = TapeStore(2**26)
    for record in (head_record(), frames_record(0, 60), frames_record(60, 1, ended=True, race_control=[])):
        tapes.append(record)
    made = tapes.get("test_race")
    assert made is not None
    return made


def kinds(cursor: ViewerCursor) -> list[str]:
    """The kinds of the messages that are sent now."""
    return [orjson.loads(each)["kind"] for each in [*cursor.advance(cursor.target(5.0, 0), 8), *cursor.log()]]


CHOICES: list[tuple[GoLive | Play | Pause | GoToLap, str, int]] = [
    (GoToLap(id=1, do="lap", lap=1), "play", 0),
    (Play(id=1, do="play", t=4_000), "play", 4_000),
    (Pause(id=1, do="pause"), "pause", 0),
    (GoLive(id=1, do="live"), "live", 12_000),
]


@pytest.mark.parametrize(("command", "mode", "t"), CHOICES, ids=["start", "time", "pause", "end"])
def test_an_ended_session_shows_nothing_before_a_command_and_then_what_was_asked_for(
    ended: Tape, command: GoLive | Play | Pause | GoToLap, mode: str, t: int
) -> None:
    cursor = ViewerCursor(waits_if_ended=True)
    cursor.follow(ended)
    assert (cursor.mode, kinds(cursor), kinds(cursor)) == ("wait", ["head"], [])
    cursor.apply(Reveal(id=0, do="reveal", on=True))
    assert (cursor.mode, kinds(cursor)) == ("wait", [])
    cursor.apply(command)
    assert sent(cursor, 5.0, 0)[-1] == t
    assert cursor.mode == mode


def test_a_session_that_ends_while_it_is_watched_goes_on_to_its_end_and_another_ended_one_waits(ended: Tape) -> None:
    tapes = TapeStore(2**26)
    tapes.append(head_record())
    tapes.append(frames_record(0, 60))
    running = tapes.get("test_race")
    assert running is not None
    cursor = ViewerCursor(waits_if_ended=True)
    cursor.follow(running)
    assert sent(cursor, 0.0)[-1] == 59 * FRAME_MS
    tapes.append(frames_record(60, 1, ended=True, race_control=[]))
    cursor.follow(running)
    assert (cursor.mode, sent(cursor, 0.0)) == ("live", [60 * FRAME_MS])
    cursor.follow(ended)
    assert cursor.mode == "wait"
    cursor.follow(None)
    assert cursor.mode == "live"


def test_a_session_that_is_published_again_while_a_viewer_chooses_still_waits_for_the_choice() -> None:
    tapes = TapeStore(2**26)
    tapes.append(head_record())
    tapes.append(frames_record(0, 60, ended=True, race_control=[]))
    cursor = ViewerCursor(waits_if_ended=True)
    cursor.follow(tapes.get("test_race"))
    tapes.append(head_record(epoch=2))
    tapes.append(frames_record(0, 60, epoch=2))
    cursor.follow(tapes.get("test_race"))
    assert (cursor.mode, sent(cursor, 0.0)) == ("wait", [])


def test_a_run_that_the_worker_gave_up_waits_for_a_choice_like_one_that_has_ended(tape: Tape) -> None:
    tape.damaged = "message 3 came after 1"
    cursor = ViewerCursor(waits_if_ended=True)
    cursor.follow(tape)
    assert (cursor.mode, sent(cursor, 0.0)) == ("wait", [])


def test_without_the_wish_to_wait_an_ended_session_shows_its_end(ended: Tape) -> None:
    assert sent(at(ended), 0.0)[-1] == 60 * FRAME_MS


PRESSED = st.tuples(
    st.sampled_from(["play", "pause"]),
    st.integers(0, 199_000),
    st.sampled_from([0.25, 1.0, 16.0]),
    st.integers(1, 3_000),
)


@given(commands=st.lists(PRESSED, max_size=6))
def test_nothing_later_than_the_cursor_is_ever_sent(tape: Tape, commands: list[tuple[str, int, float, int]]) -> None:
    cursor, now = at(tape), 10.0
    for do, t, speed, wait_ms in commands:
        play = Play(id=1, do="play", t=t, speed=speed) if do == "play" else Pause(id=1, do="pause", t=t)
        cursor.apply(play)
        began = now
        for _ in range(3):
            latest = t + (now - began) * 1000 * (speed if do == "play" else 0)
            assert all(each <= latest for each in sent(cursor, now)) or cursor.mode == "live"
            now += wait_ms / 1000
