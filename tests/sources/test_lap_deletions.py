"""Race control's messages about lap times, and the lap that each means."""

from __future__ import annotations

import pytest

from f1stream.sources.lap_deletions import Deletion, TimedLap, deleted_laps, deletion_changes, parse_deletion

LAPS = [TimedLap(n, 90_000 * n, time) for n, time in enumerate((95_000, 90_000, 91_000, 90_000, None), 1)]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("CAR 1 (VER) TIME 1:37.895 DELETED - TRACK LIMITS AT TURN 12 LAP 8 12:20:19",
         Deletion("1", "VER", 97_895, 8, "TRACK LIMITS AT TURN 12 LAP 8")),
        ("CAR 27 (HUL) TIME 12:06.908 DELETED - TRACK LIMITS AT TURN 6 LAP 8 15:55:29",
         Deletion("27", "HUL", 726_908, 8, "TRACK LIMITS AT TURN 6 LAP 8")),
        ("CAR 14 (ALO) TIME 1:58.103 DELETED - DOUBLE YELLOW AT TURN 3",
         Deletion("14", "ALO", 118_103, None, "DOUBLE YELLOW AT TURN 3")),
        ("CAR 81 (PIA) LAP DELETED - TRACK LIMITS AT TURN 12 LAP 17 16:59:12",
         Deletion("81", "PIA", None, 17, "TRACK LIMITS AT TURN 12 LAP 17")),
        ("CAR 12 (ANT) LAP DELETED - TRACK LIMITS AT TURN 14 (NEXT LAP PIT)",
         Deletion("12", "ANT", None, None, "TRACK LIMITS AT TURN 14 (NEXT LAP PIT)")),
        ("CAR 23 (ALB) TIME DELETED - TRACK LIMITS AT TURN 10",
         Deletion("23", "ALB", None, None, "TRACK LIMITS AT TURN 10")),
        ("CAR 101 (XYZ) LAP 7 DELETED", Deletion("101", "XYZ", None, 7, "")),
        ("CAR 4 (NOR) TIME 1:57.940 WILL BE REINSTATED", Deletion("4", "NOR", 117_940, None, None)),
        ("CAR 4 (NOR) LAP 3 WILL BE REINSTATED", Deletion("4", "NOR", None, 3, None)),
        ("CAR 4 (NOR) TRACK LIMITS AT TURN 4 LAP 3", None),
        ("WAVED BLUE FLAG FOR CAR 55 (SAI) TIMED AT 15:55:49", None),
    ],
)  # fmt: skip
def test_a_message_names_the_car_the_time_the_lap_and_the_reason(message: str, said: Deletion | None) -> None:
    assert parse_deletion(message) == said


@pytest.mark.parametrize(
    ("message", "at_ms", "shift", "lap"),
    [
        ("TIME 1:30.000 DELETED - TRACK LIMITS LAP 2 12:20:19", 460_000, 0, 2),
        ("TIME 1:30.000 DELETED - TRACK LIMITS LAP 4 12:20:19", 460_000, 0, 4),
        ("TIME 1:30.000 DELETED - TRACK LIMITS LAP 3 12:20:19", 460_000, 1, 2),
        ("TIME 1:30.000 DELETED - TRACK LIMITS", 460_000, 0, 4),
        ("TIME 1:30.000 DELETED - TRACK LIMITS", 300_000, 0, 2),
        ("TIME 1:30.000 DELETED - TRACK LIMITS", 359_500, 0, 4),
        ("TIME 1:30.000 DELETED - TRACK LIMITS LAP 9 12:20:19", 300_000, 0, 2),
        ("TIME 1:29.000 DELETED - TRACK LIMITS", 460_000, 0, None),
        ("TIME 1:29.000 DELETED - TRACK LIMITS LAP 2 12:20:19", 460_000, 0, None),
        ("TIME 12:06.908 DELETED - TRACK LIMITS LAP 5 12:20:19", 460_000, 0, 5),
        ("LAP DELETED - TRACK LIMITS LAP 3 12:20:19", 300_000, 0, 3),
        ("LAP DELETED - TRACK LIMITS (PIT)", 300_000, 0, 3),
        ("TIME DELETED - TRACK LIMITS", 300_000, 0, 3),
        ("LAP DELETED - TRACK LIMITS", 50_000, 0, 1),
    ],
    ids=[
        "driven twice: the lap named", "the other one", "in practice the feed counts the way out", "else the latest",
        "not later than the message", "whose clock has whole seconds", "the time counts more than the lap",
        "a time that nobody drove", "of a lap that has another", "or none", "no time: the lap named",
        "else the latest one", "likewise", "on the first lap",
    ],
)  # fmt: skip
def test_a_deletion_is_of_one_lap(message: str, at_ms: int, shift: int, lap: int | None) -> None:
    said = parse_deletion(f"CAR 4 (NOR) {message}")
    assert said is not None
    assert [number for _, number, _ in deletion_changes([(at_ms, said)], LAPS, shift)] == ([lap] if lap else [])


def test_a_lap_deleted_right_after_another_is_the_next_one() -> None:
    """Hungary 2025: a car that cuts the last corner loses the lap that ends there and the next one."""
    said = [
        (at_ms, parsed)
        for at_ms, text in (
            (280_000, "TIME 1:31.000 DELETED - TURN 14"),
            (290_000, "LAP DELETED - TURN 14 (NEXT LAP)"),
        )
        if (parsed := parse_deletion(f"CAR 4 (NOR) {text}"))
    ]
    assert deleted_laps(deletion_changes(said, LAPS[:3], 0)) == {3: "TURN 14", 4: "TURN 14 (NEXT LAP)"}


def test_a_reinstated_lap_counts_again_and_another_one_with_its_time_stays_deleted() -> None:
    said = [
        (at_ms, parsed)
        for at_ms, text in (
            (200_000, "TIME 1:30.000 DELETED - TURN 1 LAP 2"), (370_000, "TIME 1:30.000 DELETED - TURN 1 LAP 4"),
            (380_000, "TIME 1:30.000 WILL BE REINSTATED"),
        )
        if (parsed := parse_deletion(f"CAR 4 (NOR) {text}"))
    ]  # fmt: skip
    assert deleted_laps(deletion_changes(said, LAPS, 0)) == {2: "TURN 1 LAP 2"}
