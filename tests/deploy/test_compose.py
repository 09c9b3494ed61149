"""The compose file where there is no Docker: what it says, and its services as processes on three brokers."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.support.containers import (
    COMPOSE,
    OURS,
    ROOT,
    Services,
    compose,
    environment_of,
    filled_in,
    healthcheck,
    in_order,
)
from tests.support.kafka_cluster import Cluster
from tests.support.ports import free_port
from tests.support.required import missing

DEPLOY = ROOT / "deploy"
SOURCE = ("replay", "sim:cars=4,laps=2,seed=3", "--speed", "max")
SESSION = "sim-3"
PROXY = "dynamic a web 8000 {\n\t\t\trefresh 5s\n\t\t}"
"""What finds the pages by Docker's names."""


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    return compose()


def ours(file: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in file["services"].items() if service["image"] == OURS}


def test_it_has_what_runs_a_season(file: dict[str, Any]) -> None:
    services = file["services"]
    assert sum(service["image"].startswith("apache/kafka:") for service in services.values()) == 3
    replicas = {name: service.get("deploy", {}).get("replicas", 1) for name, service in services.items()}
    assert (replicas["race"], replicas["archive"], replicas["web"], replicas["scheduler"]) == (2, 2, 2, 1)
    assert {"proxy", "warehouse", "prometheus", "grafana"} <= services.keys()
    assert list(in_order(services, list(services)))  # nothing waits for itself, or for what is not there


def test_only_loopback_is_published_and_only_the_proxy_shows_the_page(file: dict[str, Any]) -> None:
    published = {name: port for name, service in file["services"].items() for port in service.get("ports", ())}
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published.values()), published
    assert not published.keys() & ours(file).keys()


def test_what_we_run_may_write_to_its_volumes_only_and_has_no_rights(file: dict[str, Any]) -> None:
    for name, service in file["services"].items():
        if service["image"].startswith("apache/kafka:"):
            continue
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name


def test_only_those_who_use_the_warehouse_are_given_its_secrets(file: dict[str, Any]) -> None:
    given = {name for name, service in ours(file).items() if "F1STREAM_SNOWFLAKE_PASSWORD" in environment_of(service)}
    assert given == {"archive", "scheduler", "source", "tables"}
    embedded = {
        n for n, service in ours(file).items() if "F1STREAM_EMBEDDED_WAREHOUSE_PASSWORD" in environment_of(service)
    }
    assert embedded == given | {"warehouse"}
    with_token = {name for name, service in ours(file).items() if "F1STREAM_F1TV_TOKEN" in environment_of(service)}
    assert with_token == {"scheduler"}
    for service in file["services"].values():
        for key, value in environment_of(service).items():
            assert value is None or not any(word in key for word in ("PASSWORD", "TOKEN", "PRIVATE_KEY")), key


def test_every_volume_and_file_is_there(file: dict[str, Any]) -> None:
    used = set()
    for service in file["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).is_dir(), f"{source} is not in deploy"
            else:
                used.add(source)
    assert used == set(file["volumes"])


def test_one_service_builds_the_image_and_none_pulls_it(file: dict[str, Any]) -> None:
    assert [name for name, service in file["services"].items() if "build" in service] == ["topics"]
    build = file["services"]["topics"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    assert {service["pull_policy"] for service in ours(file).values()} == {"never"}


def test_the_scheduler_builds_for_readers_unless_configured_otherwise(
    file: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = environment_of(file["services"]["scheduler"])["F1STREAM_DBT_TARGET"]
    monkeypatch.setenv("F1STREAM_DBT_TARGET", "")
    assert filled_in(target) == "prod"
    monkeypatch.setenv("F1STREAM_DBT_TARGET", "staging")
    assert filled_in(target) == "staging"


def test_every_process_that_stays_is_checked(file: dict[str, Any]) -> None:
    for name, service in ours(file).items():
        stays = service["restart"] != "no"
        assert service.get("healthcheck", {}).get("disable", False) is not stays, name
        assert not stays or healthcheck(service)[0] == "CMD", name


@pytest.fixture(scope="module")
def services(three_brokers: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """All of ours that stay, as `up` starts them."""
    started = Services(tmp_path_factory.mktemp("compose"), three_brokers.bootstrap, F1STREAM_TOPIC_PARTITIONS="6")
    try:
        started.up(["race", "archive", "web", "scheduler"])
        yield started
    finally:
        started.down()


@pytest.fixture(scope="module")
def page(services: Services) -> Iterator[str]:
    """The pages behind the proxy, whose file differs only in how it finds them."""
    if shutil.which("caddy") is None:
        missing("caddy is not there: it is a package of Debian's")
    text, port = (DEPLOY / "caddy" / "Caddyfile").read_text(), free_port()
    assert text.count(PROXY) == text.count("\n:8000 {") == 1
    pages = " ".join(f"127.0.0.1:{port}" for _, port in services.of("web"))
    own = text.replace(PROXY, f"to {pages}").replace("\n:8000 {", f"\nhttp://127.0.0.1:{port} {{\n\tbind 127.0.0.1")
    (services.folder / "Caddyfile").write_text(own)
    command = ["caddy", "run", "--config", services.folder / "Caddyfile", "--adapter", "caddyfile"]
    with (services.folder / "caddy.log").open("wb") as log:
        proxy = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        proxy.terminate()
        proxy.wait(10)


async def _until(http: aiohttp.ClientSession, url: str) -> Any:
    async with asyncio.timeout(120):
        while True:
            try:
                async with http.get(url) as answer:
                    if answer.status == 200 and (body := await answer.json()):
                        return body
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.3)


@pytest.mark.system
async def test_a_session_goes_through_all_of_them_to_page_and_warehouse(services: Services, page: str) -> None:
    said = await asyncio.to_thread(services.run, "source", *SOURCE)
    published = int(said.split(": ")[1].split(" samples")[0].replace(",", ""))
    async with aiohttp.ClientSession() as http:
        for each in (page, *(f"http://127.0.0.1:{port}" for _, port in services.of("web"))):
            await _until(http, f"{each}/api/sessions/{SESSION}/state")
        async with http.ws_connect(f"{page.replace('http', 'ws')}/ws?session={SESSION}") as socket:
            assert (await socket.receive(timeout=30)).type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}
    until = time.monotonic() + 120
    query = ("warehouse", "sql", "select count(*) as n from RAW.TELEMETRY", "--format", "json")
    while (loaded := json.loads(await asyncio.to_thread(services.run, "source", *query))[0]["n"]) < published:
        assert time.monotonic() < until, f"{loaded} of {published} samples are loaded"
        await asyncio.sleep(0.5)
    assert loaded == published


@pytest.mark.system
async def test_health_and_metrics_are_not_for_viewers(services: Services, page: str) -> None:
    async with aiohttp.ClientSession() as http:
        for path in ("/health", "/alive", "/metrics"):
            async with http.get(f"{page}{path}") as answer:
                assert answer.status == 404, f"the proxy shows {path}"
            async with http.get(f"http://127.0.0.1:{services.of('web')[0][1]}{path}") as answer:
                assert answer.status == 200
        async with http.get(page) as answer:
            assert answer.status == 200
            assert "f1stream" in await answer.text()


@pytest.mark.system
def test_stopped_as_docker_stops_them_all_end_well(services: Services) -> None:
    ended = services.down()
    assert len(ended) == 8, "race, archive and web twice, scheduler and warehouse"
    assert set(ended.values()) == {0}, ended
    assert COMPOSE.is_file()
