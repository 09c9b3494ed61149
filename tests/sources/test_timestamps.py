"""Times and durations as Formula 1's data has them in text."""

from __future__ import annotations

import pytest

from f1stream.sources.timestamps import gmt_offset_ms

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "ahead_ms"),
    [
        ("11:00:00", 11 * HOUR_MS), ("-04:00:00", -4 * HOUR_MS), ("05:30:00", 5 * HOUR_MS + HOUR_MS // 2),
        ("2:00:00", 2 * HOUR_MS), ("-3:00:00", -3 * HOUR_MS),
        ("", None), ("2:00", None), ("02:60:00", None), (2, None), (None, None),
    ],
)  # fmt: skip
def test_the_offset_from_utc_is_read_with_one_or_two_digits_of_hours(text: object, ahead_ms: int | None) -> None:
    """Python's ``timedelta``, which FastF1 makes of it, writes hours below ten with one digit."""
    assert gmt_offset_ms(text) == ahead_ms
