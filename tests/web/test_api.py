"""The API's answers about a served synthetic session, and what they must not contain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from f1stream.settings import Settings
from models import RaceControl
from tests.support.page_marts import result, season
from tests.support.page_race import CARS, LAP_MS, lap, message, whole_race
from web.app import create_app
from web.feed import Feed
from web.marts_store import MartsStore
from web.tape_store import TapeStore

Client = TestClient[web.Request, web.Application]
BELOW = "/api/sessions/test_race"
END_MS = 650 * 200
TIMED = (
    "state", "laps", "stints", "gaps", "telemetry?car=4&lap=1", "compare?a=4:1&b=81:1", "race-control", "weather",
    "radio", "result", "season",
)  # fmt: skip


@pytest.fixture
def feed() -> Feed:
    made = Feed(TapeStore(2**26))
    made.connected = made.caught_up = True
    return made


@pytest.fixture
async def client(feed: Feed) -> AsyncIterator[Client]:
    whole_race(feed, simulated=False)
    feed.add_marts([result(), season(held=4)])
    async with TestClient(TestServer(create_app(Settings(), feed))) as made:
        yield made


async def get(client: Client, path: str, status: int = 200) -> Any:
    answer = await client.get(path if path.startswith("/") else f"{BELOW}/{path}")
    body = await answer.read()
    assert answer.status == status, body
    return orjson.loads(body)


def at(path: str, t: int) -> str:
    return f"{path}{'&' if '?' in path else '?'}at={t}"


async def test_laps_are_those_known_at_the_time_by_car_and_number(client: Client) -> None:
    body = (await get(client, "laps"))["laps"]
    assert [(each["car"], each["lap"]) for each in body] == [(c, n) for c in ("1", "4", "81") for n in (1, 2)]
    assert [each["car"] for each in (await get(client, "laps?at=60500"))["laps"]] == ["1", "4"]
    assert (await get(client, "laps?at=120000&car=81"))["laps"][0]["ms"] == LAP_MS + 1_000
    assert (await get(client, "laps?at=-1"))["laps"] == []


async def test_stints_are_those_of_the_picture(client: Client) -> None:
    body = await get(client, "stints?at=12345")
    assert body["t"] == 12_200
    assert set(body["cars"]) == {car for car, *_ in CARS}


async def test_gaps_are_columns_by_car(client: Client) -> None:
    body = await get(client, "gaps?from=1000&to=3000")
    assert (body["step_ms"], body["t"]) == (1_000, [1_000, 2_000, 3_000])
    assert body["cars"]["1"] == {
        "gap": [4321] * 3, "interval": [4321] * 3, "laps_down": [1] * 3, "position": [3] * 3,
    }  # fmt: skip
    whole = await get(client, "gaps?step=200&to=50000")
    assert whole["t"] == list(range(0, 50_001, 200)), "across keyframes"
    assert (await get(client, "gaps?at=5100&from=4000&to=99000"))["t"] == [4_000, 5_000]
    assert (await get(client, "gaps?from=600000"))["t"] == []


async def test_gaps_of_the_pictures_are_those_of_the_states(client: Client) -> None:
    body = await get(client, "gaps?from=8800&to=31000&step=1400")
    for n, t in enumerate(body["t"]):
        picture = (await get(client, f"state?at={t}"))["frame"]
        assert picture["t"] == t
        for place, (car, *_) in enumerate(CARS):
            assert body["cars"][car]["gap"][n] == picture["gap"][place]
            assert body["cars"][car]["position"][n] == picture["cars"][car]["position"]


async def test_a_lap_s_samples_are_columns_with_null_for_invalid_values(client: Client) -> None:
    body = await get(client, "telemetry?car=4&lap=2")
    assert (body["start_ms"], body["end_ms"]) == (60_000, 120_000)
    assert body["t"] == list(range(60_000, 120_001, 200))
    assert {len(body[name]) for name in ("x", "y", "speed", "throttle", "brake", "gear", "drs")} == {len(body["t"])}
    assert (body["throttle"][0], body["drs"][0], body["brake"][1]) == (None, None, True)


async def test_a_comparison_ends_with_the_difference_of_the_official_times(client: Client) -> None:
    body = await get(client, "compare?a=4:1&b=81:1")
    assert (body["delta_ms"][0], body["delta_ms"][-1]) == (0, 1_000)
    assert (body["a"]["car"], body["b"]["lap_time_ms"]) == ("4", 61_000)
    n = len(body["distance_m"])
    columns = ("time_ms", "speed", "throttle", "brake", "gear", "x", "y")
    assert {len(body[lap][column]) for lap in "ab" for column in columns} == {n} == {len(body["delta_ms"])}
    middle = body["delta_ms"][n // 2]
    assert abs(middle - 500) < 30, "at an even pace half of it is lost in half a lap"


async def test_messages_have_the_time_at_which_they_became_known(client: Client) -> None:
    body = await get(client, "race-control?at=41000")
    assert [each["t"] for each in body["race_control"]] == [1_000, 21_000, 41_000]
    assert len((await get(client, "weather"))["weather"]) == 6
    body = await get(client, "radio?at=1000")
    assert (body["base"], body["radio"][0]["path"]) == (None, "TeamRadio/1000.mp3")


async def test_the_result_and_the_standings_with_it_come_after_the_flag(client: Client) -> None:
    assert "has not ended" in (await get(client, f"result?at={END_MS - 1}", 404))["error"]
    assert (await get(client, f"result?at={END_MS}"))["rows"][0]["driver_code"] == "NOR"
    assert (await get(client, "result"))["round"] == 3
    before, after = await get(client, f"season?at={END_MS - 1}"), await get(client, "season")
    assert [each["status"] for each in before["rounds"]] == ["held", "held", "scheduled", "scheduled"]
    assert (before["round"], before["standings"]["drivers"][0]["code"]) == (3, "VER")
    assert [each["status"] for each in after["rounds"]] == ["held", "held", "held", "scheduled"]
    assert after["standings"]["drivers"][0]["code"] == after["rounds"][2]["winner"]["driver_code"] == "NOR"


async def test_a_simulated_session_is_of_no_season(client: Client, feed: Feed) -> None:
    whole_race(feed, 2, simulated=True, session="sim-1")
    assert "simulated" in (await get(client, "/api/sessions/sim-1/season", 404))["error"]


async def test_the_calendar_is_the_newest_seasons_and_empty_without_one(client: Client, feed: Feed) -> None:
    assert (await get(client, "/api/calendar"))["season"] == 2023
    feed.add_marts([season(year=2024, held=0), season(held=4)])
    shown = await get(client, "/api/calendar")
    assert (shown["season"], len(shown["events"])) == (2024, 4)
    feed.marts = MartsStore()
    assert await get(client, "/api/calendar") == {"season": None, "events": []}
    assert shown["events"][3]["sessions"][0]["name"] == "Race"
    assert "winner" not in str(shown)


async def test_what_is_not_there_is_an_answer_without_content_for_clients_that_ask_for_it(
    client: Client, feed: Feed
) -> None:
    feed.marts = MartsStore()
    for path in (
        "result",
        "season",
        "laps?at=1x",
        "telemetry?car=4&lap=9",
        "compare?a=4:1&b=81:9",
        "gaps?absent=404",
    ):
        plain = await client.get(f"/api/sessions/test_race/{path}")
        absent = await client.get(f"/api/sessions/test_race/{path}{'&' if '?' in path else '?'}absent=204")
        assert absent.status == (204 if plain.status == 404 else 400), path
        assert plain.status == (400 if "at=1x" in path or "404" in path else 404), path
        assert bool(await absent.read()) == (absent.status == 400)
    assert (await client.get("/api/sessions/test_race/laps?absent=204")).status == 200


@pytest.mark.parametrize("t", [-5_000, 0, 999, 30_000, 60_000, 60_499, 60_999, 61_000, 119_999, 125_000, END_MS - 1])
async def test_an_answer_at_a_time_is_what_it_was_before_anything_later_became_known(client: Client, t: int) -> None:
    """A server that has read only the records known by then gives the same answers."""
    early = Feed(TapeStore(2**26))
    whole_race(early, max(t // 200 + 1, 1), simulated=False, until_ms=t)
    early.add_marts([season(held=2)])
    async with TestClient(TestServer(create_app(Settings(), early))) as then:
        for path in TIMED:
            url = f"{BELOW}/{at(path, t)}"
            now, before = await client.get(url), await then.get(url)
            if path == "result":
                assert now.status == before.status == 404
                continue
            answer, answer_then = await now.json(), await before.json()
            if "from_ms" not in answer and now.status == 404 and "known from" in answer.get("error", ""):
                assert before.status == 404, "the sentence says how far the tape goes, which /api/sessions does too"
                continue
            assert (now.status, answer) == (before.status, answer_then), path


@pytest.mark.parametrize("t", [0, 60_000, 61_000, 100_000])
async def test_no_answer_at_a_time_has_a_time_that_is_later(client: Client, t: int) -> None:
    for path in ("laps", "race-control", "weather", "radio"):
        ((_, entries),) = (each for each in (await get(client, at(path, t))).items() if each[0] != "base")
        assert all(entry["t"] <= t for entry in entries), path
    assert all(each <= t for each in (await get(client, at("gaps", t)))["t"])


async def test_a_later_revision_is_not_in_an_answer(client: Client, feed: Feed) -> None:
    feed.add_facts([lap("4", 1, known_ms=100_000, seq=7, deleted=True)])
    feed.add_facts([message(99, RaceControl(session_time_ms=2_000, category="Other", message="NOTED"), 100_000)])
    for t, known in ((99_999, False), (100_000, True)):
        first = (await get(client, f"laps?car=4&at={t}"))["laps"][0]
        assert first.get("deleted", False) is known
        notes = (await get(client, f"race-control?at={t}"))["race_control"]
        assert any(each["message"] == "NOTED" for each in notes) is known


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        *[(f"/api/sessions/other/{path}", 404, "no session 'other'") for path in TIMED if path != "result"],
        *[(at(path, 0).replace("at=0", "at=noon"), 400, "at is not a whole number") for path in TIMED],
        ("laps?car=99", 404, "no car '99'"),
        ("laps?at=1e3", 400, "whole number"),
        ("laps?at=" + "9" * 40, 400, "whole number"),
        ("gaps?step=0", 400, "at least 200 ms"),
        ("gaps?step=-1000", 400, "at least 200 ms"),
        ("gaps?step=x", 400, "step is not a whole number"),
        ("gaps?from=2000&to=1000", 400, "lies after"),
        ("telemetry?lap=1", 400, "car is missing"),
        ("telemetry?car=4", 400, "lap is missing"),
        ("telemetry?car=4&lap=one", 400, "lap is not a whole number"),
        ("telemetry?car=4&lap=3", 404, "lap 3 of car 4 is not known"),
        ("telemetry?car=4&lap=2&at=119999", 404, "lap 2 of car 4 is not known at 119999 ms"),
        ("telemetry?car=9&lap=1", 404, "no car '9'"),
        ("compare?a=4:1", 400, "b is not a car and a lap"),
        ("compare?a=4:1&b=81", 400, "b is not a car and a lap"),
        ("compare?a=4:1&b=81:1&at=60999", 404, "lap 1 of car 81 is not known at 60999 ms"),
        ("nothing", 404, "there is nothing at"),
    ],
)
async def test_errors_of_requests_are_sentences(client: Client, path: str, status: int, sentence: str) -> None:
    assert sentence in (await get(client, path, status))["error"]


async def test_too_many_points_are_refused(client: Client, feed: Feed) -> None:
    whole_race(feed, 2_100, simulated=False, epoch=2)
    assert "at most 2000" in (await get(client, "gaps?step=200", 400))["error"]
    assert len((await get(client, "gaps?step=200&from=200&to=400000"))["t"]) == 2_000


async def test_a_lap_without_samples_cannot_be_compared(client: Client, feed: Feed) -> None:
    feed.add_facts([lap("4", 8)])
    assert "only 0 samples" in (await get(client, "compare?a=4:8&b=4:1", 404))["error"]
    assert (await get(client, "telemetry?car=4&lap=8"))["t"] == []


@pytest.mark.parametrize("path", [*(f"{BELOW}/{path}" for path in TIMED), "/api/seasons", "/api/seasons/2023",
                                  "/api/openapi.yaml"])  # fmt: skip
async def test_an_unchanged_answer_is_not_sent_again(client: Client, path: str) -> None:
    first = await client.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = await client.get(path, headers={"If-None-Match": '"another"'})
    assert (other.status, await other.read()) == (200, await first.read())


async def test_an_error_has_no_etag(client: Client) -> None:
    answer = await client.get(f"{BELOW}/laps?car=99", headers={"If-None-Match": "*"})
    assert (answer.status, "ETag" in answer.headers, answer.headers["Cache-Control"]) == (404, False, "no-cache")


async def test_internal_errors_are_in_the_log_and_not_in_the_answer(
    client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(type(feed.tapes), "get", lambda *_: 1 / 0)
    body = await get(client, "laps", 500)
    assert body == {"error": "internal error; the server's log has the reason"}
    assert "ZeroDivisionError" in caplog.text


async def test_another_method_is_refused_in_a_sentence(client: Client) -> None:
    answer = await client.post(f"{BELOW}/laps")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert "only GET, HEAD" in (await answer.json())["error"]


@pytest.mark.parametrize("path", ["gaps?step=200", "state", "telemetry?car=4&lap=1", "compare?a=4:1&b=81:1"])
async def test_a_long_answer_is_compressed_for_clients_that_accept_it(client: Client, path: str) -> None:
    url = client.make_url(f"{BELOW}/{path}")
    plain = await client.session.get(url, headers={"Accept-Encoding": "identity"})
    packed = await client.session.get(url, headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert await packed.read() == await plain.read()
    assert plain.headers["ETag"] == packed.headers["ETag"]
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"


async def test_a_short_answer_is_sent_as_it_is(client: Client) -> None:
    answer = await client.get("/api/sessions", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers
