"""Telling readers what the marts say: read once after a build, published to topic ``marts``.

The page reads the topic and needs no warehouse; a reader that comes later finds the newest of each key there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka.errors import KafkaError
from pydantic import ValidationError

from f1stream import topics
from f1stream.kafka import create_topics, has_broker, producer_for, unreachable
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from models import ResultRow, Round, RoundResult, Season, SessionResult, StandingRow

log = logging.getLogger("f1stream")

MOST_BYTES = topics.MAX_VALUE_BYTES - 10_000
"""Of a record: with its key and what Kafka adds, readers still take it."""
Row = dict[str, Any]
RESULTS = """
select
    r.session_key, e.season, e.round, r.position, r.position_text, r.driver_number, r.team_name as car_team,
    coalesce(r.driver_code, d.driver_code) as driver_code, coalesce(d.full_name, r.full_name) as driver_name,
    c.constructor_name as team_name, r.laps_completed as laps, r.race_time_ms as time_ms, r.points,
    r.grid_position, r.fastest_lap_ms, r.status, r.result_source as source,
    max(r.laps_completed) over (partition by r.session_key) as winner_laps
from {marts}.FACT_RACE_RESULTS r
left join {marts}.FACT_EVENTS e on e.event_key = r.event_key
left join {marts}.DIM_DRIVER d on d.driver_key = r.driver_key
left join {marts}.DIM_CONSTRUCTOR c on c.constructor_key = r.constructor_key
where r.session_key is not null
order by r.session_key, r.position_order
"""
EVENTS = """
select event_key, season, round, event_name, race_date, event_status from {marts}.FACT_EVENTS
where round is not null order by season, round
"""
ROUND_RESULTS = """
select
    r.event_key, r.position, r.position_text, coalesce(r.driver_code, d.driver_code) as driver_code,
    coalesce(d.full_name, r.full_name) as driver_name, coalesce(c.constructor_name, r.team_name) as team_name,
    r.points, r.status
from {marts}.FACT_RACE_RESULTS r
left join {marts}.DIM_DRIVER d on d.driver_key = r.driver_key
left join {marts}.DIM_CONSTRUCTOR c on c.constructor_key = r.constructor_key
where r.event_key is not null
order by r.event_key, r.position_order
"""
DRIVERS = """
select s.event_key, s.position, d.full_name as name, d.driver_code as code, c.constructor_name as team_name,
    s.points, s.wins
from {marts}.FACT_DRIVER_STANDINGS s
inner join {marts}.DIM_DRIVER d on d.driver_key = s.driver_key
left join {marts}.DIM_CONSTRUCTOR c on c.constructor_key = s.constructor_key
order by s.position nulls last, s.points desc, d.full_name
"""
CONSTRUCTORS = """
select s.event_key, s.position, c.constructor_name as name, null as code, null as team_name, s.points, s.wins
from {marts}.FACT_CONSTRUCTOR_STANDINGS s
inner join {marts}.DIM_CONSTRUCTOR c on c.constructor_key = s.constructor_key
order by s.position nulls last, s.points desc, c.constructor_name
"""


def read(warehouse: Warehouse, schema: str) -> list[SessionResult | Season]:
    """Every session's result and every season, from the marts in ``schema``. Raises snowflake.connector.Error."""
    built_ms = int(time.time() * 1000)

    def rows(query: str) -> list[dict[str, Any]]:
        return warehouse.rows(query.format(marts=schema))

    return [*_results(rows(RESULTS), built_ms), *_seasons(rows, built_ms)]


def _results(rows: list[Row], built_ms: int) -> list[SessionResult]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["session_key"]].append(row)
    results: list[SessionResult] = []
    for session_key, cars in found.items():
        with _left_out(f"The result of session {session_key}"):
            results.append(
                SessionResult(
                    session_key=session_key, built_ms=built_ms, season=cars[0]["season"], round=cars[0]["round"],
                    rows=_session_rows(session_key, cars),
                )
            )  # fmt: skip
    return results


def _session_rows(session_key: str, cars: list[Row]) -> list[ResultRow]:
    rows: list[ResultRow] = []
    for car in cars:
        with _left_out(f"A row of the result of session {session_key}"):
            rows.append(_result(car))
    return rows


@contextmanager
def _left_out(what: str) -> Iterator[None]:
    """What no record has room for is left out with a line in the log; the rest is published."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        log.warning("%s is not published: %s: %s. Look at the marts and build them again.", what[:300], where,
                    first["msg"])  # fmt: skip


def _result(row: Row) -> ResultRow:
    on_the_lead_lap = row["laps"] == row["winner_laps"] and row["position"] is not None
    told = {name: row[name] for name in ResultRow.model_fields}
    return ResultRow(
        **told
        | {"points": _number(row["points"]), "time_ms": row["time_ms"] if on_the_lead_lap else None,
           "team_name": row["team_name"] or row["car_team"]}
    )  # fmt: skip


def _seasons(rows: Callable[[str], list[Row]], built_ms: int) -> list[Season]:
    drivers, constructors = _standings(rows(DRIVERS)), _standings(rows(CONSTRUCTORS))
    results = _round_results(rows(ROUND_RESULTS))
    rounds: dict[int, list[Round]] = defaultdict(list)
    for event in rows(EVENTS):
        with _left_out(f"Round {event['round']} of {event['season']}"):
            rounds[event["season"]].append(
                Round(
                    round=event["round"], event_name=event["event_name"], race_date=str(event["race_date"])[:10],
                    status=event["event_status"], drivers=drivers[event["event_key"]],
                    constructors=constructors[event["event_key"]], results=results[event["event_key"]],
                )
            )  # fmt: skip
    seasons: list[Season] = []
    for season, told in rounds.items():
        with _left_out(f"Season {season}"):
            seasons.append(Season(season=season, built_ms=built_ms, rounds=told))
    return seasons


def _standings(rows: list[Row]) -> dict[str, list[StandingRow]]:
    found: dict[str, list[StandingRow]] = defaultdict(list)
    for row in rows:
        told = {name: row[name] for name in StandingRow.model_fields}
        with _left_out(f"A row of the standings after {row['event_key']}"):
            found[row["event_key"]].append(StandingRow(**told | {"points": _number(row["points"])}))
    return found


def _round_results(rows: list[Row]) -> dict[str, list[RoundResult]]:
    found: dict[str, list[RoundResult]] = defaultdict(list)
    for row in rows:
        told = {name: row[name] for name in RoundResult.model_fields}
        with _left_out(f"A row of the result of {row['event_key']}"):
            found[row["event_key"]].append(RoundResult(**told | {"points": _number(row["points"])}))
    return found


def _number(value: Any) -> float | None:
    """The API's points; None where it has none that can be read: such a row is left out."""
    return None if value is None else float(value)


def _value(record: SessionResult | Season) -> bytes | None:
    value = topics.encode(record)
    if len(value) <= MOST_BYTES:
        return value
    log.warning("%s is not published: it has %d bytes, more than %d.", topics.marts_key(record).decode(), len(value),
                MOST_BYTES)  # fmt: skip
    return None


async def publish(settings: Settings, records: list[SessionResult | Season]) -> bool:
    """Publish ``records``; False without a broker to tell, as where only the season's facts are kept.

    Raises BrokerError when a broker is set and does not answer, or does not take them all.
    """
    if not has_broker(settings):
        return False
    await create_topics(settings)
    producer = producer_for(settings)
    try:
        await producer.start()
        sent = [
            await producer.send(topics.MARTS, value, key=topics.marts_key(record))
            for record in records
            if (value := _value(record)) is not None
        ]
        await asyncio.gather(*sent)  # only these say whether it was delivered
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    finally:
        await producer.stop()
    return True
