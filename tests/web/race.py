"""A small synthetic race on a simple outline, as records of topic ``frames``, for the tests of the page."""

from __future__ import annotations

import math
from typing import Any

from f1stream.topics import encode_frames
from models import CarState, Frame, Head, Lap, RaceState
from models.frame import FRAME_MS, KEYFRAME_MS
from models.message import Entry, RaceControl, SessionInfo
from web.shelf import FramesRecord

LAP_MS = 60_000
CARS = (("1", "VER", "Red", "3671C6"), ("4", "NOR", "Orange", "FF8000"), ("81", "PIA", "Orange", "FF8000"))
KEY_FRAMES = KEYFRAME_MS // FRAME_MS


def outline(points: int = 120) -> list[tuple[int, int]]:
    """An oval, 1/10 m."""
    return [
        (round(6000 * math.cos(a)), round(3000 * math.sin(a)))
        for a in (2 * math.pi * i / points for i in range(points))
    ]


def head(
    session: str = "test_race", epoch: int = 1, simulated: bool = True, name: str = "Race", drawn: bool = True
) -> Head:
    return Head(
        kind="head",  # encode_frames leaves out what was not set
        session_key=session,
        epoch=epoch,
        t=0,
        info=SessionInfo(
            session_time_ms=0, name=name, type=name, meeting="Test Grand Prix", location="Nowhere",
            country_code="TST", circuit="Oval", total_laps=9, t0_utc_ms=1_700_000_000_000, start_ms=0,
            source="test", simulated=simulated,
        ),
        cars=[
            Entry(driver_number=n, tla=tla, name=f"First {tla.title()}", team=team, team_color=color,
                  grid_position=i + 1)
            for i, (n, tla, team, color) in enumerate(CARS)
        ],
        outline=outline() if drawn else None,
    )  # fmt: skip


def cars(t: int) -> dict[str, dict[str, Any]]:
    """The cars' states at ``t``: number 4 leads, number 1 is a lap down, number 81 changes tyres at 20 s."""
    laps = t // LAP_MS
    return {
        "1": {"position": 3, "status": "running", "lap": max(0, laps - 1), "laps_down": 1, "interval_laps": 1},
        "4": {"position": 1, "status": "running", "lap": laps, "last_lap_ms": 59_813, "last_lap_mark": "overall",
              "compound": "SOFT", "tyre_age": 3},
        "81": {"position": 2, "status": "running", "lap": laps, "last_lap_ms": 60_100, "last_lap_mark": "personal",
               "compound": "MEDIUM" if t < 20_000 else "HARD", "tyre_age": t // 20_000, "stops": int(t >= 20_000)},
    }  # fmt: skip


def frame(
    number: int, changes: dict[str, dict[str, Any]] | None = None, *, estimated: bool = False, **race: Any
) -> Frame:
    """Frame ``number``; ``changes`` go over the cars' states and ``race`` over the race's.

    ``estimated``: without samples, cars placed by their mini-sectors.
    """
    t = number * FRAME_MS
    key_t = t // KEYFRAME_MS * KEYFRAME_MS
    angles = [2 * math.pi * (t / LAP_MS - i * 0.08) for i in range(len(CARS))]
    states = {n: state | (changes or {}).get(n, {}) for n, state in cars(t).items()}
    race = {"status": "Started", "lap": t // LAP_MS + 1, "total_laps": 9} | race
    race.setdefault(
        "race_control",
        [RaceControl(session_time_ms=1000, category="Flag", message="GREEN LIGHT", flag="GREEN", lap=1)],
    )
    if t != key_t:
        before = cars(key_t)
        states = {n: {f: v for f, v in s.items() if before[n].get(f) != v} for n, s in states.items()}
        states = {n: s for n, s in states.items() if s}
    told = Frame(
        kind="key" if t == key_t else "delta",
        t=t,
        key_t=key_t,
        x=[round(6000 * math.cos(a)) for a in angles],
        y=[round(3000 * math.sin(a)) for a in angles],
        speed=[280, 290, 300],
        age=[100, 120, 140],
        gap=[0 if n == "4" else 4321 for n, *_ in CARS],
        interval=[0 if n == "4" else 4321 for n, *_ in CARS],
        cars={n: CarState(**s) for n, s in states.items()},
        race=RaceState(**race),
    )
    if not estimated:
        return told
    unknown = [None] * len(CARS)
    along = [round(angle / (2 * math.pi) * 10_000) % 10_000 for angle in angles]
    return told.model_copy(update={"x": unknown, "y": unknown, "speed": unknown, "age": unknown, "along": along})


def head_record(**named: Any) -> FramesRecord:
    made = head(**named)
    return FramesRecord(made.session_key, "head", made.epoch, 0, frozenset(), encode_frames([made]), 0)


def frames_record(
    first: int, count: int = 1, session: str = "test_race", epoch: int = 1, arrived_ms: int = 0, **named: Any
) -> FramesRecord:
    numbers = range(first, first + count)
    keys = frozenset(number for number in numbers if number % KEY_FRAMES == 0)
    value = encode_frames([frame(number, **named) for number in numbers])
    return FramesRecord(session, "frames", epoch, first, keys, value, arrived_ms)


def lap(number: str, lap_number: int, **known: Any) -> Lap:
    """A lap of which only ``known`` is known."""
    unknown = dict.fromkeys(Lap.model_fields) | {"end_ms": lap_number * LAP_MS, "generated": False}
    who = {"driver": number, "driver_number": number, "team": "Test", "lap_number": lap_number}
    return Lap(**(unknown | who | known))
