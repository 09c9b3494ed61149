from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from f1stream import topics
from f1stream.kafka import BrokerError, producer_for
from f1stream.marts import publish
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from models import Round, RoundResult, Season, SessionResult
from tests.support.rig import Rig

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


async def test_what_a_broker_that_dies_has_not_taken_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "producer_for", partial(producer_for, request_timeout_ms=1_000))
    rig = Rig(tmp_path)

    class Dying(list[SessionResult | Season]):
        """After the first record there is no broker."""

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


async def test_a_season_that_no_topic_takes_is_named_and_all_others_are_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []

    class Producer:
        async def start(self) -> None:
            pass

        async def stop(self) -> None:
            pass

        async def send(self, _: str, __: bytes, key: bytes) -> Any:
            sent.append(key)
            return asyncio.sleep(0)

    async def create_topics(_: Settings) -> list[str]:
        return []

    monkeypatch.setattr(publish, "has_broker", lambda _: True)
    monkeypatch.setattr(publish, "create_topics", create_topics)
    monkeypatch.setattr(publish, "producer_for", lambda _: Producer())
    event = {"round": 1, "event_name": "x" * topics.MAX_VALUE_BYTES, "race_date": "2025-03-16", "status": "held"}
    large = Season(season=2025, built_ms=1, rounds=[Round(**event, drivers=[], constructors=[], results=[])])
    others = [Season(season=year, built_ms=1, rounds=[]) for year in (2024, 2026)]
    with pytest.raises(BrokerError, match=r"does not get season:2025 \(1,000,\d+ bytes\).*all others are published"):
        await publish.publish(Settings(_env_file=None, home=tmp_path), [others[0], large, others[1]])
    assert sent == [b"season:2024", b"season:2026"]
