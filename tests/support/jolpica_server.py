"""A local Jolpica API: recorded answers in pages, and failures on request."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

Fault = Callable[[web.Request], web.StreamResponse]
ROWS = {
    "results": "Results", "sprint": "SprintResults", "qualifying": "QualifyingResults", "pitstops": "PitStops",
    "laps": "Laps", "races": "Races", "circuits": "Circuits", "drivers": "Drivers", "constructors": "Constructors",
    "status": "Status", "driverstandings": "DriverStandings", "constructorstandings": "ConstructorStandings",
}  # fmt: skip
TABLES = {
    "races": "RaceTable", "circuits": "CircuitTable", "drivers": "DriverTable", "constructors": "ConstructorTable",
    "status": "StatusTable",
}  # fmt: skip


class JolpicaServer:
    """Answers by path, such as ``2024/1/results``; each is the ``MRData`` of all its rows."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        """Failures by path, each used once; under ``*`` for any path."""
        self.hides: Callable[[str], bool] = lambda _: False
        """Whether a path is not published yet."""
        self.requests: list[tuple[float, str, str]] = []
        """Time (monotonic, s), path and User-Agent of each request."""
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> JolpicaServer:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_get("/ergast/f1/{path:.+}.json", self._answer)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/ergast/f1"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.requests.append((time.monotonic(), path, request.headers.get("User-Agent", "")))
        faults = self.faults[path] or self.faults["*"]
        if faults:
            answer = faults.pop(0)(request)
            if isinstance(answer, Slow):
                await asyncio.sleep(answer.seconds)
            return answer
        limit, offset = min(int(request.query.get("limit", 30)), 100), int(request.query.get("offset", 0))
        answer = None if self.hides(path) else self.answers.get(path)
        return web.json_response({"MRData": page(path, answer, limit, offset)})

    def asked(self, path: str = "") -> int:
        """The number of requests for a path."""
        return sum(1 for _, asked, _ in self.requests if asked.startswith(path))


class Slow(web.Response):
    """A delayed answer."""

    seconds = 5.0


def status(code: int, text: str = "", **headers: str) -> Fault:
    """An answer with this status."""
    return lambda _: web.Response(
        status=code, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def body(text: str, content_type: str = "application/json") -> Fault:
    """An answer of 200 with this body."""
    return lambda _: web.Response(text=text, content_type=content_type)


def slow(seconds: float) -> Fault:
    """An answer after the client's timeout."""

    def answer(_: web.Request) -> web.Response:
        late = Slow(text="{}")
        late.seconds = seconds
        return late

    return answer


def page(path: str, answer: dict[str, Any] | None, limit: int, offset: int) -> dict[str, Any]:
    """One page of an answer: rows are counted over races and laps, as the API counts them."""
    name = path.rpartition("/")[2]
    if answer is None:
        table, inner = (TABLES.get(name, "RaceTable"), ROWS[name] if name in TABLES else "Races")
        if name.endswith("standings"):
            table, inner = "StandingsTable", "StandingsLists"
        return {"limit": str(limit), "offset": str(offset), "total": "0", table: {inner: []}}
    answer = copy.deepcopy(answer)
    held = [holder[ROWS[name]] for holder in _holders(name, answer)]
    if name == "laps":
        flat = [(lap["number"], timing) for laps in held for lap in laps for timing in lap["Timings"]]
        laps: dict[str, list[Any]] = {}
        for number, timing in flat[offset : offset + limit]:
            laps.setdefault(number, []).append(timing)
        held[0][:] = [{"number": number, "Timings": timings} for number, timings in laps.items()]
        total = len(flat)
    else:
        total = sum(len(rows) for rows in held)
        at = 0
        for rows in held:
            begin, count = at, len(rows)
            rows[:] = [row for n, row in enumerate(rows, begin) if offset <= n < offset + limit]
            at += count
    return answer | {"limit": str(limit), "offset": str(offset), "total": str(total)}


def _holders(name: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
    if name in TABLES:
        return [answer[TABLES[name]]]
    if name.endswith("standings"):
        return list(answer["StandingsTable"]["StandingsLists"])
    return list(answer["RaceTable"]["Races"])


def season_2024(data: Path) -> dict[str, dict[str, Any]]:
    """The whole season, with drivers, constructors and status made from its results."""
    folder = data / "jolpica" / "derived_f1db" / "2024"
    answers = {
        f"2024/{file.relative_to(folder).with_suffix('').as_posix()}": json.loads(file.read_text())["MRData"]
        for file in sorted(folder.rglob("*.json"))
    }
    drivers: dict[str, Any] = {}
    constructors: dict[str, Any] = {}
    counts: dict[str, int] = defaultdict(int)
    for path, answer in answers.items():
        if path.endswith("/results"):
            for row in answer["RaceTable"]["Races"][0]["Results"]:
                drivers[row["Driver"]["driverId"]] = row["Driver"]
                constructors[row["Constructor"]["constructorId"]] = row["Constructor"]
                counts[row["status"]] += 1
    answers["2024/drivers"] = {"DriverTable": {"season": "2024", "Drivers": list(drivers.values())}}
    answers["2024/constructors"] = {
        "ConstructorTable": {"season": "2024", "Constructors": list(constructors.values())}
    }
    answers["2024/status"] = {
        "StatusTable": {
            "Status": [{"statusId": name.lower(), "count": str(n), "status": name} for name, n in counts.items()]
        }
    }
    return answers


def season_of(year: int, rounds: int, data: Path) -> dict[str, dict[str, Any]]:
    """The first rounds of 2024, with their dates, as the season of another year."""
    text = (
        json.dumps(season_2024(data)).replace("2024/", f"{year}/").replace('"season": "2024"', f'"season": "{year}"')
    )
    answers: dict[str, dict[str, Any]] = json.loads(text)
    table = answers[f"{year}/races"]["RaceTable"]
    table["Races"] = [race for race in table["Races"] if int(race["round"]) <= rounds]
    return answers


def season_2025(data: Path) -> dict[str, dict[str, Any]]:
    """The recorded part of 2025."""
    return recorded_season(data, 2025)


def recorded_season(data: Path, year: int) -> dict[str, dict[str, Any]]:
    """The recorded results of a season as sent, with the calendar and entries made from them."""
    folder = data / "jolpica" / "captured" / str(year)
    answers = {
        f"{year}/{file.relative_to(folder).with_suffix('').as_posix()}": json.loads(file.read_text())["MRData"]
        for file in sorted(folder.glob("*/results.json"))
    }
    races: list[Any] = []
    drivers: dict[str, Any] = {}
    constructors: dict[str, Any] = {}
    for answer in answers.values():
        race = answer["RaceTable"]["Races"][0]
        races.append({name: value for name, value in race.items() if name != "Results"})
        drivers |= {row["Driver"]["driverId"]: row["Driver"] for row in race["Results"]}
        constructors |= {row["Constructor"]["constructorId"]: row["Constructor"] for row in race["Results"]}
    circuits = {race["Circuit"]["circuitId"]: race["Circuit"] for race in races}
    answers[f"{year}/races"] = {"RaceTable": {"season": str(year), "Races": races}}
    answers[f"{year}/circuits"] = {"CircuitTable": {"season": str(year), "Circuits": list(circuits.values())}}
    answers[f"{year}/drivers"] = {"DriverTable": {"season": str(year), "Drivers": list(drivers.values())}}
    answers[f"{year}/constructors"] = {
        "ConstructorTable": {"season": str(year), "Constructors": list(constructors.values())}
    }
    return answers


def captured(data: Path, path: str) -> dict[str, Any]:
    """An answer as sent by the API."""
    return json.loads((data / "jolpica" / "captured" / f"{path}.json").read_text())["MRData"]


def laps_answer(race: dict[str, Any], laps: list[tuple[int, str, int, str]]) -> dict[str, Any]:
    """An answer of ``laps``: (lap, driver id, position, time) of every lap of the race."""
    by_number: dict[int, list[Any]] = {}
    for number, driver_id, position, text in sorted(laps, key=lambda lap: lap[0]):
        by_number.setdefault(number, []).append({"driverId": driver_id, "position": str(position), "time": text})
    laps_of_race = [{"number": str(number), "Timings": timings} for number, timings in by_number.items()]
    return {"RaceTable": {"Races": [race | {"Laps": laps_of_race}]}}
