from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from f1stream.kafka import BrokerError, producer_for
from f1stream.marts import publish
from f1stream.warehouse.connection import Warehouse
from models import RoundResult, Season, SessionResult
from tests.support.rig import Rig

EVENT = {"event_key": "e1", "season": 2025, "round": 1, "event_name": "Australian Grand Prix",
         "race_date": "2025-03-16", "event_status": "held"}  # fmt: skip
NEXT = EVENT | {"event_key": "e2", "round": 2, "event_name": "Chinese Grand Prix", "event_status": "scheduled"}
NORRIS = {
    "session_key": None, "event_key": "e1", "season": 2025, "round": 1, "position": 1, "position_text": "1",
    "driver_number": "4", "driver_code": "NOR", "driver_name": "Lando Norris", "team_name": "McLaren", "laps": 57,
    "time_ms": 6_126_304, "points": Decimal(25), "grid_position": 1, "fastest_lap_ms": 82_167, "status": "Finished",
    "source": "jolpica",
}  # fmt: skip
HADJAR = NORRIS | {"position": None, "position_text": "R", "driver_code": "HAD", "driver_name": "Isack Hadjar",
                   "team_name": "RB F1 Team", "time_ms": None, "points": Decimal(0), "status": "Retired"}  # fmt: skip


class Tables:
    """A warehouse with fixed rows for each query."""

    def rows(self, query: str) -> list[dict[str, Any]]:
        return {
            publish.EVENTS.format(marts="MARTS"): [EVENT, NEXT],
            publish.RESULTS.format(marts="MARTS"): [NORRIS, HADJAR],
        }.get(query, [])


def test_a_season_has_the_results_of_its_held_rounds() -> None:
    (season,) = publish.read(cast(Warehouse, Tables()), "MARTS")
    assert season.kind == "season"
    held, scheduled = season.rounds
    assert [(row.position_text, row.driver_code, row.points) for row in held.results] == [
        ("1", "NOR", 25.0), ("R", "HAD", 0.0),
    ]  # fmt: skip
    assert isinstance(held.results[0], RoundResult)
    assert (held.results[1].position, held.results[1].status) == (None, "Retired")
    assert scheduled.results == []


def test_a_round_has_its_sessions_in_order_as_far_as_their_times_are_known() -> None:
    sprint = {
        "first_practice_starts_at": datetime(2025, 3, 21, 3, 30), "second_practice_starts_at": None,
        "qualifying_starts_at": datetime(2025, 3, 22, 7, 0), "race_starts_at": datetime(2025, 3, 23, 7, 0),
        "sprint_qualifying_starts_at": datetime(2025, 3, 21, 7, 30), "sprint_starts_at": datetime(2025, 3, 22, 3, 0),
    }  # fmt: skip

    class Sprint(Tables):
        def rows(self, query: str) -> list[dict[str, Any]]:
            return [row | sprint if row is NEXT else row for row in super().rows(query)]

    (season,) = publish.read(cast(Warehouse, Sprint()), "MARTS")
    assert season.kind == "season"
    unknown, known = season.rounds
    assert unknown.sessions == []
    assert [each.name for each in known.sessions] == [
        "Practice 1", "Sprint Qualifying", "Sprint", "Qualifying", "Race",
    ]  # fmt: skip
    assert known.sessions[-1].starts_ms == 1_742_713_200_000


def test_a_streamed_race_is_the_result_of_its_session_and_its_round() -> None:
    class Streamed(Tables):
        def rows(self, query: str) -> list[dict[str, Any]]:
            return [row | {"session_key": "9693"} if "session_key" in row else row for row in super().rows(query)]

    result, season = publish.read(cast(Warehouse, Streamed()), "MARTS")
    assert isinstance(result, SessionResult)
    assert (result.session_key, result.season, result.round) == ("9693", 2025, 1)
    assert [(row.driver_code, row.time_ms, row.points) for row in result.rows] == [
        ("NOR", 6_126_304, 25.0), ("HAD", None, 0.0),
    ]  # fmt: skip
    assert isinstance(season, Season)
    assert [row.driver_code for row in season.rounds[0].results] == ["NOR", "HAD"]


def test_rows_that_no_record_accepts_are_left_out_and_the_rest_is_published(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(Tables):
        def rows(self, query: str) -> list[dict[str, Any]]:
            if query == publish.EVENTS.format(marts="MARTS"):
                return [EVENT, NEXT | {"round": 2**64}, NEXT | {"season": 10**30}]
            if query == publish.RESULTS.format(marts="MARTS"):
                return [NORRIS, HADJAR | {"points": Decimal("NaN")}]
            return super().rows(query)

    (season,) = publish.read(cast(Warehouse, Odd()), "MARTS")
    assert isinstance(season, Season)
    assert [(found.round, len(found.results)) for found in season.rounds] == [(1, 1)]
    said = " ".join(record.getMessage() for record in caplog.records)
    for what in ("Round 18446744073709551616 of 2025", f"Season {10**30}", "result of e1"):
        assert what in said
    monkeypatch.setattr(publish, "MOST_BYTES", 100)
    assert publish._value(season) is None
    assert "season:2025 is not published" in caplog.text


async def test_records_that_a_dying_broker_has_not_accepted_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "producer_for", partial(producer_for, request_timeout_ms=1_000))
    rig = Rig(tmp_path)

    class Dying(list[SessionResult | Season]):
        """The broker is killed after the first record."""

        def __iter__(self) -> Iterator[SessionResult | Season]:
            yield Season(season=2024, built_ms=1, rounds=[])
            rig.processes[0].kill()
            rig.processes[0].wait()
            yield Season(season=2025, built_ms=1, rounds=[])

    try:
        await rig.start()
        with pytest.raises(BrokerError):
            await publish.publish(rig.settings, Dying())
    finally:
        rig.stop()
