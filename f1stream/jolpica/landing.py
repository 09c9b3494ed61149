"""Stores answers in the warehouse, one row per entity and round.

``RAW.JOLPICA_<RESOURCE>`` holds the present content, ``RAW.JOLPICA_HISTORY`` all earlier contents, and
``OPS.JOLPICA_ANSWERS`` the last answer to each query. An answer that changes rows is one transaction; others cost no
statement, and their times are written together at the end of a run.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from f1stream.jolpica.client import ApiAnswer, BadAnswer
from f1stream.jolpica.resources import RACES, Query, Row
from f1stream.warehouse.connection import Warehouse

LISTED_FLAWS = 50
"""Invalid values of one answer that the quarantine lists; further ones are only counted."""


class AnswerStatus(StrEnum):
    """How a query ended; the value is stored in ``OPS.JOLPICA_ANSWERS.OUTCOME``."""

    COMPLETE = "complete"
    EMPTY = "empty"
    """No rows where some are due: the query is repeated."""
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """The last answer to a query."""

    outcome: AnswerStatus
    answered_at: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """The number of rows that one answer changed."""

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
    """The entities in which an answer differs from the stored rows."""

    new: list[str]
    changed: list[str]
    gone: list[str]


def difference(before: dict[str, str], now: dict[str, str]) -> Difference:
    """Compare content hashes by entity; ``before`` is without the entities that are already gone."""
    return Difference(
        [entity for entity in now if entity not in before],
        [entity for entity, content in now.items() if before.get(entity, content) != content],
        [entity for entity in before if entity not in now],
    )


def content_hash(row: Row) -> str:
    """A hash of the content that does not depend on the order of the fields."""
    canonical = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def by_entity(query: Query, rows: list[Row]) -> dict[str, Row]:
    """Rows by entity. A driver who shared two cars in one race, as in the 1950s, has two: ``fangio#2``."""
    seen: Counter[str] = Counter()
    entities = {}
    for row in rows:
        entity = query.resource.identity(row)
        seen[entity] += 1
        entities[entity if seen[entity] == 1 else f"{entity}#{seen[entity]}"] = row
    return entities


@dataclass(frozen=True, slots=True)
class Recorded:
    """What ``OPS.JOLPICA_ANSWERS`` has of an answer."""

    outcome: AnswerStatus
    rows: int
    at: str
    """UTC."""


@dataclass(slots=True)
class StoredHashes:
    """Content hashes of the rows of a resource and season that are not gone, by round and entity."""

    season: int
    rounds: defaultdict[int | None, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))


class Landing:
    """The tables of Jolpica's answers. Not thread-safe.

    It reads stored rows once: while a run holds the lock (``f1stream/lock.py``) nobody else on this host writes them.
    What a run on another host writes is compared in the next run.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._stored: dict[str, StoredHashes] = {}
        """By name of the resource, of one season only: the laps of one are about 25,000 rows."""
        self._unchanged: dict[Query, Recorded] = {}
        """Answers that changed no row and are not recorded yet."""

    def answers(self) -> dict[Query, LastAnswer]:
        """The last answer to every query ever made."""
        return {
            Query(row["season"], row["round"], row["resource"]): LastAnswer(
                AnswerStatus(row["outcome"]), row["answered_at"].replace(tzinfo=UTC)
            )
            for row in self._warehouse.rows(
                "select resource, season, round, outcome, answered_at from OPS.JOLPICA_ANSWERS"
            )
        }

    def races(self, season: int) -> list[tuple[Row, datetime]]:
        """The stored calendar: races, and the UTC time since which each has this content."""
        rows = self._warehouse.rows(
            f"select payload, first_seen from {RACES.table} where season = ? and gone_at is null",  # noqa: S608
            [season],
        )
        return [(json.loads(row["payload"]), row["first_seen"].replace(tzinfo=UTC)) for row in rows]

    def land(self, query: Query, rows: list[Row], now: datetime, *, complete: bool = True) -> RowChanges:
        """Store an answer with rows, in one transaction. Raises snowflake.connector.Error.

        With ``complete=False`` invalid rows are missing: entities that it lacks are not marked gone, and the query is
        repeated. An answer that changes no row is recorded by ``record_unchanged``.
        """
        entities = by_entity(query, rows)
        hashes = {entity: content_hash(row) for entity, row in entities.items()}
        table = query.resource.table
        here = "season = ? and round is not distinct from ?"
        place = [query.season, query.round]
        at = _text(now)
        stored = self._hashes(query)
        before = stored.rounds[query.round]
        found = difference(before, hashes)
        if not complete:
            found = replace(found, gone=[])
        recorded = Recorded(AnswerStatus.COMPLETE if complete else AnswerStatus.QUARANTINED, len(rows), at)
        same = len(entities) - len(found.new) - len(found.changed)
        if not (found.new or found.changed or found.gone):
            self._unchanged[query] = recorded
            return RowChanges(same=same)
        self._unchanged.pop(query, None)
        del self._stored[query.name]  # read again if the transaction fails: its end may be unknown
        with self._warehouse.transaction() as execute:
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
                rows_to_insert = [
                    {"entity": entity, "payload": entities[entity], "content_hash": hashes[entity]}
                    for entity in found.new + found.changed
                ]
                execute(
                    f"insert into {table}"  # noqa: S608
                    " (season, round, entity, payload, content_hash, first_seen, last_seen)"
                    " select cast(? as int), cast(? as int), cast(value:entity as varchar), value:payload,"
                    " cast(value:content_hash as varchar), cast(? as timestamp_ntz), cast(? as timestamp_ntz)"
                    " from table(flatten(input => parse_json(?)))",
                    [*place, at, at, json.dumps(rows_to_insert)],
                )
            execute(
                f"update {table} set last_seen = cast(? as timestamp_ntz) where {here} and gone_at is null",  # noqa: S608
                [at, *place],
            )
            self._record(execute, {query: recorded})
            execute("commit")
        for entity in found.gone:
            del before[entity]
        before.update(hashes)
        self._stored[query.name] = stored
        return RowChanges(len(found.new), len(found.changed), len(found.gone), same)

    def _hashes(self, query: Query) -> StoredHashes:
        """Those of the query's resource and season, of all rounds; one statement when another season is in memory."""
        stored = self._stored.pop(query.name, None)
        if stored is None or stored.season != query.season:
            stored = StoredHashes(query.season)
            for round_, entity, content in self._warehouse.execute(
                f"select round, entity, content_hash from {query.resource.table}"  # noqa: S608 - ours
                " where season = ? and gone_at is null",
                [query.season],
            ):
                stored.rounds[round_][entity] = content
        self._stored[query.name] = stored
        return stored

    def record_empty(self, query: Query, now: datetime, *, final: bool) -> None:
        """Note an answer without rows; a ``final`` one is not repeated. Stored rows stay."""
        self._unchanged[query] = Recorded(AnswerStatus.COMPLETE if final else AnswerStatus.EMPTY, 0, _text(now))

    def record_unchanged(self) -> None:
        """Record all answers that changed no row, and that their rows were seen, in one transaction.

        Whoever dies before it repeats their queries. Raises snowflake.connector.Error.
        """
        if not self._unchanged:
            return
        with self._warehouse.transaction() as execute:
            for table in sorted({query.resource.table for query, answer in self._unchanged.items() if answer.rows}):
                seen = [
                    _place(query) | {"at": answer.at}
                    for query, answer in self._unchanged.items()
                    if answer.rows and query.resource.table == table
                ]
                execute(
                    f"update {table} t set last_seen = s.seen_at from ("  # noqa: S608 - ours
                    " select cast(f.value:season as int) as season, cast(f.value:round as int) as round,"
                    " cast(cast(f.value:at as varchar) as timestamp_ntz) as seen_at"
                    " from table(flatten(input => parse_json(?))) f) s"
                    " where t.season = s.season and t.round is not distinct from s.round and t.gone_at is null",
                    [json.dumps(seen)],
                )
            self._record(execute, self._unchanged)
            execute("commit")
        self._unchanged.clear()

    def quarantine(self, query: Query, bad: BadAnswer, now: datetime) -> None:
        """Store an answer of unexpected shape for inspection. Stored rows stay."""
        with self._warehouse.transaction() as execute:
            self._insert_quarantine(execute, query, bad, now)
            self._record(execute, {query: Recorded(AnswerStatus.QUARANTINED, 0, _text(now))})
            execute("commit")

    def quarantine_flaws(self, query: Query, answer: ApiAnswer, now: datetime) -> None:
        """Store the list of an answer's invalid values for inspection; ``land`` stores the answer without them."""
        reason = f"{len(answer.flaws)} values: {'; '.join(map(str, answer.flaws[:LISTED_FLAWS]))}"
        with self._warehouse.transaction() as execute:
            self._insert_quarantine(execute, query, BadAnswer(answer.url, reason, answer.body), now)
            execute("commit")

    def _insert_quarantine(self, execute: Any, query: Query, bad: BadAnswer, now: datetime) -> None:
        execute(
            "insert into RAW.JOLPICA_QUARANTINE (resource, season, round, url, reason, body, seen_at)"
            " select ?, cast(? as int), cast(? as int), ?, ?, ?, cast(? as timestamp_ntz)",
            [query.name, query.season, query.round, bad.url, bad.reason, bad.body, _text(now)],
        )

    def _record(self, execute: Any, answers: dict[Query, Recorded]) -> None:
        execute(
            "merge into OPS.JOLPICA_ANSWERS t using ("
            " select cast(f.value:resource as varchar) as resource, cast(f.value:season as int) as season,"
            " cast(f.value:round as int) as round, cast(f.value:outcome as varchar) as outcome,"
            " cast(f.value:rows as int) as row_count,"
            " cast(cast(f.value:at as varchar) as timestamp_ntz) as answered_at"
            " from table(flatten(input => parse_json(?))) f) s"
            " on t.resource = s.resource and t.season = s.season and t.round is not distinct from s.round"
            " when matched then update set outcome = s.outcome, row_count = s.row_count, answered_at = s.answered_at"
            " when not matched then insert (resource, season, round, outcome, row_count, answered_at)"
            " values (s.resource, s.season, s.round, s.outcome, s.row_count, s.answered_at)",
            [json.dumps([
                {"resource": query.name, "outcome": str(answer.outcome), "rows": answer.rows, "at": answer.at}
                | _place(query)
                for query, answer in answers.items()
            ])],
        )  # fmt: skip


def _place(query: Query) -> dict[str, int]:
    """Season and round for a document; a query of a season has no round, as a null of JSON is not one of SQL."""
    return {"season": query.season} | ({} if query.round is None else {"round": query.round})


def _text(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")
