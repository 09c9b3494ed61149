"""The client of the Jolpica API: reads all pages of an answer within the rate limits, with retries."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import aiohttp
import tenacity
from pydantic import ValidationError
from pyrate_limiter import Limiter, Rate, SingleBucketFactory, SQLiteBucket
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from f1stream.errors import UserError
from f1stream.jolpica.models import Page
from f1stream.jolpica.rate_limit import rate_limits, shared_bucket
from f1stream.jolpica.repair import Flaw, changed_shape, repaired
from f1stream.jolpica.resources import Query, Row
from f1stream.settings import Settings

PAGE_ROWS = 100
"""Rows per page; the API reduces a greater limit to this one."""
MAX_BODY_BYTES = 8_000_000
"""A longer body is an error and is retried."""
QUARANTINED_BODY_CHARACTERS = 64_000
"""A bad answer is stored cut to this length."""
ATTEMPTS = 6
ATTEMPTS_OFFLINE = 3
"""Attempts per page; fewer without a connection, since waiting does not help then."""
LONGEST_RETRY_AFTER_S = 3_600.0
"""A longer ``Retry-After`` is cut to this."""


class Unreachable(UserError):
    """The API gave no usable answer after all attempts; the text is one sentence for the user."""


@dataclass
class BadAnswer(Exception):
    """An answer of unexpected shape, to be quarantined."""

    url: str
    reason: str
    body: str

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}"


@dataclass
class ApiAnswer:
    """All pages of an answer."""

    rows: list[Row] = field(default_factory=list)
    """In the API's order, without what is invalid."""
    flaws: list[Flaw] = field(default_factory=list)
    """The invalid values."""
    url: str = ""
    """The page of the first flaw."""
    body: str = ""
    """That page's first QUARANTINED_BODY_CHARACTERS."""

    @property
    def complete(self) -> bool:
        """Whether no row is left out."""
        return not any(flaw.row_left_out for flaw in self.flaws)


class _Retryable(Exception):
    """A failed attempt; ``after_s`` is the API's own ``Retry-After``."""

    def __init__(self, reason: str, after_s: float | None = None, *, offline: bool = False) -> None:
        super().__init__(reason)
        self.after_s, self.offline = after_s, offline


class _InvalidJson(_Retryable):
    """A body that is not JSON: truncated, or a proxy's page. It is retried before it is quarantined."""

    def __init__(self, bad: BadAnswer) -> None:
        super().__init__(bad.reason)
        self.bad = bad


class JolpicaClient:
    """Reads answers of the API."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession, bucket: SQLiteBucket) -> None:
        self._base = settings.jolpica_url.rstrip("/")
        self._longest_pause_s = settings.jolpica_retry_seconds
        self._http = http
        # ``shared_bucket`` drops old requests: the limiter's own thread for that would outlive this client.
        self._limiter = Limiter(SingleBucketFactory(bucket, schedule_leak=False))
        self._not_before = 0.0
        self.requests = 0
        """Number of requests sent."""

    async def rows(self, query: Query) -> list[Row]:
        """The rows of ``read``."""
        return (await self.read(query)).rows

    async def read(self, query: Query) -> ApiAnswer:
        """Read all pages of an answer. Raises Unreachable, and BadAnswer for one of unexpected shape."""
        answer = ApiAnswer()
        count = offset = 0
        total: int | None = None
        while total is None or offset < total:
            url = f"{self._base}/{query.path}.json?limit={PAGE_ROWS}&offset={offset}"
            data, body = await self._get(url)
            page, found = _page(query, url, data, body)
            count += len(found)
            if page.offset != offset or (total is not None and page.total != total):
                reason = f"offset {page.offset} of {page.total} where offset {offset} of {total} was due"
                raise BadAnswer(url, reason, body)
            total = page.total
            _add(answer, query, found, url, body)
            offset += page.limit
        if count != total:
            raise BadAnswer(url, f"{count} rows where total says {total}", body)
        if answer.flaws and (why := changed_shape(answer.flaws, count, count - len(answer.rows))):
            raise BadAnswer(answer.url, why, answer.body)
        return answer

    async def _get(self, url: str) -> tuple[Any, str]:
        """A page's JSON and its text, with retries."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_Retryable), stop=_last_attempt, wait=self._pause, reraise=True
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await self._attempt(url)
        except _InvalidJson as error:
            raise error.bad from None
        except _Retryable as error:
            raise Unreachable(
                f"{url} gave no answer: {error}. Try again later, or set F1STREAM_JOLPICA_URL to a mirror."
            ) from None
        raise AssertionError

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next attempt: the API's ``Retry-After``, else exponential backoff."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Retryable) and error.after_s is not None:
            return error.after_s
        return tenacity.wait_exponential_jitter(multiplier=0.5, max=self._longest_pause_s, jitter=0.5)(state)

    async def _attempt(self, url: str) -> tuple[Any, str]:
        """One request. A ``Retry-After`` pauses all tasks of this client."""
        while (wait := self._not_before - time.monotonic()) > 0:  # noqa: ASYNC110 - another answer may prolong it
            await asyncio.sleep(wait)
        await self._limiter.try_acquire_async("jolpica")
        self.requests += 1
        try:
            async with self._http.get(url) as response:
                body = (await _read(response.content)).decode(response.get_encoding(), errors="replace")
                status, headers = response.status, response.headers
        except aiohttp.ClientConnectorError as error:
            raise _Retryable(f"no connection ({error.os_error or error})", offline=True) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Retryable(str(error) or "it took too long") from None
        if status in {408, 429} or status >= 500:
            after_s = _retry_after(headers.get("Retry-After"))
            if after_s is not None:
                self._not_before = max(self._not_before, time.monotonic() + after_s)
            raise _Retryable(f"HTTP {status}", after_s)
        if status != 200:
            raise BadAnswer(url, f"HTTP {status}", body[:QUARANTINED_BODY_CHARACTERS])
        try:
            return json.loads(body), body[:QUARANTINED_BODY_CHARACTERS]
        except ValueError as error:
            raise _InvalidJson(BadAnswer(url, f"no JSON: {error}", body[:QUARANTINED_BODY_CHARACTERS])) from None


async def _read(stream: aiohttp.StreamReader) -> bytes:
    """Read a body of at most MAX_BODY_BYTES."""
    parts, size = [], 0
    async for part in stream.iter_any():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _Retryable(f"more than {MAX_BODY_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _last_attempt(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    offline = isinstance(error, _Retryable) and error.offline
    return state.attempt_number >= (ATTEMPTS_OFFLINE if offline else ATTEMPTS)


def _retry_after(value: str | None) -> float | None:
    """Seconds until the time that a ``Retry-After`` header names; None without a valid one."""
    try:
        return None if value is None else min(Retry().parse_retry_after(value), LONGEST_RETRY_AFTER_S)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _page(query: Query, url: str, data: Any, body: str) -> tuple[Page, list[Row]]:
    """The frame of one page and its rows."""
    resource = query.resource
    try:
        page = Page.model_validate(data["MRData"])
        return page, list(resource.rows(data["MRData"])) if page.total else []
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadAnswer(url, f"{where}: {first['msg']} ({error.error_count()} in the page)", body) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise BadAnswer(url, f"not the shape of {resource.name}: {type(error).__name__} {error}", body) from None


def _add(answer: ApiAnswer, query: Query, found: list[Row], url: str, body: str) -> None:
    """Add the rows of one page, without what is invalid."""
    resource = query.resource
    for row in found:
        try:
            name = resource.identity(row)
        except (KeyError, TypeError):
            name = f"row {len(answer.rows) + 1}"
        kept, flaws = repaired(resource.model, row, name)
        if flaws and not answer.flaws:
            answer.url, answer.body = url, body
        answer.flaws += flaws
        if kept is not None:
            answer.rows.append(kept)


@asynccontextmanager
async def open_jolpica(settings: Settings, limits: tuple[Rate, ...] | None = None) -> AsyncIterator[JolpicaClient]:
    """A client of the API; ``limits`` replace those of the settings."""
    bucket = shared_bucket(settings.home, limits or rate_limits(settings))
    headers = {"User-Agent": f"f1stream/{version('f1stream')}", "Accept": "application/json"}
    timeout = aiohttp.ClientTimeout(total=settings.jolpica_timeout_seconds)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
            yield JolpicaClient(settings, http, bucket)
    finally:
        bucket.close()  # type: ignore[no-untyped-call]
