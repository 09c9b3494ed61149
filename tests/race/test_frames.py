"""Keyframes are complete; a keyframe and any one delta after it make the complete picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from f1stream.race.frames import FrameBuilder
from f1stream.race.state import Race
from f1stream.topics import decode_frames, encode_frames
from models import Frame, LapCount, MiniSector, PitIn, PitOut, RaceControl, TrackStatus, TyreChange, Weather
from models.frame import FRAME_MS, KEYFRAME_MS
from tests.support.oval import Oval


def whole(frame: Frame) -> dict[str, Any]:
    """The content of a keyframe."""
    said = frame.model_dump()
    return {name: said[name] for name in ("x", "y", "speed", "age", "gap", "interval", "cars", "race")}


def merged(key: Frame, delta: Frame) -> dict[str, Any]:
    """The picture after a keyframe and one delta: absent is unchanged, null is unknown."""
    picture, change = whole(key), delta.model_dump(exclude_unset=True)
    for number, car in change["cars"].items():
        picture["cars"][number] |= car
    picture["race"] |= change["race"]
    return picture | {name: change[name] for name in ("x", "y", "speed", "age", "gap", "interval")}


def travelled(frame: Frame) -> Frame:
    """A frame as read from the topic."""
    (back,) = decode_frames(encode_frames([frame]))
    assert isinstance(back, Frame)
    return back


def afresh(oval: Oval) -> dict[str, Any]:
    """The complete picture now, by a new ``FrameBuilder``."""
    return whole(FrameBuilder(Race.load(oval.race.dump())).frame(oval.now))


@pytest.fixture(scope="module")
def eventful() -> tuple[list[Frame], list[dict[str, Any]]]:
    """Every frame of half a minute with many changes and reversals, and the complete picture at each."""
    oval = Oval("4", "81", "1")
    pictures: list[dict[str, Any]] = []

    def go(seconds: float) -> None:
        for _ in range(round(seconds * 1_000 / FRAME_MS)):
            oval.go(FRAME_MS / 1_000)
            pictures.append(afresh(oval))

    oval.apply(LapCount(session_time_ms=0, lap=1, total_laps=3))
    go(1)
    oval.start(0)
    go(8)
    oval.drive("81", speed=150)
    oval.apply(TrackStatus(session_time_ms=oval.now, status="4", message="SCDeployed"))
    oval.apply(Weather(session_time_ms=oval.now, air_temp=15.0, track_temp=20.0, humidity=80.0, pressure=1010.0,
                      rainfall=True, wind_direction=1.0, wind_speed=2.0))  # fmt: skip
    go(6)
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="1", lap=1))
    go(2)
    oval.apply(
        TyreChange(session_time_ms=oval.now, driver_number="1", lap=2, compound="HARD", tyre_life=0, fresh=True)
    )
    oval.apply(PitOut(session_time_ms=oval.now, driver_number="1", lap=1))
    oval.apply(TrackStatus(session_time_ms=oval.now, status="1", message="AllClear"))
    oval.apply(RaceControl(session_time_ms=oval.now, category="Flag", message="GREEN LIGHT", flag="GREEN"))
    go(2)
    oval.drive("81", speed=0)
    go(12)
    oval.drive("81")
    for number, ms in (("4", 61_000), ("1", 60_000)):
        oval.ends_lap(number, 1, ms=ms)
    go(1)
    oval.ends_lap("1", 1, ms=60_000, deleted=True)
    go(3)
    return oval.made, pictures


def test_a_keyframe_and_any_later_delta_make_the_whole_picture(
    eventful: tuple[list[Frame], list[dict[str, Any]]],
) -> None:
    key = None
    for frame, picture in zip(*eventful, strict=True):
        back = travelled(frame)
        if back.kind == "key":
            key = back
            assert whole(back) == picture
        else:
            assert key is not None
            assert back.key_t == key.t
            assert merged(key, back) == picture, f"at {frame.t} ms"


def aborted(oval: Oval) -> None:
    oval.start()
    oval.go(4)
    oval.apply(RaceControl(session_time_ms=oval.now, category="Other", message="ABORTED START"))
    oval.go(1)


def started_twice(oval: Oval) -> None:
    """The second start begins the mini-sectors of lap 1 again."""
    aborted(oval)
    oval.status("Started")
    oval.go(2)


def colours_by_the_feed(oval: Oval) -> None:
    """The feed's first mini-sector replaces ours, of all cars."""
    oval.start()
    oval.go(8)
    assert all(oval.race.colours.marks.values())
    oval.apply(MiniSector(session_time_ms=oval.now, driver_number="4", lap=1, sector=1, mini_sector=1, mark="slower",
                          change="passed", counts=(3, 2, 2)))  # fmt: skip
    oval.go(1)


def stands_after_its_tyre_change(oval: Oval) -> None:
    oval.start()
    oval.go(3)
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="4", lap=1))
    oval.apply(
        TyreChange(session_time_ms=oval.now, driver_number="4", lap=2, compound="HARD", tyre_life=0, fresh=True)
    )
    oval.drive("4", speed=0)
    oval.go(4)


@pytest.mark.parametrize("happens", [aborted, started_twice, colours_by_the_feed, stands_after_its_tyre_change])
def test_what_changes_is_in_the_next_frame_and_a_restart_adds_nothing(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[Oval], None]
) -> None:
    oval = Oval("4", "81")
    key: list[Frame] = []
    build = oval.frames.frame

    def frame(t: int) -> Frame:
        made = build(t)
        if made.kind == "key":
            key[:] = [made]
        picture = afresh(oval)
        assert (whole(made) if made.kind == "key" else merged(key[0], made)) == picture, f"at {t} ms"
        return made

    monkeypatch.setattr(oval.frames, "frame", frame)
    happens(oval)


def test_something_happened_in_every_part_of_a_frame(eventful: tuple[list[Frame], list[dict[str, Any]]]) -> None:
    """Otherwise the test above would prove nothing."""
    _, pictures = eventful
    one = pictures[0]
    for name in ("position", "status", "lap", "last_lap_ms", "best_lap_ms", "compound", "tyre_age", "stops"):
        assert any(p["cars"][n][name] != one["cars"][n][name] for p in pictures for n in one["cars"]), name
    for name in ("status", "track_status", "fastest_lap", "air_temp", "race_control"):
        assert any(p["race"][name] != one["race"][name] for p in pictures), name
    fastest = [p["race"]["fastest_lap"] and p["race"]["fastest_lap"]["driver_number"] for p in pictures]
    assert [car for car, before in zip(fastest, [None, *fastest], strict=False) if car != before] == ["1", "4"]


def test_frames_come_every_200_ms_and_keyframes_every_10_s(
    eventful: tuple[list[Frame], list[dict[str, Any]]],
) -> None:
    frames, _ = eventful
    assert [frame.t for frame in frames] == list(range(FRAME_MS, FRAME_MS * len(frames) + 1, FRAME_MS))
    first, *later = [frame.t for frame in frames if frame.kind == "key"]
    assert first == FRAME_MS, "the first frame of a run is a keyframe"
    assert later == list(range(KEYFRAME_MS, frames[-1].t + 1, KEYFRAME_MS))


def test_a_change_taken_back_is_no_longer_in_the_delta() -> None:
    oval = Oval("4", "81")
    oval.go(0.4)
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="4", lap=1))
    oval.go(0.2)
    assert oval.made[-1].model_dump(exclude_unset=True)["cars"] == {"4": {"status": "pit"}}
    oval.apply(PitOut(session_time_ms=oval.now, driver_number="4", lap=1))
    oval.go(0.2)
    assert oval.made[-1].cars == {}


def test_a_quiet_moment_makes_a_small_frame() -> None:
    oval = Oval("4", "81")
    oval.go(1)
    assert oval.made[-1].model_dump(exclude_unset=True).keys() >= {"t", "x", "cars", "race"}
    assert oval.made[-1].cars == {}
    assert oval.made[-1].race.model_dump(exclude_unset=True) == {}


def test_a_car_never_seen_has_no_age() -> None:
    oval = Oval("4", "81")
    oval.silent.add("81")
    oval.go(1)
    assert oval.made[-1].age == [0, None]
    oval.silent.add("4")
    oval.go(1)
    assert oval.made[-1].age == [1_000, None]


def test_frames_after_a_restart_are_the_same_bytes() -> None:
    oval, other = Oval("4", "81"), Oval("4", "81")
    for one in (oval, other):
        one.start()
        one.go(12)
        one.apply(TrackStatus(session_time_ms=one.now, status="2", message="Yellow"))
        one.go(1)
    keyframe = travelled(next(frame for frame in reversed(other.made) if frame.kind == "key"))
    other.race = Race.load(other.race.dump())
    other.frames = FrameBuilder(other.race, keyframe)
    oval.go(10)
    other.go(10)
    assert encode_frames(other.made) == encode_frames(oval.made)


def test_the_start_is_in_the_frames_from_the_moment_it_is_known_and_out_of_them_when_it_is_aborted() -> None:
    oval = Oval("4", "81")
    oval.start(1.0)
    first = oval.now
    oval.go(5)
    oval.apply(RaceControl(session_time_ms=oval.now, category="Other", message="ABORTED START"))
    aborted = oval.now
    oval.drive("4", "81", speed=0)
    oval.go(5)
    oval.start(1.0)
    second = oval.now
    oval.go(15)
    key = oval.made[0]
    for frame in oval.made:
        key = frame if frame.kind == "key" else key
        picture = whole(key) if frame is key else merged(key, travelled(frame))
        known = first if first < frame.t <= aborted else second if frame.t > second else None
        assert picture["race"]["started_ms"] == known, frame.t
