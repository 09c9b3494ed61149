"""``f1stream doctor``: is everything there that the workers need, and if not, what to do."""

from __future__ import annotations

import asyncio
import difflib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import aiohttp
import snowflake.connector
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from f1stream import topics
from f1stream.kafka import unreachable
from f1stream.ports import listens
from f1stream.settings import EMBEDDED_HOST, Settings, WrongSetting
from f1stream.sources.livetiming.connection.token import Tokens, ends_at
from f1stream.sources.session import SourceError
from f1stream.topic_settings import partitions, read_settings, wrong_partitions, wrong_settings
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.schema import status

PATIENCE_S = 10.0
CLOCK_PATIENCE_S = 3.0
CLOCK_OFF_S = 3.0
"""A ``Date`` header is told in whole seconds."""
TOKEN_ENDS_SOON = timedelta(days=2)
"""Two days hold a race weekend's last sessions."""
NEEDS_RIGHTS = {
    "to move the offsets of what is loaded": "update RAW.LOAD_OFFSETS set next_offset = next_offset where 1 = 0",
    "to load rows": "insert into RAW.MESSAGES select * from RAW.MESSAGES where 1 = 0",
    "to note runs of jobs": "delete from OPS.JOB_RUNS where 1 = 0",
}
"""Statements that touch no row, by what they show."""


logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what fails is told as a finding


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    about: str
    level: Literal["ok", "warning", "problem"]
    text: str
    """A sentence; for what is not ok, with what to do."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, one after the other; each takes some seconds at most. Nothing is changed."""
    yield from configuration(settings)
    yield from asyncio.run(broker(settings))
    yield from warehouse(settings)
    yield asyncio.run(clock(settings))
    yield token(settings)


def configuration(settings: Settings) -> Iterator[Finding]:
    """Names in the environment that are no settings, and the folder for data."""
    known = {f"F1STREAM_{name.upper()}" for name in type(settings).model_fields}
    for name in sorted(name for name in os.environ if name.upper().startswith("F1STREAM_")):
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, 1)
            hint = f" Do you mean {near[0]}?" if near else ""
            yield Finding("configuration", "warning", f"{name} is set, and is no setting.{hint}")
    home = settings.home.expanduser()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        yield Finding("configuration", "ok", f"Data that is kept goes to {home}.")
    else:
        yield Finding("configuration", "problem", f"{there} cannot be written: set F1STREAM_HOME to one of yours.")


async def broker(settings: Settings) -> list[Finding]:
    """Whether a broker answers, and has our topics with the partitions and settings that we need."""
    try:
        client = settings.kafka_client()
    except WrongSetting as error:
        return [Finding("broker", "problem", str(error))]
    admin = AIOKafkaAdminClient(**client, request_timeout_ms=round(PATIENCE_S * 1000))
    try:
        await admin.start()
        there = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
        # The embedded broker reports what a topic was made with, whether it holds to it or not; it takes any size.
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
    """Whether it answers, has the tables, and lets us do what the workers do."""
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


async def clock(settings: Settings) -> Finding:
    """This machine's clock against that of the Jolpica API's server."""
    try:
        limit = aiohttp.ClientTimeout(CLOCK_PATIENCE_S)
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
    """Whether there is an F1TV token, and until when it holds."""
    if settings.f1tv_token_file is None and not settings.f1tv_token.get_secret_value():
        text = "No F1TV token: `f1stream live` has timing, and neither car data nor positions."
        return Finding("token", "ok", text)
    try:
        current = Tokens(settings).current()
    except SourceError as plain:
        return Finding("token", "problem", str(plain))
    mend = "Set F1STREAM_F1TV_TOKEN, or F1STREAM_F1TV_TOKEN_FILE to change it while the client runs."
    if current is None:
        return Finding("token", "problem", f"The F1TV token has ended, or its file cannot be read. {mend}")
    ends_ms = ends_at(current)
    if ends_ms is None:
        return Finding("token", "warning", f"The F1TV token does not tell when it ends: is it a whole one? {mend}")
    at = datetime.fromtimestamp(ends_ms / 1000, UTC)
    soon = ends_ms / 1000 - time.time() < TOKEN_ENDS_SOON.total_seconds()
    text = f"The F1TV token holds until {at:%Y-%m-%d %H:%M} UTC."
    return Finding("token", "warning" if soon else "ok", f"{text} {mend}" if soon else text)
