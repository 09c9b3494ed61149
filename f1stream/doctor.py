"""``f1stream doctor``: checks of what the workers need, each with what to do if it fails."""

from __future__ import annotations

import asyncio
import difflib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import aiohttp
import snowflake.connector
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from f1stream import topics
from f1stream.kafka import unreachable
from f1stream.marts.project import manifest, needed_schemas
from f1stream.ports import listens
from f1stream.settings import EMBEDDED_HOST, Settings, WrongSetting
from f1stream.sources.livetiming.connection.token import Tokens, ends_at
from f1stream.sources.session import SourceError
from f1stream.topic_settings import partitions, read_settings, wrong_partitions, wrong_settings
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.schema import status

BROKER_TIMEOUT_S = 10.0
CLOCK_TIMEOUT_S = 3.0
CLOCK_OFF_S = 3.0
"""Larger differences are a warning. The ``Date`` header that the clock is compared with has whole seconds."""
TOKEN_ENDS_SOON = timedelta(days=2)
"""A token that ends sooner is a warning: qualifying and race of a weekend are on two days."""
NEEDS_RIGHTS = {
    "to lock the offsets of what is loaded": "update RAW.LOAD_LOCKS set locked_by = locked_by where 1 = 0",
    "to move the offsets of what is loaded": "update RAW.LOAD_OFFSETS set next_offset = next_offset where 1 = 0",
    "to load rows": "insert into RAW.MESSAGES select * from RAW.MESSAGES where 1 = 0",
    "to note runs of jobs": "delete from OPS.JOB_RUNS where 1 = 0",
}
"""Statements that need a right and change no row, by what the right is for."""
LOGINS = ("workload_identity", "token_file", "private_key", "private_key_file", "password")
"""Settings of a login to Snowflake, without ``snowflake_``; the first one that is set is used."""

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a failure is reported as a finding


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check."""

    about: str
    level: Literal["ok", "warning", "problem"]
    text: str
    """A sentence; for a warning or a problem, with what to do."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check; each takes some seconds at most and changes nothing."""
    yield from configuration(settings)
    yield from asyncio.run(broker(settings))
    yield from warehouse(settings)
    yield asyncio.run(clock(settings))
    yield token(settings)


def configuration(settings: Settings) -> Iterator[Finding]:
    """Misspelt settings in the environment, and the folder for data."""
    known = {f"F1STREAM_{name.upper()}" for name in type(settings).model_fields}
    for name in sorted(name for name in os.environ if name.upper().startswith("F1STREAM_")):
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, 1)
            hint = f" Do you mean {near[0]}?" if near else ""
            yield Finding("configuration", "warning", f"{name} is set, but is no setting.{hint}")
    logins = [name for name in LOGINS if name in _set_logins(settings)]
    if logins[:2] == ["workload_identity", "token_file"] and settings.snowflake_workload_identity == "OIDC":
        logins.pop(1)  # the token of this login
    if len(logins) > 1:
        used, *others = (f"F1STREAM_SNOWFLAKE_{name.upper()}" for name in logins)
        yield Finding("configuration", "warning", f"{used} is used, and not {', '.join(others)}: remove what is old.")
    home = settings.home.expanduser()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        yield Finding("configuration", "ok", f"Data that is kept goes to {home}.")
    else:
        yield Finding("configuration", "problem", f"{there} cannot be written: set F1STREAM_HOME to one of yours.")


def _set_logins(settings: Settings) -> set[str]:
    values = {name: getattr(settings, f"snowflake_{name}") for name in LOGINS}
    return {
        name
        for name, value in values.items()
        if (value.get_secret_value() if isinstance(value, SecretStr) else value)
    }


async def broker(settings: Settings) -> list[Finding]:
    """Whether a broker answers, and has the topics with the right partitions and settings."""
    try:
        client = settings.kafka_client()
    except WrongSetting as error:
        return [Finding("broker", "problem", str(error))]
    admin = AIOKafkaAdminClient(**client, request_timeout_ms=round(BROKER_TIMEOUT_S * 1000))
    try:
        await admin.start()
        there = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
        # The embedded broker reports a topic's settings without applying them; it takes records of any size.
        ours = [name for name in there if name in topics.ALL or name.startswith("f1stream-")]
        configured = {} if settings.embedded else await read_settings(admin, ours)
    except (KafkaError, OSError) as error:
        return [Finding("broker", "problem", str(unreachable(settings, error)))]
    finally:
        await admin.close()
    answers = Finding("broker", "ok", f"Kafka answers at {','.join(settings.bootstrap)}.")
    wanted = partitions(settings)
    if missing := [name for name in wanted if name not in there]:
        return [answers, Finding("topics", "problem", f"Not there: {', '.join(missing)}. Run `f1stream topics`.")]
    wrong = [*filter(None, [wrong_partitions(there, settings)]), *wrong_settings(configured)]
    if wrong:
        return [answers, *(Finding("topics", "problem", text) for text in wrong)]
    return [answers, Finding("topics", "ok", f"All {len(wanted)} are there.")]


def warehouse(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, has the tables, and grants the rights that the workers need."""
    host, port = settings.embedded_warehouse_host, settings.embedded_warehouse_port
    if settings.embedded_warehouse and host == EMBEDDED_HOST and not listens(port):
        text = "The embedded one, started by what needs it; F1STREAM_SNOWFLAKE_ACCOUNT makes it Snowflake."
        yield Finding("warehouse", "ok", text)
        return
    with closing(Warehouse(settings)) as asked:
        try:
            asked.execute("select 1")
        except snowflake.connector.Error as error:
            named = "EMBEDDED_WAREHOUSE" if settings.embedded_warehouse else "SNOWFLAKE"
            yield Finding("warehouse", "problem", f"{error_text(error)} Check the F1STREAM_{named}_* settings.")
            return
        yield Finding("warehouse", "ok", "The embedded one answers." if settings.embedded_warehouse
                      else f"Snowflake answers for {settings.snowflake_account}.")  # fmt: skip
        try:
            rows = sum(table.rows for table in status(asked))
        except WarehouseError as error:
            yield Finding("tables", "problem", str(error))
            return
        yield Finding("tables", "ok", f"All are there, with {rows:,} rows from the topics.")
        refused = []
        for what, statement in NEEDS_RIGHTS.items():
            try:
                asked.execute(statement)
            except snowflake.connector.Error as error:
                refused.append(f"{what} ({error_text(error)})")
        if refused:
            text = f"{settings.snowflake_role or 'The role'} may not be used {'; '.join(refused)}: grant it."
            yield Finding("rights", "problem", text)
        else:
            yield Finding("rights", "ok", f"Enough {', '.join(NEEDS_RIGHTS)}.")
        # Elsewhere dbt creates its schemas: the embedded warehouse has no rights, and other targets need that one.
        if settings.dbt_target == "prod" and not settings.embedded_warehouse:
            yield from schemas(settings, asked)


def schemas(settings: Settings, asked: Warehouse) -> Iterator[Finding]:
    """Whether the role sees the schemas that dbt builds in: it would create the others, and may not."""
    with tempfile.TemporaryDirectory() as home:  # a build that runs meanwhile uses the files in the home folder
        needed = needed_schemas(manifest(settings.model_copy(update={"home": Path(home)})))
    found = asked.rows(
        "select schema_name as name from information_schema.schemata where catalog_name = upper(?)",
        [settings.snowflake_database],
    )
    unseen = sorted(needed - {row["name"] for row in found})
    for name in unseen:
        text = (
            f"{settings.snowflake_role or 'The role'} sees no schema {name}, in which dbt builds: `dbt build` fails."
            " Apply deploy/terraform, or create the schema and grant USAGE, CREATE TABLE and CREATE VIEW on it."
        )
        yield Finding("schemas", "problem", text)
    if not unseen:
        yield Finding("schemas", "ok", f"All {len(needed)} that dbt builds in are there.")


async def clock(settings: Settings) -> Finding:
    """This machine's clock, compared with that of the Jolpica API's server."""
    try:
        limit = aiohttp.ClientTimeout(CLOCK_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=limit) as http, http.head(settings.jolpica_url) as answer:
            theirs = parsedate_to_datetime(answer.headers["Date"])
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError):
        return Finding("clock", "ok", "Not compared: the Jolpica API does not answer from here.")
    off = abs((datetime.now(UTC) - theirs).total_seconds())
    if off > CLOCK_OFF_S:
        text = f"It is {off:.0f} s off: let the machine's time be set (NTP); jobs and tokens depend on it."
        return Finding("clock", "warning", text)
    return Finding("clock", "ok", f"Within {CLOCK_OFF_S:.0f} s of the Jolpica API's.")


def token(settings: Settings) -> Finding:
    """Whether there is an F1TV token, and until when it is valid."""
    if settings.f1tv_token_file is None and not settings.f1tv_token.get_secret_value():
        text = "No F1TV token: `f1stream live` has timing, and neither car data nor positions."
        return Finding("token", "ok", text)
    try:
        current = Tokens(settings).current()
    except SourceError as plain:
        return Finding("token", "problem", str(plain))
    advice = "Set F1STREAM_F1TV_TOKEN, or F1STREAM_F1TV_TOKEN_FILE to change it while the client runs."
    if current is None:
        return Finding("token", "problem", f"The F1TV token has ended, or its file cannot be read. {advice}")
    ends_ms = ends_at(current)
    if ends_ms is None:
        return Finding("token", "warning", f"The F1TV token does not say when it ends: is it complete? {advice}")
    at = datetime.fromtimestamp(ends_ms / 1000, UTC)
    soon = ends_ms / 1000 - time.time() < TOKEN_ENDS_SOON.total_seconds()
    text = f"The F1TV token is valid until {at:%Y-%m-%d %H:%M} UTC."
    return Finding("token", "warning" if soon else "ok", f"{text} {advice}" if soon else text)
