"""Yellow sectors, by the messages of race control in real races."""

from __future__ import annotations

from pathlib import Path

import pytest

from f1stream.race.flags import flagged
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from models import RaceControl, YellowSector


def under_yellow(session: Session, utc: str) -> dict[int, bool]:
    """Sector: double, at a time of the day on which session time 0 was."""
    hours, minutes, seconds = map(int, utc.split(":"))
    at = ((hours * 60 + minutes) * 60 + seconds) * 1_000 - session.t0_utc_ms % 86_400_000
    yellow: list[YellowSector] = []
    for message in session.messages:
        if isinstance(message, RaceControl) and message.session_time_ms <= at:
            yellow = flagged(yellow, message)
    return {each.sector: each.double for each in yellow}


@pytest.mark.parametrize(
    ("utc", "yellow"),
    [
        ("04:19:26", {}), ("04:19:30", {8: True}), ("04:21:30", {8: True, 20: True}),  # the safety car ends none
        ("04:30:10", {8: True}), ("04:30:40", {}), ("05:24:40", {8: True, 9: True, 10: True}),
        ("05:36:50", {19: False}), ("05:37:40", {18: False, 19: True}), ("05:40:45", {18: True, 19: False}),
        ("05:41:10", {2: True, 19: True}), ("05:46:50", {19: True}), ("05:51:20", {}),
    ],
)  # fmt: skip
def test_sectors_under_yellow_in_melbourne(aus_session: Session, utc: str, yellow: dict[int, bool]) -> None:
    assert under_yellow(aus_session, utc) == yellow


def test_what_no_sector_cleared_is_ended_by_the_clear_track(aus_session: Session) -> None:
    yellow = [YellowSector(sector=3, double=False)]
    clear = next(m for m in aus_session.messages if isinstance(m, RaceControl) and m.message == "TRACK CLEAR")
    assert flagged(yellow, clear) == []


def test_red_flag_ends_yellow_ones_and_the_light_at_the_pit_exit_none() -> None:
    yellow = [YellowSector(sector=3, double=False)]

    def after(flag: str, message: str) -> list[YellowSector]:
        return flagged(
            yellow, RaceControl(session_time_ms=0, category="Flag", flag=flag, scope="Track", message=message)
        )

    assert after("RED", "RED FLAG") == []
    assert after("GREEN", "GREEN LIGHT - PIT EXIT OPEN") is yellow
    assert after("CHEQUERED", "CHEQUERED FLAG") is yellow


@pytest.mark.parametrize(
    ("name", "left"),
    [("2025-07-06_British__2025-07-06_Race", set()), ("2025-04-13_Bahrain__2025-04-13_Race", set()),
     ("2025-05-04_Miami__2025-05-03_Sprint", {19, 20}), ("2026-03-15_Chinese__2026-03-15_Race", set())],
)  # fmt: skip
def test_every_yellow_is_ended_but_those_of_the_lap_back_to_the_pits(
    recordings: Path, name: str, left: set[int]
) -> None:
    session, _ = as_session(open_recording(recordings / "livetiming_frozen" / name), "recording:x")
    assert under_yellow(session, "23:59:59").keys() == left
