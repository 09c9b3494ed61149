"""Landing answers in the warehouse: one row per entity and round, as it is said now; what was said before is kept.

``RAW.JOLPICA_<RESOURCE>`` holds what the API says, ``RAW.JOLPICA_HISTORY`` what it said before, and
``OPS.JOLPICA_ANSWERS`` when each thing was asked for and what came. One answer is one transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from f1stream.jolpica.client import ApiAnswer, BadAnswer
from f1stream.jolpica.resources import RACES, Query, Row
from f1stream.warehouse.connection import Warehouse

LISTED_FLAWS = 50
"""Values of one answer that are named in the quarantine; of more the first."""


class AnswerStatus(StrEnum):
    """What became of a query."""

    COMPLETE = "complete"
    EMPTY = "empty"
    """Nothing came where something is due: to be asked for again."""
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """How an ask ended, the last time."""

    outcome: AnswerStatus
    answered_at: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What one answer changed, in rows."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    same: int = 0

    def __add__(self, other: RowChanges) -> RowChanges:
        return RowChanges(
            self.new + other.new, self.changed + other.changed, self.gone + other.gone, self.same + other.same
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer beside what was landed before, by entity."""

    new: list[str]
    changed: list[str]
    gone: list[str]


def difference(before: dict[str, str], now: dict[str, str]) -> Difference:
    """Of content hashes by entity; ``before`` without what was gone already."""
    return Difference(
        [entity for entity in now if entity not in before],
        [entity for entity, content in now.items() if before.get(entity, content) != content],
        [entity for entity in before if entity not in now],
    )


def content_hash(row: Row) -> str:
    """The same for the same content, in whatever order its fields come."""
    canonical = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def by_entity(query: Query, rows: list[Row]) -> dict[str, Row]:
    """Rows by what they are about. Who shared two cars in one race, as in the 1950s, is there twice: ``fangio#2``."""
    seen: Counter[str] = Counter()
    entities = {}
    for row in rows:
        entity = query.resource.identity(row)
        seen[entity] += 1
        entities[entity if seen[entity] == 1 else f"{entity}#{seen[entity]}"] = row
    return entities


class Landing:
    """The tables of Jolpica's answers. Not for several threads at once."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def answers(self) -> dict[Query, LastAnswer]:
        """The last answer to everything ever asked for."""
        return {
            Query(row["season"], row["round"], row["resource"]): LastAnswer(
                AnswerStatus(row["outcome"]), row["answered_at"].replace(tzinfo=UTC)
            )
            for row in self._warehouse.rows(
                "select resource, season, round, outcome, answered_at from OPS.JOLPICA_ANSWERS"
            )
        }

    def races(self, season: int) -> list[tuple[Row, datetime]]:
        """The calendar as landed: races, and since when (UTC) each is as it is."""
        rows = self._warehouse.rows(
            f"select payload, first_seen from {RACES.table} where season = ? and gone_at is null",  # noqa: S608
            [season],
        )
        return [(json.loads(row["payload"]), row["first_seen"].replace(tzinfo=UTC)) for row in rows]

    def land(self, query: Query, rows: list[Row], now: datetime, *, complete: bool = True) -> RowChanges:
        """One answer that is not empty, all of it or nothing. Raises snowflake.connector.Error.

        Of one that is not ``complete`` rows are left out: what is not in it is not gone, and it is asked for again.
        """
        entities = by_entity(query, rows)
        hashes = {entity: content_hash(row) for entity, row in entities.items()}
        table = query.resource.table
        here = "season = ? and round is not distinct from ?"
        place = [query.season, query.round]
        at = _text(now)
        with self._warehouse.transaction() as execute:
            before = dict(
                execute(
                    f"select entity, content_hash from {table} where {here} and gone_at is null",  # noqa: S608 - ours
                    place,
                ).fetchall()
            )
            found = difference(before, hashes)
            if not complete:
                found = replace(found, gone=[])
            over = json.dumps(found.changed + found.gone)
            if found.changed or found.gone:
                execute(
                    "insert into RAW.JOLPICA_HISTORY"  # noqa: S608 - ours
                    " (resource, season, round, entity, payload, content_hash, first_seen, last_seen)"
                    f" select ?, season, round, entity, payload, content_hash, first_seen, last_seen from {table}"
                    f" where {here} and gone_at is null"
                    " and entity in (select cast(value as varchar) from table(flatten(input => parse_json(?))))",
                    [query.name, *place, over],
                )
                execute(
                    f"update {table} set gone_at = cast(? as timestamp_ntz) where {here} and gone_at is null"  # noqa: S608
                    " and entity in (select cast(value as varchar) from table(flatten(input => parse_json(?))))",
                    [at, *place, json.dumps(found.gone)],
                )
            if found.new or found.changed:
                execute(
                    f"delete from {table} where {here}"  # noqa: S608
                    " and entity in (select cast(value as varchar) from table(flatten(input => parse_json(?))))",
                    [*place, json.dumps(found.new + found.changed)],
                )
                told = [
                    {"entity": entity, "payload": entities[entity], "content_hash": hashes[entity]}
                    for entity in found.new + found.changed
                ]
                execute(
                    f"insert into {table}"  # noqa: S608
                    " (season, round, entity, payload, content_hash, first_seen, last_seen)"
                    " select cast(? as int), cast(? as int), cast(value:entity as varchar), value:payload,"
                    " cast(value:content_hash as varchar), cast(? as timestamp_ntz), cast(? as timestamp_ntz)"
                    " from table(flatten(input => parse_json(?)))",
                    [*place, at, at, json.dumps(told)],
                )
            execute(
                f"update {table} set last_seen = cast(? as timestamp_ntz) where {here} and gone_at is null",  # noqa: S608
                [at, *place],
            )
            self._answered(
                execute, query, AnswerStatus.COMPLETE if complete else AnswerStatus.QUARANTINED, len(rows), now
            )
            execute("commit")
        same = len(entities) - len(found.new) - len(found.changed)
        return RowChanges(len(found.new), len(found.changed), len(found.gone), same)

    def nothing_came(self, query: Query, now: datetime, *, taken_for_true: bool) -> None:
        """An empty answer. What was landed before stays."""
        with self._warehouse.transaction() as execute:
            self._answered(execute, query, AnswerStatus.COMPLETE if taken_for_true else AnswerStatus.EMPTY, 0, now)
            execute("commit")

    def quarantine(self, query: Query, bad: BadAnswer, now: datetime) -> None:
        """An answer that cannot be landed, kept to be looked at. What was landed before stays."""
        with self._warehouse.transaction() as execute:
            self._quarantined(execute, query, bad, now)
            self._answered(execute, query, AnswerStatus.QUARANTINED, 0, now)
            execute("commit")

    def list_flaws(self, query: Query, answered: ApiAnswer, now: datetime) -> None:
        """The values of an answer that could not be used, kept to be looked at; the answer is landed without them."""
        reason = f"{len(answered.flaws)} values: {'; '.join(map(str, answered.flaws[:LISTED_FLAWS]))}"
        with self._warehouse.transaction() as execute:
            self._quarantined(execute, query, BadAnswer(answered.url, reason, answered.body), now)
            execute("commit")

    def _quarantined(self, execute: Any, query: Query, bad: BadAnswer, now: datetime) -> None:
        execute(
            "insert into RAW.JOLPICA_QUARANTINE (resource, season, round, url, reason, body, seen_at)"
            " select ?, cast(? as int), cast(? as int), ?, ?, ?, cast(? as timestamp_ntz)",
            [query.name, query.season, query.round, bad.url, bad.reason, bad.body, _text(now)],
        )

    def _answered(self, execute: Any, query: Query, outcome: AnswerStatus, rows: int, now: datetime) -> None:
        place = [query.name, query.season, query.round]
        execute(
            "delete from OPS.JOLPICA_ANSWERS where resource = ? and season = ? and round is not distinct from ?",
            place,
        )
        execute(
            "insert into OPS.JOLPICA_ANSWERS (resource, season, round, outcome, row_count, answered_at)"
            " select ?, cast(? as int), cast(? as int), ?, cast(? as int), cast(? as timestamp_ntz)",
            [*place, str(outcome), rows, _text(now)],
        )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")
