"""When jobs are due."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pytest

from f1stream.jobs.times import (
    FAR_FUTURE,
    LIVE_BEFORE,
    AtSessions,
    OnRaceDays,
    next_at,
    next_calendar_check,
    pause,
    session_on,
)
from f1stream.jolpica import PUBLISHED_AFTER


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


FRIDAY, SUNDAY = at("2024-03-01 11:30"), at("2024-03-03 15:00")


@pytest.mark.parametrize(
    ("attempt", "failed", "waits"),
    [
        (1, True, timedelta(minutes=1)), (2, True, timedelta(minutes=2)), (7, True, timedelta(hours=1)),
        (1, False, timedelta(minutes=30)), (2, False, timedelta(hours=1)), (99, False, timedelta(hours=6)),
    ],
)  # fmt: skip
def test_pauses_double_up_to_a_longest(attempt: int, failed: bool, waits: timedelta) -> None:
    assert pause(attempt, failed=failed) == waits


def test_results_are_due_four_hours_after_each_session_starts() -> None:
    assert next_at([SUNDAY, FRIDAY], PUBLISHED_AFTER, since=at("2024-02-20 00:00")) == at("2024-03-01 15:30")
    assert next_at([SUNDAY, FRIDAY], PUBLISHED_AFTER, since=at("2024-03-01 15:30")) == at("2024-03-03 19:00")
    assert next_at([SUNDAY, FRIDAY], PUBLISHED_AFTER, since=at("2024-03-03 19:00")) is None


def test_a_session_that_was_moved_forward_is_not_skipped() -> None:
    """At 10:00 it becomes known that Friday's session was at 03:00: what was due at 07:00 is due at once."""
    trigger = AtSessions([at("2024-03-01 03:00")], since=at("2024-02-29 12:00"))
    assert trigger.get_next_fire_time(None, at("2024-03-01 10:00")) == at("2024-03-01 07:00")


def test_a_stored_trigger_knows_what_was_handled() -> None:
    trigger = AtSessions([FRIDAY, SUNDAY], since=at("2024-02-20 00:00"))
    first = trigger.get_next_fire_time(None, at("2024-02-20 00:00"))
    again = pickle.loads(pickle.dumps(trigger))
    assert again.get_next_fire_time(first, first) == at("2024-03-03 19:00")
    assert again.since == first
    last = again.get_next_fire_time(at("2024-03-03 19:00"), at("2024-03-03 19:00"))
    assert last == at("2024-03-03 19:00") + FAR_FUTURE, "it stays on file when nothing is due"


def test_the_calendar_is_checked_every_hour_of_race_days_and_at_midnight_before_them() -> None:
    starts = [FRIDAY, SUNDAY]
    assert next_calendar_check(starts, at("2024-02-27 10:20")) == at("2024-03-01 00:00")
    assert next_calendar_check(starts, at("2024-03-01 00:00")) == at("2024-03-01 01:00")
    assert next_calendar_check(starts, at("2024-03-01 22:59")) == at("2024-03-01 23:00")
    assert next_calendar_check(starts, at("2024-03-01 23:10")) == at("2024-03-03 00:00")
    assert next_calendar_check(starts, at("2024-03-03 23:00")) == at("2024-03-04 00:00")
    assert next_calendar_check([], at("2024-12-20 05:00")) == at("2024-12-21 00:00")
    assert OnRaceDays(starts).get_next_fire_time(FRIDAY, SUNDAY) == at("2024-03-01 12:00")


def test_the_live_client_is_due_a_quarter_of_an_hour_before_each_session() -> None:
    trigger = AtSessions([SUNDAY, FRIDAY], since=at("2024-02-20 00:00"), offset=-LIVE_BEFORE)
    first = trigger.get_next_fire_time(None, at("2024-02-20 00:00"))
    assert first == at("2024-03-01 11:15")
    assert trigger.get_next_fire_time(first, first) == at("2024-03-03 14:45")


def test_a_session_is_on_from_before_its_start_until_long_after_it_and_the_later_one_counts() -> None:
    later = FRIDAY + timedelta(hours=3, minutes=30)
    found = [session_on([FRIDAY, later], at(f"2024-03-01 {when}")) for when in ("11:14", "11:15", "14:44", "14:45")]
    assert found == [None, FRIDAY, FRIDAY, later]
    assert session_on([FRIDAY], at("2024-03-01 15:29")) == FRIDAY
    assert session_on([FRIDAY], at("2024-03-01 15:30")) is None
