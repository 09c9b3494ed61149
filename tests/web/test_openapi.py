"""The API's description against the answers of the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from f1stream.settings import Settings
from tests.support.page_marts import result, season
from tests.support.page_race import lap, whole_race
from web.api.gaps import POINTS
from web.api.openapi import render
from web.api.service import OPENAPI
from web.app import create_app
from web.feed import Feed
from web.tape_store import TapeStore

Client = TestClient[web.Request, web.Application]
ELSEWHERE = ("/", "/ws", "/static/{name}")
DESCRIBED: dict[str, Any] = yaml.safe_load(OPENAPI.read_text())
A_SESSION = "/api/sessions/{key}"
QUERIES = {f"{A_SESSION}/telemetry": "?car=4&lap=1", f"{A_SESSION}/compare": "?a=4:1&b=81:1"}
GETS = [path for path in DESCRIBED["paths"] if path != "/api/sessions/{key}"]


@pytest.fixture
def feed() -> Feed:
    made = Feed(TapeStore(2**26))
    made.connected = made.caught_up = True
    whole_race(made, simulated=False)
    made.add_facts([lap("4", 1, seq=9, deleted=True, pit_in_ms=1, pit_out_ms=2, generated=True)])
    made.add_marts([result(), season(held=4)])
    return made


@pytest.fixture
async def client(feed: Feed) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(Settings(), feed))) as made:
        yield made


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": DESCRIBED["components"]})


def url(path: str, query: str | None = None) -> str:
    query = QUERIES.get(path, "") if query is None else query
    return path.format(key="test_race", year=2023) + query


def response_of(path: str, status: int) -> dict[str, Any]:
    """The description of a response, references followed."""
    responses = DESCRIBED["paths"][path]["get"]["responses"]
    assert str(status) in responses, f"{path} answered {status}, which is not described"
    found: dict[str, Any] = responses[str(status)]
    if "$ref" in found:
        found = DESCRIBED["components"]["responses"][found["$ref"].rsplit("/", 1)[-1]]
    return found


async def check(client: Client, path: str, query: str | None, status: int) -> Any:
    answer = await client.get(url(path, query))
    body = await answer.read()
    assert answer.status == status, body
    (kind,) = (described := response_of(path, status))["content"]
    assert answer.content_type == kind
    for name in described.get("headers", {}):
        assert name in answer.headers
    if kind == "application/json":
        validator(described["content"][kind]["schema"]).validate(orjson.loads(body))
    return body


def test_the_document_is_the_one_that_the_handlers_and_models_generate() -> None:
    assert OPENAPI.read_text() == render(), "run python -m web.api.openapi"


def test_it_is_openapi() -> None:
    validate(DESCRIBED)
    assert DESCRIBED["openapi"].startswith("3.1")


def test_every_route_is_described_and_what_is_described_is_a_route(feed: Feed) -> None:
    served = {
        resource.canonical
        for resource in create_app(Settings(), feed).router.resources()
        if resource.canonical not in ELSEWHERE
    }
    assert served == set(DESCRIBED["paths"])


def test_every_operation_has_a_summary_and_describes_304_and_500() -> None:
    operations = {path: item["get"] for path, item in DESCRIBED["paths"].items()}
    assert len({each["operationId"] for each in operations.values()}) == len(operations)
    for path, operation in operations.items():
        assert operation["summary"], path
        if path.startswith("/api/"):
            assert {"200", "304", "500"} <= set(operation["responses"]), path
        if path.startswith(A_SESSION):
            assert {"400", "404"} <= set(operation["responses"]), path


@pytest.mark.parametrize("path", GETS)
async def test_answers_are_as_described(client: Client, path: str) -> None:
    await check(client, path, None, 200)


@pytest.mark.parametrize("path", [path for path in GETS if path.startswith(A_SESSION) and "result" not in path])
async def test_answers_at_a_time_are_as_described(client: Client, path: str) -> None:
    query = QUERIES.get(path, "")
    await check(client, path, f"{query}{'&' if query else '?'}at=61000", 200)


@pytest.mark.parametrize("path", [path for path in GETS if path.startswith(A_SESSION)])
async def test_errors_are_as_described(
    client: Client, feed: Feed, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = QUERIES.get(path, "")
    await check(client, path, f"{query}{'&' if query else '?'}at=noon", 400)
    other = path.replace("{key}", "other")
    answer = await client.get(other + query)
    assert answer.status == 404
    schema = response_of(path, 404)["content"]["application/json"]["schema"]
    validator(schema).validate(await answer.json())
    monkeypatch.setattr(type(feed.tapes), "get", lambda *_: 1 / 0)
    await check(client, path, None, 500)


@pytest.mark.parametrize("path", [path for path in GETS if path.startswith("/api/") and path != "/api/sessions"])
async def test_not_modified_answers_are_as_described(client: Client, path: str) -> None:
    tag = (await client.get(url(path))).headers["ETag"]
    answer = await client.get(url(path), headers={"If-None-Match": tag})
    assert (answer.status, await answer.read()) == (304, b"")
    assert "content" not in response_of(path, 304)
    assert all(name in answer.headers for name in response_of(path, 304)["headers"])


async def test_without_a_broker_health_is_as_described(client: Client, feed: Feed) -> None:
    feed.connected = False
    await check(client, "/health", None, 503)


async def test_alive_is_as_described_when_nothing_is_read(client: Client, feed: Feed) -> None:
    feed.stuck = "frames[2] has grown to 90 for 31 s, and nothing after 40 is read."
    await check(client, "/alive", None, 503)


def test_an_answer_that_is_not_as_described_would_be_noticed() -> None:
    laps = validator({"$ref": "#/components/schemas/Laps"})
    assert laps.is_valid({"laps": []})
    assert not laps.is_valid({"laps": [{"t": 1}]})
    assert not laps.is_valid({"laps": [], "more": 1})
    stint = {"compound": "SOFT", "first_lap": 1, "laps": 2, "tyre_life_before": 0, "fresh": True}
    stints = validator({"$ref": "#/components/schemas/Stints"})
    assert stints.is_valid({"t": 0, "cars": {"4": {"stints": [stint]}}})
    assert not stints.is_valid({"t": 0, "cars": {"4": {"stints": [{}]}}})


def numbers() -> list[tuple[str, str, dict[str, Any]]]:
    """Every integer parameter: path, name and schema."""
    found = []
    for path, item in DESCRIBED["paths"].items():
        for each in (*item.get("parameters", ()), *item["get"].get("parameters", ())):
            parameter = (
                DESCRIBED["components"]["parameters"][each["$ref"].rsplit("/", 1)[-1]] if "$ref" in each else each
            )
            if parameter["schema"].get("type") == "integer":
                found.append((path, parameter["name"], parameter["schema"]))
    return found


@pytest.mark.parametrize(("path", "name", "schema"), numbers())
async def test_numbers_have_the_bounds_that_are_described(
    client: Client, path: str, name: str, schema: dict[str, Any]
) -> None:
    async def status_of(number: int | str) -> int:
        if f"{{{name}}}" in path:
            return (await client.get(path.format(key="test_race", **{name: number}))).status
        query = {
            pair.split("=")[0]: pair.split("=")[1] for pair in QUERIES.get(path, "?").strip("?").split("&") if pair
        }
        return (await client.get(url(path, ""), params=query | {name: str(number)})).status

    least, most = schema["minimum"], schema["maximum"]
    assert await status_of(least) in {200, 404}
    assert await status_of(most) in {200, 404}
    for beyond in (least - 1, most + 1, 10**30, f"{most}0", "1e3", "1_000", "\u0662", "+5", ""):
        assert await status_of(beyond) in {400} | ({404} if beyond == "" and f"{{{name}}}" in path else set()), beyond


def test_an_answer_about_gaps_has_as_many_points_as_are_described() -> None:
    assert DESCRIBED["components"]["schemas"]["Gaps"]["properties"]["t"]["maxItems"] == POINTS


async def test_the_limits_are_as_described(feed: Feed) -> None:
    path = "/api/sessions/{key}/laps"
    async with TestClient(TestServer(create_app(Settings(web_requests_per_minute=3), feed))) as made:
        await check(made, path, None, 200)
        await check(made, path, None, 429)
        answer = await made.get(url(path), headers={"Host": "evil.example"})
        assert answer.status == 421
        validator(response_of(path, 421)["content"]["application/json"]["schema"]).validate(await answer.json())
