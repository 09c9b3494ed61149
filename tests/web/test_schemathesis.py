"""Requests that schemathesis generates from the API's description, against the application on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestServer

from f1stream.settings import Settings
from tests.support.page_marts import result, season
from tests.support.page_race import lap, whole_race
from tests.support.required import ROOT, missing
from web.api.service import OPENAPI
from web.app import create_app
from web.feed import Feed
from web.tape_store import TapeStore

pytestmark = pytest.mark.system

PROGRAM = ROOT / ".venv-checks" / "bin" / "st"
SECONDS = 20
KNOWN: dict[str, list[Any]] = {
    "key": ["test_race", "sim-1"], "year": [2023], "car": ["4", "81"], "lap": [1, 2], "a": ["4:1"],
    "b": ["81:1", "1:2"],
}  # fmt: skip
"""Values that the served race has; nearly all others are answered with 404."""
ONGOING_MS = 129_999
NOT_IN_A_SCHEMA = """
[checks.negative_data_rejection]
expected-statuses = ["400", "404", "405", "429", "503"]

[[operations]]
include-name = "GET /api/sessions/{key}/gaps"
checks.positive_data_acceptance.enabled = false
"""
"""That `from` is not after `to`, and that they are at most 2,000 steps apart, is described in words."""
MAY_BE_ABSENT = """
[[operations]]
include-name = "GET %s"
checks.negative_data_rejection.expected-statuses = ["204", "400", "404", "405", "429", "503"]
"""
"""For operations with `absent=204`: what does not exist is 204 there, also a key that no session can have."""


def configuration(described: dict[str, Any]) -> str:
    """Of schemathesis."""
    absent = {"$ref": "#/components/parameters/Absent"}
    paths = [path for path, item in described["paths"].items() if absent in item["get"].get("parameters", [])]
    assert paths
    return NOT_IN_A_SCHEMA + "".join(MAY_BE_ABSENT % path for path in paths)


def with_known_values(described: dict[str, Any]) -> dict[str, Any]:
    """The description with values of the served race among the parameters' values."""

    def known(parameter: dict[str, Any]) -> None:
        schema = parameter.get("schema")
        if parameter.get("name") in KNOWN:
            parameter["schema"] = {"anyOf": [{"enum": KNOWN[parameter["name"]]}, schema]}
        elif parameter.get("name") in {"at", "from", "to"}:
            within = {"type": "integer", "minimum": 0, "maximum": ONGOING_MS}
            parameter["schema"] = {"anyOf": [within, schema]}

    document: dict[str, Any] = yaml.safe_load(yaml.safe_dump(described))
    lists = [document["components"]["parameters"].values()]
    for item in document["paths"].values():
        lists += [item.get("parameters", []), item["get"].get("parameters", [])]
    for parameter in {id(each): each for some in lists for each in some}.values():
        known(parameter)
    return document


async def test_every_request_generated_from_the_description_is_answered_as_described(tmp_path: Path) -> None:
    """Never with a server error, nor with 200 for what is described as invalid."""
    if not PROGRAM.exists():
        missing("schemathesis is not there: make environments")
    feed = Feed(TapeStore(2**26))
    feed.connected = feed.caught_up = True
    whole_race(feed, simulated=False)
    whole_race(feed, 60, session="sim-1", simulated=True)
    feed.add_facts([lap("4", 1, seq=9, deleted=True, pit_in_ms=1, pit_out_ms=2, generated=True)])
    feed.add_marts([result(), season(held=4)])
    described = tmp_path / "openapi.yaml"
    description = yaml.safe_load(OPENAPI.read_text())
    (tmp_path / "schemathesis.toml").write_text(configuration(description))
    described.write_text(yaml.safe_dump(with_known_values(description)))
    async with TestServer(create_app(Settings(web_requests_per_minute=10**7), feed)) as server:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "run", described, "--url", str(server.make_url("/")).rstrip("/"), "--max-time", str(SECONDS),
            "--phases", "examples,coverage,fuzzing", "--seed", "1", "--warnings", "off", "--no-color",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
    text = output.decode(errors="replace")
    assert process.returncode == 0, text[-8_000:]
    assert "Tested: 20" in text, text[-2_000:]
