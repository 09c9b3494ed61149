"""A small synthetic race on a simple outline, as records of topic ``frames``, for the tests of the page."""

from __future__ import annotations

import math
from array import array
from typing import Any

from f1stream.topics import LAPS, MESSAGES, car_key, encode, encode_frames
from models import (
    CarState,
    DamageNotice,
    Frame,
    Lap,
    Message,
    RaceState,
    SessionHeader,
    SessionStatus,
    TeamRadio,
    Weather,
)
from models.frame import FRAME_MS, KEYFRAME_MS
from models.message import Entry, RaceControl, SessionInfo
from web.feed import Feed
from web.history import Fact
from web.sample_store import UNKNOWN_DRS, PacketColumns
from web.tape_store import FramesRecord

LAP_MS = 60_000
CARS = (("1", "VER", "Red", "3671C6"), ("4", "NOR", "Orange", "FF8000"), ("81", "PIA", "Orange", "FF8000"))
PACE_MS = {"4": LAP_MS, "1": LAP_MS + 500, "81": LAP_MS + 1_000}
"""Lap time (ms) by car."""
KEY_FRAMES = KEYFRAME_MS // FRAME_MS


def outline(points: int = 120) -> list[tuple[int, int]]:
    """An oval, 1/10 m."""
    return [
        (round(6000 * math.cos(a)), round(3000 * math.sin(a)))
        for a in (2 * math.pi * i / points for i in range(points))
    ]


def head(
    session: str = "test_race", epoch: int = 1, simulated: bool = True, name: str = "Race", drawn: bool = True
) -> SessionHeader:
    return SessionHeader(
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
    race = {"status": "Started", "started_ms": 0, "lap": t // LAP_MS + 1, "total_laps": 9} | race
    race.setdefault(
        "race_control",
        [RaceControl(session_time_ms=1000, category="Flag", message="GREEN LIGHT", flag="GREEN", lap=1)],
    )
    if t != key_t:
        before = cars(key_t)
        states = {n: {f: v for f, v in s.items() if before[n].get(f) != v} for n, s in states.items()}
        states = {n: s for n, s in states.items() if s}
    values = Frame(
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
        return values
    unknown = [None] * len(CARS)
    along = [round(angle / (2 * math.pi) * 10_000) % 10_000 for angle in angles]
    return values.model_copy(update={"x": unknown, "y": unknown, "speed": unknown, "age": unknown, "along": along})


def head_record(**named: Any) -> FramesRecord:
    made = head(**named)
    return FramesRecord(made.session_key, "head", made.epoch, 0, frozenset(), encode_frames([made]), 0)


def damaged_notice(reason: str, session: str = "test_race", epoch: int = 1) -> FramesRecord:
    """That the race worker gave a run up."""
    value = encode(DamageNotice(session_key=session, epoch=epoch, reason=reason))
    return FramesRecord(session, "damaged", epoch, 0, frozenset(), value, 0)


def frames_record(
    first: int, count: int = 1, session: str = "test_race", epoch: int = 1, arrived_ms: int = 0, **named: Any
) -> FramesRecord:
    numbers = range(first, first + count)
    keys = frozenset(number for number in numbers if number % KEY_FRAMES == 0)
    value = encode_frames([frame(number, **named) for number in numbers])
    return FramesRecord(session, "frames", epoch, first, keys, value, arrived_ms)


def lap(car: str, number: int, known_ms: int | None = None, seq: int | None = None, **named: Any) -> Fact:
    """A lap at a car's pace, known when it ends unless given otherwise."""
    place, ms = [n for n, *_ in CARS].index(car), PACE_MS[car]
    values: dict[str, Any] = dict.fromkeys(Lap.model_fields) | {
        "driver": CARS[place][1], "driver_number": car, "team": CARS[place][2], "lap_number": number,
        "start_ms": ms * (number - 1), "end_ms": ms * number, "lap_time_ms": ms, "sector1_ms": 20_000,
        "sector2_ms": 20_000, "sector3_ms": ms - 40_000, "stint": 1, "tyre_life": number, "position": place + 1,
        "compound": "SOFT", "fresh_tyre": True, "track_status": "1", "generated": False,
    }  # fmt: skip
    record = Lap(**values | named)
    seq = number - 1 if seq is None else seq
    return Fact("test_race", 1, LAPS, car_key("test_race", car), seq, known_ms or record.end_ms, record)


def message(seq: int, record: Message, known_ms: int | None = None) -> Fact:
    return Fact("test_race", 1, MESSAGES, b"test_race", seq, known_ms or record.session_time_ms, record)


def messages() -> list[Fact]:
    """What race control said, the weather and the radio, every 20 s of two minutes."""
    values: list[Message] = [SessionStatus(session_time_ms=0, status="Started")]
    for t in range(1_000, 120_000, 20_000):
        values += [
            RaceControl(session_time_ms=t, category="Other", message=f"CAR 4 AT {t}", driver_number="4", lap=1),
            Weather(session_time_ms=t, air_temp=20.5, track_temp=31.0, humidity=50.0, pressure=1013.2, rainfall=False,
                    wind_direction=90.0, wind_speed=1.5),
            TeamRadio(session_time_ms=t, driver_number="81", path=f"TeamRadio/{t}.mp3"),
        ]  # fmt: skip
    return [message(seq, record) for seq, record in enumerate(values)]


def packet(car: str, seq: int, first_ms: int, count: int, every_ms: int = 200, epoch: int = 1) -> PacketColumns:
    """Samples of a car that goes round the outline at an even pace."""
    times = [first_ms + i * every_ms for i in range(count)]
    angles = [2 * math.pi * t / PACE_MS[car] for t in times]
    columns = (
        array("i", times), array("f", [6000 * math.cos(a) for a in angles]),
        array("f", [3000 * math.sin(a) for a in angles]), array("f", [170.5] * count),
        array("B", [104 if not i else i % 101 for i in range(count)]), array("B", [i % 2 for i in range(count)]),
        array("B", [i % 9 for i in range(count)]), array("B", [UNKNOWN_DRS if not i else 12 for i in range(count)]),
    )  # fmt: skip
    return PacketColumns("test_race", car, epoch, seq, columns)


def whole_race(feed: Feed, frames: int = 650, until_ms: int | None = None, **named: Any) -> None:
    """Frames, laps, messages and samples of two laps of every car; the last frame says that it has ended.

    ``until_ms``: only what was known by then, and it has not ended.
    """
    run = {name: named[name] for name in ("session", "epoch") if name in named}
    feed.add_frames([head_record(**named), frames_record(0, frames, **run)])
    if until_ms is None:
        feed.add_frames([frames_record(frames, 1, ended=True, **run)])
    facts = [lap(car, number) for car, *_ in CARS for number in (1, 2)] + messages()
    feed.add_facts([fact for fact in facts if until_ms is None or fact.known_ms <= until_ms])
    for car, *_ in CARS:
        for seq, second in enumerate(range(0, 130_000 if until_ms is None else until_ms + 1, 1_000)):
            count = 5 if until_ms is None else min(5, (until_ms - second) // 200 + 1)
            feed.add_packet(packet(car, seq, second, count))
