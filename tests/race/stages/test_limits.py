"""Frames and checkpoints stay small for any records within the bounds."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from f1stream import topics
from f1stream.race.limits import laps_of_car, stints_of_car
from f1stream.race.stages.session_race import SessionRace
from models import CarUpdate, Frame

CARS = [str(n) for n in range(100)]
DAY_MS = 86_400_000
LONG = "\x01" * 120
"""Six bytes a character as JSON."""


def message(**fields: Any) -> Any:
    return topics.decode_message(json.dumps({"session_time_ms": DAY_MS - 1_000} | fields).encode())


def lap(number: int) -> dict[str, Any]:
    return {
        "emitted_ms": 0, "lap_number": number, "end_ms": DAY_MS - 10**6 + number, "lap_time_ms": 10**7 + number,
        "compound": '"' * 20, "tyre_life": 0, "speed_st": 300, "deleted": False, "official": True,
    }  # fmt: skip


def stored(checkpoint: bytes | None) -> Any:
    """All but the cars that have changed since the last frame: after a restart all count as changed."""
    assert checkpoint is not None
    value = json.loads(checkpoint)
    (value["race"] or {}).pop("touched", None)
    return value


@pytest.fixture(scope="module")
def talkative() -> tuple[SessionRace, list[Frame]]:
    """A race of 100 cars with the longest and most frequent records possible."""
    race, seq = SessionRace("9" * 200, 1), count()

    def publish(**fields: Any) -> None:
        fact = message(**fields)
        race.admit(fact)
        race.take_message(next(seq), 0, fact)

    publish(kind="session_info", name="Race", type="Race", meeting=LONG, location=LONG, country_code=LONG,
         circuit=LONG, total_laps=1_000, t0_utc_ms=0, start_ms=0, source=LONG)  # fmt: skip
    entry = {"tla": "\x01" * 50, "name": LONG, "team": LONG, "team_color": "\x01" * 50, "grid_position": 1}
    publish(kind="entries", entries=[entry | {"driver_number": number} for number in CARS])
    publish(kind="session_status", status="Started")
    for nth in range(60):
        publish(kind="race_control", category=LONG[:50], message="\x01" * 1_000, flag=LONG[:50], scope=LONG[:50])
        publish(kind="notice", about=f"{nth}{LONG[:40]}", text="\x01" * 300)
        publish(kind="race_control", category="Flag", message="", flag="YELLOW", scope="Sector", sector=nth * 100)
        cars = ", ".join(f"{number} (A)" for number in CARS[:10])
        publish(kind="race_control", category="Other", message=f"INCIDENT INVOLVING CARS {cars} NOTED - {LONG}{nth}")
    for nth in range(700):
        publish(kind="track_status", status=str(nth % 7), message="\x01" * 200)
    for number in CARS:
        for nth in range(30):
            publish(kind="pit_in", driver_number=number, lap=nth + 900)
            publish(
                kind="tyre_change", driver_number=number, lap=nth + 901, compound='"' * 20, tyre_life=1, fresh=True
            )
            publish(kind="pit_out", driver_number=number, lap=nth + 900)
        publish(kind="timing", driver_number=number, position=100, gap_ms=604_800_000, interval_ms=604_800_000)
        for sector in (1, 2, 3):
            for mini in range(1, 100):
                publish(kind="mini_sector", driver_number=number, lap=999, sector=sector, mini_sector=mini,
                     mark="overall", counts=[99, 99, 99])  # fmt: skip
    messages = next(seq)
    for number in CARS:
        t = list(range(0, 1_000, 100))
        race.take_update(CarUpdate.model_validate({
            "epoch": 1, "driver_number": number, "first_seq": 0, "last_seq": 0, "until_ms": 1_000,
            "messages": messages, "t": t,
            "x": [9_999_999.123456789] * 10, "y": [-9_999_999.1] * 10, "speed": [9_999.0] * 10,
            "laps": [lap(n) for n in range(1, 1_001)],
        }))  # fmt: skip
    return race, [each for each in race.advance() if isinstance(each, Frame)]


def test_a_frame_has_less_than_500_kb_and_is_read_back(talkative: tuple[SessionRace, list[Frame]]) -> None:
    _, frames = talkative
    assert len(frames) == 6
    assert frames[0].kind == "key"
    for frame in frames:
        value = topics.encode_frames([frame])
        assert len(value) < 500_000
        assert topics.encode_frames(topics.decode_frames(value)) == value


def test_a_checkpoint_has_less_than_900_kb_and_is_read_back(talkative: tuple[SessionRace, list[Frame]]) -> None:
    race, _ = talkative
    checkpoint = race.checkpoint()
    assert checkpoint is not None
    assert len(checkpoint) < 900_000
    assert len(race.dump_header()) < 900_000
    again = SessionRace.restore("9" * 200, checkpoint, race.dump_header())
    assert stored(again.checkpoint()) == stored(checkpoint)
    assert again.dump_header() == race.dump_header()


def test_bounded_lists_of_a_car_have_the_newest_values_and_room_for_real_fields(
    talkative: tuple[SessionRace, list[Frame]],
) -> None:
    _, frames = talkative
    car = frames[0].cars[CARS[0]]
    assert [stop.lap for stop in car.pit_stops] == [924, 925, 926, 927, 928, 929]
    assert len(car.penalties) > 3
    assert car.penalties[-1].reason == LONG
    assert frames[0].race.notices
    assert frames[0].race.race_control
    assert stints_of_car(22) == 30
    assert laps_of_car(22) > 100
