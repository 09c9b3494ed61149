"""Publish what the page shows of the marts, once after each build, to the topic ``marts``.

The dbt models ``page_results`` and ``page_standings`` have the rows as the page shows them; here they are selected,
grouped into records and published. The page reads the topic and needs no warehouse: the topic is compacted, so a
reader that starts later finds the newest record of each key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any, TypeVar

from aiokafka.errors import KafkaError
from pydantic import ValidationError

from f1stream import topics
from f1stream.kafka import create_topics, has_broker, producer_for, unreachable
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from models import ResultRow, Round, RoundResult, RoundSession, Season, SessionResult, StandingRow

log = logging.getLogger("f1stream")

MOST_BYTES = topics.MAX_VALUE_BYTES - 10_000
"""Bytes of a record's value: with its key and Kafka's overhead it fits a message. A larger one is not published."""
Row = dict[str, Any]
PageRow = TypeVar("PageRow", ResultRow, RoundResult, StandingRow)
RESULTS = "select * from {marts}.PAGE_RESULTS order by position_order"
STANDINGS = "select * from {marts}.PAGE_STANDINGS order by position nulls last, points desc, name"
SESSIONS = {
    "first_practice": "Practice 1", "second_practice": "Practice 2", "third_practice": "Practice 3",
    "sprint_qualifying": "Sprint Qualifying", "sprint": "Sprint", "qualifying": "Qualifying", "race": "Race",
}  # fmt: skip
"""Names of the sessions of an event by the column of their start, without ``_starts_at``."""
EVENTS = """
select
    event_key, season, round, event_name, race_date, event_status,
    first_practice_starts_at, second_practice_starts_at, third_practice_starts_at, sprint_qualifying_starts_at,
    sprint_starts_at, qualifying_starts_at, race_starts_at
from {marts}.FACT_EVENTS
where round is not null order by season, round
"""


def read(warehouse: Warehouse, schema: str) -> list[SessionResult | Season]:
    """Every session's result and every season, from the marts in ``schema``. Raises snowflake.connector.Error."""
    built_ms = int(time.time() * 1000)
    results, standings, events = (
        warehouse.rows(query.format(marts=schema)) for query in (RESULTS, STANDINGS, EVENTS)
    )
    return [*_session_results(results, built_ms), *_seasons(events, results, standings, built_ms)]


def _session_results(results: list[Row], built_ms: int) -> Iterator[SessionResult]:
    for session_key, cars in sorted(_grouped(results, "session_key").items()):
        with _skip_invalid(f"The result of session {session_key}"):
            yield SessionResult(
                session_key=session_key, built_ms=built_ms, season=cars[0]["season"], round=cars[0]["round"],
                rows=_page_rows(ResultRow, cars, f"the result of session {session_key}"),
            )  # fmt: skip


def _seasons(events: list[Row], results: list[Row], standings: list[Row], built_ms: int) -> Iterator[Season]:
    results_of = _grouped(results, "event_key")
    drivers_of, constructors_of = (
        _grouped([row for row in standings if row["championship"] == championship], "event_key")
        for championship in ("drivers", "constructors")
    )
    rounds: dict[int, list[Round]] = defaultdict(list)
    for event in events:
        key, season, number = event["event_key"], event["season"], event["round"]
        with _skip_invalid(f"Round {number} of {season}"):
            rounds[season].append(
                Round(
                    round=number, event_name=event["event_name"], race_date=str(event["race_date"])[:10],
                    status=event["event_status"],
                    drivers=_page_rows(StandingRow, drivers_of[key], f"the standings after {key}"),
                    constructors=_page_rows(StandingRow, constructors_of[key], f"the standings after {key}"),
                    results=_page_rows(RoundResult, results_of[key], f"the result of {key}"),
                    sessions=_sessions(event),
                )
            )  # fmt: skip
    for season, found in rounds.items():
        with _skip_invalid(f"Season {season}"):
            yield Season(season=season, built_ms=built_ms, rounds=found)


def _sessions(event: Row) -> list[RoundSession]:
    """The sessions of an event whose times (UTC) are known, in their order."""
    starts = {name: event.get(f"{column}_starts_at") for column, name in SESSIONS.items()}
    found = [
        RoundSession(name=name, starts_ms=int(start.replace(tzinfo=UTC).timestamp() * 1000))
        for name, start in starts.items()
        if start is not None
    ]
    return sorted(found, key=lambda session: session.starts_ms)


def _grouped(rows: Iterable[Row], column: str) -> defaultdict[str, list[Row]]:
    """Rows by the value of a column, in their order; rows without a value are left out."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[column] is not None:
            groups[row[column]].append(row)
    return groups


def _page_rows(model: type[PageRow], rows: list[Row], what: str) -> list[PageRow]:
    """The columns that are fields of ``model``; a row that the model refuses is left out."""
    found: list[PageRow] = []
    for row in rows:
        with _skip_invalid(f"A row of {what}"):
            points = None if row["points"] is None else float(row["points"])
            found.append(model(**{name: row[name] for name in model.model_fields} | {"points": points}))
    return found


@contextmanager
def _skip_invalid(what: str) -> Iterator[None]:
    """Log a record that its model refuses, and go on: the others are published."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        log.warning("%s is not published: %s: %s. Look at the marts and build them again.", what[:300], where,
                    first["msg"])  # fmt: skip


def _value(record: SessionResult | Season) -> bytes | None:
    value = topics.encode(record)
    if len(value) <= MOST_BYTES:
        return value
    log.warning("%s is not published: it has %d bytes, more than %d.", topics.marts_key(record).decode(), len(value),
                MOST_BYTES)  # fmt: skip
    return None


async def publish(settings: Settings, records: list[SessionResult | Season]) -> bool:
    """Publish ``records``. Returns False where no broker is set, as where only season data are kept.

    Raises BrokerError when a broker is set and does not answer, or does not accept every record.
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
        await asyncio.gather(*sent)  # a record is delivered when its future succeeds, not when send returns
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    finally:
        await producer.stop()
    return True
