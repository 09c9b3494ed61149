"""Asking the Jolpica API: page by page, no faster than it allows, and again when it could not answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import tenacity
from pydantic import ValidationError
from pyrate_limiter import Duration, Limiter, Rate, SingleBucketFactory, SQLiteBucket

from f1stream.errors import UserError
from f1stream.jolpica.models import Page
from f1stream.jolpica.repair import Flaw, changed_shape, repaired
from f1stream.jolpica.resources import Query, Row
from f1stream.private_folder import private_folder
from f1stream.settings import Settings

PAGE_ROWS = 100
"""The API's own limit; a greater one is cut to it."""
A_SECOND = Rate(4, 1_250)
"""The API allows 4 a second. A second is counted a quarter longer, because what leaves evenly does not arrive so."""
MAX_BODY_BYTES = 8_000_000
KEPT_BODY_CHARACTERS = 64_000
ATTEMPTS = 6
ATTEMPTS_OFFLINE = 3
"""Whether there is a network is soon known."""
LONGEST_RETRY_AFTER_S = 3_600.0


class Unreachable(UserError):
    """The API did not answer, or not usably, however often it was asked; the text is one sentence for the user."""


@dataclass
class BadAnswer(Exception):
    """An answer that has not the shape it should have: for the quarantine."""

    url: str
    reason: str
    body: str

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}"


@dataclass
class ApiAnswer:
    """An answer with all its pages."""

    rows: list[Row] = field(default_factory=list)
    """In the API's order, without what could not be used."""
    flaws: list[Flaw] = field(default_factory=list)
    """What could not be used."""
    url: str = ""
    """The page of the first flaw."""
    body: str = ""
    """Its first characters."""

    @property
    def complete(self) -> bool:
        """Whether no row is left out."""
        return not any(flaw.row_left_out for flaw in self.flaws)


class _Retryable(Exception):
    """Ask again; ``after_s`` as the API wishes."""

    def __init__(self, reason: str, after_s: float | None = None, *, offline: bool = False) -> None:
        super().__init__(reason)
        self.after_s, self.offline = after_s, offline


class _InvalidJson(_Retryable):
    """An answer that is no JSON: cut off, or a page of some proxy. Asked again first."""

    def __init__(self, bad: BadAnswer) -> None:
        super().__init__(bad.reason)
        self.bad = bad


def rates(settings: Settings) -> tuple[Rate, ...]:
    """What is asked at most: in a second, and in an hour (``jolpica_requests_per_hour``)."""
    return A_SECOND, Rate(settings.jolpica_requests_per_hour, Duration.HOUR)


def shared_bucket(home: Path, rates: tuple[Rate, ...]) -> SQLiteBucket:
    """What was asked lately, in a file: every process of this user asks out of one allowance, restarts included."""
    private_folder(home)
    bucket: SQLiteBucket = SQLiteBucket.init_from_file(
        list(rates), table="jolpica", db_path=str(home / "jolpica-requests.sqlite"), use_file_lock=True
    )
    bucket.leak(bucket.now())  # type: ignore[no-untyped-call]
    return bucket


class JolpicaClient:
    """The API."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession, bucket: SQLiteBucket) -> None:
        self._base = settings.jolpica_url.rstrip("/")
        self._longest_pause_s = settings.jolpica_retry_seconds
        self._http = http
        # Old requests are forgotten when the file is opened: the limiter's own thread would outlive this.
        self._limiter = Limiter(SingleBucketFactory(bucket, schedule_leak=False))
        self._not_before = 0.0
        self.requests = 0
        """How many were sent."""

    async def rows(self, query: Query) -> list[Row]:
        """The rows of ``read``."""
        return (await self.read(query)).rows

    async def read(self, query: Query) -> ApiAnswer:
        """An answer, all pages of it. Raises Unreachable, and BadAnswer for one of another shape."""
        answered = ApiAnswer()
        count = offset = 0
        total: int | None = None
        while total is None or offset < total:
            url = f"{self._base}/{query.path}.json?limit={PAGE_ROWS}&offset={offset}"
            data, body = await self._answer(url)
            page, found = _page(query, url, data, body)
            count += len(found)
            if page.offset != offset or (total is not None and page.total != total):
                reason = f"offset {page.offset} of {page.total} where offset {offset} of {total} was due"
                raise BadAnswer(url, reason, body)
            total = page.total
            _add(answered, query, found, url, body)
            offset += page.limit
        if count != total:
            raise BadAnswer(url, f"{count} rows where total says {total}", body)
        if answered.flaws and (why := changed_shape(answered.flaws, count, count - len(answered.rows))):
            raise BadAnswer(answered.url, why, answered.body)
        return answered

    async def _answer(self, url: str) -> tuple[Any, str]:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_Retryable), stop=_enough, wait=self._pause, reraise=True
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await self._ask(url)
        except _InvalidJson as garbled:
            raise garbled.bad from None
        except _Retryable as later:
            raise Unreachable(
                f"{url} gave no answer: {later}. Try again later, or set F1STREAM_JOLPICA_URL to a mirror."
            ) from None
        raise AssertionError

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """As long as the API wishes, else longer every time; an API that is busy is left alone by all tasks."""
        later = state.outcome.exception() if state.outcome else None
        if isinstance(later, _Retryable) and later.after_s is not None:
            return min(later.after_s, LONGEST_RETRY_AFTER_S)
        return tenacity.wait_exponential_jitter(multiplier=0.5, max=self._longest_pause_s, jitter=0.5)(state)

    async def _ask(self, url: str) -> tuple[Any, str]:
        while (wait := self._not_before - time.monotonic()) > 0:  # noqa: ASYNC110 - another answer may prolong it
            await asyncio.sleep(wait)
        await self._limiter.try_acquire_async("jolpica")
        self.requests += 1
        try:
            async with self._http.get(url) as answer:
                body = (await _read(answer.content)).decode(answer.get_encoding(), errors="replace")
                status, headers = answer.status, answer.headers
        except aiohttp.ClientConnectorError as error:
            raise _Retryable(f"no connection ({error.os_error or error})", offline=True) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Retryable(str(error) or "it took too long") from None
        if status in {429, 503} or status >= 500 or status == 408:
            after_s = _retry_after(headers.get("Retry-After"))
            if after_s is not None:
                self._not_before = max(self._not_before, time.monotonic() + min(after_s, LONGEST_RETRY_AFTER_S))
            raise _Retryable(f"HTTP {status}", after_s)
        if status != 200:
            raise BadAnswer(url, f"HTTP {status}", body[:KEPT_BODY_CHARACTERS])
        try:
            return json.loads(body), body[:KEPT_BODY_CHARACTERS]
        except ValueError as error:
            raise _InvalidJson(BadAnswer(url, f"no JSON: {error}", body[:KEPT_BODY_CHARACTERS])) from None


async def _read(stream: aiohttp.StreamReader) -> bytes:
    """All of a body, as long as that is not too much."""
    parts, size = [], 0
    async for part in stream.iter_any():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _Retryable(f"more than {MAX_BODY_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _enough(state: tenacity.RetryCallState) -> bool:
    later = state.outcome.exception() if state.outcome else None
    offline = isinstance(later, _Retryable) and later.offline
    return state.attempt_number >= (ATTEMPTS_OFFLINE if offline else ATTEMPTS)


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a header that has them or a date."""
    if value is None:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _page(query: Query, url: str, data: Any, body: str) -> tuple[Page, list[Row]]:
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


def _add(answered: ApiAnswer, query: Query, found: list[Row], url: str, body: str) -> None:
    """The rows of one page, without what cannot be used."""
    resource = query.resource
    for row in found:
        try:
            name = resource.identity(row)
        except (KeyError, TypeError):
            name = f"row {len(answered.rows) + 1}"
        kept, flaws = repaired(resource.model, row, name)
        if flaws and not answered.flaws:
            answered.url, answered.body = url, body
        answered.flaws += flaws
        if kept is not None:
            answered.rows.append(kept)


@asynccontextmanager
async def open_jolpica(settings: Settings, at_most: tuple[Rate, ...] | None = None) -> AsyncIterator[JolpicaClient]:
    """The API, for as long as it is needed; ``at_most`` is asked of it, by default as the settings say."""
    bucket = shared_bucket(settings.home, at_most or rates(settings))
    headers = {"User-Agent": f"f1stream/{version('f1stream')}", "Accept": "application/json"}
    timeout = aiohttp.ClientTimeout(total=settings.jolpica_timeout_seconds)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
            yield JolpicaClient(settings, http, bucket)
    finally:
        bucket.close()  # type: ignore[no-untyped-call]
