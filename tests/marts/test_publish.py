from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from f1stream.marts import publish
from f1stream.warehouse.connection import Warehouse
from models import RoundResult

EVENT = {"event_key": "e1", "season": 2025, "round": 1, "event_name": "Australian Grand Prix",
         "race_date": "2025-03-16", "event_status": "held"}  # fmt: skip
NEXT = EVENT | {"event_key": "e2", "round": 2, "event_name": "Chinese Grand Prix", "event_status": "scheduled"}
NORRIS = {"event_key": "e1", "position": 1, "position_text": "1", "driver_code": "NOR", "driver_name": "Lando Norris",
          "team_name": "McLaren", "points": Decimal(25), "status": "Finished"}  # fmt: skip
HADJAR = NORRIS | {"position": None, "position_text": "R", "driver_code": "HAD", "driver_name": "Isack Hadjar",
                   "team_name": "RB F1 Team", "points": Decimal(0), "status": "Retired"}  # fmt: skip


class Tables:
    """What the marts answer, by query."""

    def rows(self, query: str) -> list[dict[str, Any]]:
        return {
            publish.EVENTS.format(marts="MARTS"): [EVENT, NEXT],
            publish.ROUND_RESULTS.format(marts="MARTS"): [NORRIS, HADJAR],
        }.get(query, [])


def test_a_season_has_the_results_of_the_rounds_that_have_been_held() -> None:
    (season,) = publish.read(cast(Warehouse, Tables()), "MARTS")
    assert season.kind == "season"
    held, scheduled = season.rounds
    assert [(row.position_text, row.driver_code, row.points) for row in held.results] == [
        ("1", "NOR", 25.0), ("R", "HAD", 0.0),
    ]  # fmt: skip
    assert isinstance(held.results[0], RoundResult)
    assert (held.results[1].position, held.results[1].status) == (None, "Retired")
    assert scheduled.results == []
