"""The client: pages, limits, and all failures."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pyrate_limiter import Rate, SQLiteBucket

from f1stream.jolpica.client import (
    LONGEST_RETRY_AFTER_S,
    BadAnswer,
    JolpicaClient,
    Unreachable,
    _retry_after,
    open_jolpica,
)
from f1stream.jolpica.rate_limit import shared_bucket
from f1stream.jolpica.resources import ALL, BY_NAME, Query
from f1stream.settings import Settings
from tests.support.jolpica_server import JolpicaServer, body, captured, laps_answer, slow, status

ENVELOPE = '{"MRData": {"limit": "100", "offset": "0", "total": "3", "RaceTable": {"Races": %s}}}'
RESULTS = Query(2025, 1, "results")


@pytest.fixture
def server() -> Iterator[JolpicaServer]:
    with JolpicaServer() as server:
        yield server


@pytest.fixture
def settings(server: JolpicaServer, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None, home=tmp_path, jolpica_url=server.url, jolpica_timeout_seconds=0.5, jolpica_retry_seconds=0.1
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[JolpicaClient]:
    async with open_jolpica(settings, (Rate(1_000, 1_000),)) as api:  # other tests cover the limits
        yield api


@pytest.fixture
def results(server: JolpicaServer, jolpica_data: Path) -> dict[str, Any]:
    server.answers["2025/1/results"] = captured(jolpica_data, "2025/1/results")
    return server.answers["2025/1/results"]


async def test_every_page_of_a_race_s_laps_is_read(
    server: JolpicaServer, api: JolpicaClient, archive_path: Path
) -> None:
    race = {"season": "2025", "round": "1", "raceName": "Australian Grand Prix", "date": "2025-03-16",
            "Circuit": {"circuitId": "albert_park"}}  # fmt: skip
    laps = map(json.loads, (archive_path / "laps.jsonl").read_text().splitlines())
    sent = [(lap["LapNumber"], lap["Driver"], lap["Position"] or 20, "1:30.000") for lap in laps]
    server.answers["2025/1/laps"] = laps_answer(race, sent)
    rows = await api.rows(Query(2025, 1, "laps"))
    assert sorted((row["lap"], row["driverId"]) for row in rows) == sorted((str(lap[0]), lap[1]) for lap in sent)
    assert len(rows) == 927
    assert server.asked("2025/1/laps") == 10
    assert rows[0]["Race"]["raceName"] == "Australian Grand Prix"


async def test_every_recorded_answer_has_the_shape_we_rely_on(jolpica_data: Path) -> None:
    read = 0
    for line in (jolpica_data / "jolpica" / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        name = entry["url"].split("?")[0].removesuffix(".json").rstrip("/").rpartition("/")[2].lower()
        if name not in BY_NAME:
            continue
        answer = json.loads((jolpica_data / "jolpica" / entry["file"]).read_text())["MRData"]
        if answer["total"] == "0":
            continue
        resource = BY_NAME[name]
        for row in resource.rows(answer):
            resource.model.model_validate(row)
            assert resource.identity(row)
            read += 1
    assert read > 1_000


async def test_every_answer_of_a_whole_season_has_that_shape(jolpica_data: Path) -> None:
    from tests.support.jolpica_server import season_2024

    names = set()
    for path, answer in season_2024(jolpica_data).items():
        resource = BY_NAME[path.rpartition("/")[2]]
        names.add(resource.name)
        for row in resource.rows(answer):
            resource.model.model_validate(row)
    assert names == {resource.name for resource in ALL} - {"laps"}


async def test_retry_after_is_obeyed(server: JolpicaServer, api: JolpicaClient, results: dict[str, Any]) -> None:
    server.faults["2025/1/results"] = [status(429, Retry_After="1"), status(503, Retry_After="1")]
    assert len(await api.rows(RESULTS)) == 20
    at = [when for when, *_ in server.requests]
    assert len(at) == 3
    assert all(later - earlier >= 1 for earlier, later in pairwise(at))
    assert api.requests == 3, "the pauses are the API's: the backoff would have been shorter"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        ("Sun, 08 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 08 Mar 2026 11:00:00 GMT", 0),
        ("86400", LONGEST_RETRY_AFTER_S),
        ("soon", None),
        ("9" * 5_000, None),
        ("Sun, 08 Mar 99999 12:01:00 GMT", None),
    ],
)
@time_machine.travel("2026-03-08T12:00:00Z", tick=False)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert _retry_after(header) == seconds


@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(502, "<html>"),
        slow(1),
        body('{"MRData": {"limit": "1'),
        body("<html>maintenance</html>"),
    ],
    ids=["500", "502", "late", "truncated", "html"],
)
async def test_a_failed_request_is_retried(
    server: JolpicaServer, api: JolpicaClient, results: dict[str, Any], fault: Any
) -> None:
    server.faults["2025/1/results"] = [fault]
    assert len(await api.rows(RESULTS)) == 20
    assert server.asked() == 2


async def test_an_api_that_stays_down_is_one_sentence(server: JolpicaServer, api: JolpicaClient) -> None:
    server.faults["*"] = [status(500)] * 10
    with pytest.raises(Unreachable, match=r"2025/1/results.*HTTP 500.*Try again later, or set F1STREAM_JOLPICA_URL"):
        await api.rows(RESULTS)
    assert server.asked() == 6


async def test_a_missing_network_is_reported_soon(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, home=tmp_path, jolpica_url="http://127.0.0.1:9/ergast/f1", jolpica_retry_seconds=0.1
    )
    async with open_jolpica(settings) as api:
        with pytest.raises(Unreachable, match="no connection"):
            await api.rows(RESULTS)
        assert api.requests == 3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ([status(404, "no such season")], "HTTP 404"),
        ([body("<html>maintenance</html>", "text/html")] * 6, "no JSON"),
        ([body('{"error": "hello"}')], "not the shape of results: KeyError 'MRData'"),
        ([body(ENVELOPE % "[]")], "0 rows where total says 3"),
        ([body(ENVELOPE % "null")], "not the shape of results: TypeError"),
    ],
)  # fmt: skip
async def test_an_answer_of_unexpected_shape_is_refused_with_its_reason(
    server: JolpicaServer, api: JolpicaClient, fault: Any, reason: str
) -> None:
    server.faults["2025/1/results"] = fault
    with pytest.raises(BadAnswer, match=reason) as refused:
        await api.rows(RESULTS)
    assert refused.value.url.startswith(server.url)
    assert refused.value.body


async def test_a_field_that_changed_its_form_is_refused(
    server: JolpicaServer, api: JolpicaClient, results: dict[str, Any]
) -> None:
    for row in results["RaceTable"]["Races"][0]["Results"]:
        row["points"] = "a few"
    with pytest.raises(BadAnswer, match="points is wrong in 20 of 20 rows, as in norris points 'a few'"):
        await api.rows(RESULTS)


async def test_an_answer_may_have_no_rows(api: JolpicaClient) -> None:
    assert await api.rows(RESULTS) == []


async def test_rows_inserted_between_two_pages_are_detected(
    server: JolpicaServer, api: JolpicaClient, results: dict[str, Any]
) -> None:
    rows = results["RaceTable"]["Races"][0]["Results"]
    rows.extend(rows * 6)
    server.faults["*"] = []
    answers = dict(server.answers)

    class Growing(dict):  # type: ignore[type-arg]
        def get(self, path: str, default: Any = None) -> Any:
            if server.asked() == 2:
                rows.append(rows[0])
            return answers.get(path, default)

    server.answers = Growing()
    with pytest.raises(BadAnswer, match="offset 100 of 141 where offset 100 of 140 was due"):
        await api.rows(RESULTS)


async def test_requests_name_the_client(server: JolpicaServer, settings: Settings, results: dict[str, Any]) -> None:
    async with open_jolpica(settings) as api:
        await api.rows(RESULTS)
    assert server.requests[0][2].startswith("f1stream/")


async def test_no_more_than_four_requests_arrive_in_any_second(
    server: JolpicaServer, settings: Settings, results: dict[str, Any]
) -> None:
    import asyncio

    async with open_jolpica(settings) as one, open_jolpica(settings) as other:
        await asyncio.gather(*(api.rows(RESULTS) for api in (one, other) for _ in range(5)))
    at = sorted(when for when, *_ in server.requests)
    assert len(at) == 10
    assert max(sum(1 for other in at if when <= other < when + 1.0) for when in at) <= 4


async def test_the_client_leaves_no_thread_behind(
    settings: Settings, server: JolpicaServer, results: dict[str, Any]
) -> None:
    """A limiter with its own thread would leave one behind at each run of the scheduler."""
    before = set(threading.enumerate())
    async with open_jolpica(settings) as api:
        await api.rows(RESULTS)
        limiters = [
            thread for thread in threading.enumerate() if thread not in before and "leak" in thread.name.lower()
        ]
    assert limiters == []


async def test_the_hourly_limit_holds_over_restarts(tmp_path: Path) -> None:
    from pyrate_limiter import Limiter

    sent = 0
    for stops_at in (150, 300, 1_000):  # three processes in sequence
        bucket: SQLiteBucket = shared_bucket(tmp_path, (Rate(200, 200), Rate(500, 3_600_000)))
        limiter = Limiter(bucket)
        while sent < stops_at and await limiter.try_acquire_async("jolpica", timeout=1):
            sent += 1
        bucket.close()
    assert sent == 500
