"""The Streamlit app on the marts of a recorded race, compared with the recorded files."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
from playwright.async_api import Browser, Page

from f1stream.ports import listens
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from tests.support.jolpica_server import season_2024
from tests.support.marts_rig import MartsRig
from tests.support.ports import free_port
from tests.support.required import ROOT, missing
from tests.support.stage import DESKTOP, PHONE, needs_chromium, picture
from tests.support.streamlit_app import APP, module_of_the_app

pytestmark = pytest.mark.system
DRIVER = ROOT / "tests" / "support" / "streamlit_driver.py"
PYTHON = ROOT / ".venv-streamlit" / "bin" / "python"
VIEWS = {
    "Tyres": ".js-plotly-plot .legendtext:text('I intermediate')",
    "Pace": "[data-testid=stCaptionContainer]:has-text('The line in a box is the median')",
    "Laps": "[data-testid=stDataFrame]",
    "Telemetry": ".js-plotly-plot .legendtext:text('lap 43')",
    "Standings": "[data-testid=stMarkdown]:has-text('Constructors')",
}
"""An element of each view that no earlier view has."""


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if not PYTHON.exists():
        missing("Streamlit is not installed: make streamlit-setup installs it in .venv-streamlit")


@pytest.fixture(scope="module")
def local() -> ModuleType:
    return module_of_the_app("local")


class App:
    """The app in a process in its own environment, without a browser."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([PYTHON, DRIVER], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def start(self, environment: dict[str, str]) -> None:
        """Restart the app with this environment, without choices and without cached results."""
        self._ask({"environment": environment, "choices": {}})

    def shows(self, **choices: str) -> dict[str, Any]:
        """What the app shows after these further choices; fails when it shows an error."""
        seen = self._ask({"choices": {label.replace("_", " "): option for label, option in choices.items()}})
        assert seen["errors"] == []
        return seen

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the app's process has ended"
        seen: dict[str, Any] = json.loads(line)
        return seen

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def app(marts: MartsRig, local: ModuleType) -> Iterator[App]:
    with closing(App()) as made:
        made.start(local.environment(marts.settings))
        yield made


@pytest.fixture(scope="module")
def other_app() -> Iterator[App]:
    """For tests that start it with another warehouse."""
    with closing(App()) as made:
        yield made


def test_selectors_list_what_the_marts_have(app: App, jolpica_data: Path) -> None:
    seen = app.shows(Season="2025")
    assert seen["selectors"]["Season"]["options"] == ["2025", "2024"]
    assert seen["selectors"]["Round"]["value"] == "1 · Australian Grand Prix"
    assert seen["selectors"]["Session"] == {"options": ["Race · 2025-03-16"], "value": "Race · 2025-03-16"}
    assert seen["views"] == list(VIEWS)
    (races,) = (answer for path, answer in season_2024(jolpica_data).items() if path.endswith("/races"))
    rounds = [f"{race['round']} · {race['raceName']}" for race in races["RaceTable"]["Races"]]
    seen = app.shows(Season="2024")
    assert seen["selectors"]["Round"]["options"] == rounds
    assert seen["selectors"]["Round"]["value"] == rounds[-1]
    assert "No session of this round was streamed" in seen["sentences"][0]


@pytest.mark.parametrize("view", VIEWS)
def test_the_first_text_of_every_view_is_the_heading(app: App, view: str) -> None:
    assert app.shows(Season="2025", view=view)["texts"][0] == "Sessions and standings"


def test_a_bar_is_a_stint_of_the_recording(app: App, archive_path: Path) -> None:
    expected = json.loads((archive_path / "expected.json").read_text())
    (chart,) = app.shows(Season="2025", view="Tyres")["charts"]
    found = {
        (driver, first + 1, first + laps, compound["name"].split()[1].upper())
        for compound in chart["data"]
        for driver, first, laps in zip(compound["y"], compound["base"], compound["x"], strict=True)
    }
    recorded: set[tuple[str, int, int, str]] = set()
    for driver, changes in expected["tyre_changes"].items():
        worn = {lap: run["compound"] for run in expected["compound_runs"][driver]
                for lap in range(run["first_lap"], run["last_lap"] + 1)}  # fmt: skip
        lasts = [*changes, expected["lap_rows_per_driver"][driver]]
        firsts = [1, *(lap + 1 for lap in changes)]
        recorded |= {(driver, first, last, worn[first]) for first, last in zip(firsts, lasts, strict=True)}
    assert found == recorded
    assert len(found) > 50
    for compound in chart["data"]:
        assert set(compound["text"]) == {compound["name"][0]}, "a compound has its letter in every bar"
    assert chart["layout"]["yaxis"]["categoryarray"][-3:] == ["RUS", "VER", "NOR"]


def test_a_team_s_pace_is_what_pandas_makes_of_the_recorded_laps(app: App, recorded_laps: pd.DataFrame) -> None:
    laps = recorded_laps
    clean = laps[
        laps["LapTime"].notna() & (laps["TrackStatus"].astype(str) == "1") & laps["IsAccurate"]
        & laps["PitInTime"].isna() & laps["PitOutTime"].isna()
    ]  # fmt: skip

    def clock(ms: float) -> str:
        return f"{int(ms // 60_000)}:{ms % 60_000 / 1000:06.3f}"

    for tyre, of_tyre in (("all", clean), ("hard", clean[clean["Compound"] == "HARD"])):
        seen = app.shows(Season="2025", view="Pace", Tyres=tyre)
        (table,), (chart,) = seen["tables"], seen["charts"]
        teams = of_tyre.groupby("Team")["LapTime"]
        medians = teams.median().round()
        assert {row["Team"]: (row["Median"], row["Laps"]) for row in table} == {
            team: (clock(median), int(teams.size()[team])) for team, median in medians.items()
        }
        assert [row["Team"] for row in table] == [box["name"] for box in chart["data"]]
        assert [row["Median"] for row in table] == sorted(row["Median"] for row in table)
        for box in chart["data"]:
            assert sorted(box["x"]) == sorted(of_tyre.loc[of_tyre["Team"] == box["name"], "LapTime"] / 1000)
    assert len(clean) == 551


def test_the_lap_table_is_the_recording_s(app: App, recorded_laps: pd.DataFrame) -> None:
    seen = app.shows(Season="2025", view="Laps", Driver="PIA")
    (table,) = seen["tables"]
    expected = recorded_laps[recorded_laps["Driver"] == "PIA"].sort_values("LapNumber")
    assert [row["Lap"] for row in table] == list(range(1, 58))
    found = pd.DataFrame(table)
    assert found["Age"].tolist() == expected["TyreLife"].tolist()
    assert found["Tyre"].tolist() == expected["Compound"].str[0].tolist()
    for number in (1, 2, 3):
        recorded = expected[f"Sector{number}Time"].astype(float).reset_index(drop=True) / 1000
        pd.testing.assert_series_equal(found[f"S{number}, s"].astype(float), recorded, check_names=False)
    assert [clock_ms(text) for text in found["Time"] if text] == expected["LapTime"].dropna().tolist()
    (everybody,) = app.shows(Driver="all")["tables"]
    assert len(everybody) == len(recorded_laps)


def clock_ms(text: str) -> int:
    minutes, seconds = text.split(":")
    return int(minutes) * 60_000 + round(float(seconds) * 1000)


def test_the_comparison_begins_with_the_two_fastest_drivers_fastest_laps(
    app: App, recorded_laps: pd.DataFrame
) -> None:
    selectors = app.shows(Season="2025", view="Telemetry")["selectors"]
    best = recorded_laps.groupby("Driver")["LapTime"].min().nsmallest(2)
    assert [selectors[name]["value"] for name in ("First driver", "Second driver")] == list(best.index)
    shown = [selectors[name]["value"].split(" · ")[1] for name in ("First lap", "Second lap")]
    assert [clock_ms(text) for text in shown] == best.tolist()


def test_the_time_between_two_laps_is_that_of_the_samples(
    app: App, recorded_laps: pd.DataFrame, archive_path: Path
) -> None:
    chosen = {"First driver": ("VER", 25), "Second driver": ("NOR", 28)}
    seen = app.shows(Season="2025", view="Telemetry")
    for name, (driver, number) in chosen.items():
        seen = app.shows(**{name: driver})
        lap = name.replace("driver", "lap")
        (option,) = (label for label in seen["selectors"][lap]["options"] if label.startswith(f"{number} · "))
        seen = app.shows(**{lap: option})
    (chart,) = seen["charts"]
    between = chart["data"][0]

    samples = pd.read_parquet(archive_path / "telemetry.parquet")
    samples["DriverNumber"] = samples["DriverNumber"].astype(str)
    times, lasts, top = [], [], []
    for driver, number in chosen.values():
        (lap,) = recorded_laps[
            (recorded_laps["Driver"] == driver) & (recorded_laps["LapNumber"] == number)
        ].itertuples()
        own = samples[(samples["DriverNumber"] == lap.DriverNumber) & (samples["Lap"] == number)]
        own = own.sort_values("session_time_ms")
        metres = own["Distance"].to_numpy(float) - float(own["Distance"].iloc[0])
        seconds = (own["session_time_ms"].to_numpy(float) - lap.LapStartTime) / 1000
        lasts.append((lap.Time - lap.LapStartTime) / 1000)
        top.append(float(own["Speed"].max()))

        def at(share: float, metres: Any = metres, seconds: Any = seconds) -> float:
            """Linear interpolation between the samples before and after."""
            wanted = share * metres[-1]
            after = min(int(np.argmax(metres >= wanted - 1e-9)), len(metres) - 1)
            if after == 0 or metres[after] == metres[after - 1]:
                return float(seconds[after])
            part = (wanted - metres[after - 1]) / (metres[after] - metres[after - 1])
            return float(seconds[after - 1] + part * (seconds[after] - seconds[after - 1]))

        times.append(at)
    length = between["x"][-1]
    expected = [times[1](x / length) - times[0](x / length) for x in between["x"]]
    # The chart has metres in tenths: at 80 km/h 0.05 m are 2 ms.
    assert np.abs(np.array(between["y"]) - np.array(expected)).max() <= 0.005
    assert between["y"][-1] == pytest.approx(lasts[1] - lasts[0], abs=0.001)
    assert np.ptp(between["y"]) > 0.2, "laps that do not differ would show nothing"
    speeds = [trace for trace in chart["data"] if trace["yaxis"] == "y2"]
    assert [max(trace["y"]) for trace in speeds] == pytest.approx(top, abs=0.05)
    assert [trace["line"]["dash"] for trace in speeds] == ["solid", "dash"]


def test_choices_survive_a_change_of_view(app: App) -> None:
    app.shows(Season="2025", view="Laps", Driver="TSU")
    app.shows(view="Tyres")
    assert app.shows(view="Laps")["selectors"]["Driver"]["value"] == "TSU"


def test_standings_are_the_recorded_answers(app: App, jolpica_data: Path) -> None:
    answers = season_2024(jolpica_data)
    for number in (6, 24):
        (option,) = (
            label for label in app.shows(Season="2024", view="Standings")["selectors"]["Round"]["options"]
            if label.startswith(f"{number} · ")
        )  # fmt: skip
        drivers, constructors = app.shows(Round=option)["tables"]
        for kind, listed, found in (
            ("driverstandings", "DriverStandings", drivers),
            ("constructorstandings", "ConstructorStandings", constructors),
        ):
            (answer,) = (body for path, body in answers.items() if path.endswith(f"2024/{number}/{kind}"))
            expected = answer["StandingsTable"]["StandingsLists"][0][listed]
            names = [
                f"{row['Driver']['givenName']} {row['Driver']['familyName']}" if "Driver" in row
                else row["Constructor"]["name"] for row in expected
            ]  # fmt: skip
            shown = [row["Driver"] if "Driver" in row else row["Team"] for row in found]
            assert sorted(shown) == sorted(names)
            assert [row["Points"] for row in found] == sorted(
                (float(row["points"]) for row in expected), reverse=True
            )
            assert found[0]["Wins"] == int(expected[0]["wins"])
            assert shown[0] == names[0]


def test_standings_that_are_not_loaded_are_a_sentence(app: App) -> None:
    sentences = app.shows(Season="2025", view="Standings")["sentences"]
    assert sentences == [
        text for text in sentences if text.startswith("The standings after this round are not loaded")
    ]
    assert len(sentences) == 2


TABLES = ("FACT_EVENTS", "DIM_SESSION", "SESSION_LAPS", "FACT_STINTS", "TELEMETRY", "PAGE_STANDINGS")


@pytest.mark.parametrize(
    ("database", "kept", "sentence"),
    [
        ("NOTHING", (), "There is no season in the marts yet"),
        ("EMPTY_MARTS", (), "There is no season in the marts yet"),
        ("ONLY_SEASONS", ("FACT_EVENTS",), "No session of this round was streamed"),
        ("ONLY_A_SESSION", ("DIM_SESSION",), "This session has no laps yet"),
    ],
)
def test_missing_data_is_a_sentence(
    marts: MartsRig, local: ModuleType, other_app: App, database: str, kept: tuple[str, ...], sentence: str
) -> None:
    settings = marts.settings.model_copy(update={"snowflake_database": database})
    with closing(Warehouse(marts.settings)) as warehouse:
        warehouse.execute(f"create database if not exists {database}")
        if database != "NOTHING":
            warehouse.execute(f"create schema if not exists {database}.MARTS")
            for table in TABLES:
                rows = "" if table in kept else "where false"
                warehouse.execute(
                    f"create or replace table {database}.MARTS.{table} as select * from F1STREAM.MARTS.{table} {rows}"
                )
    other_app.start(local.environment(settings))
    seen = other_app.shows()
    assert seen["sentences"][0].startswith(sentence)
    if not kept:
        assert seen["sentences"][0].count("make demo") == len(seen["sentences"]) == 1, "and nothing about roles"
    if kept:
        assert "standings" in " ".join(other_app.shows(view="Standings")["sentences"])


def test_a_warehouse_that_does_not_answer_is_a_sentence(local: ModuleType, other_app: App) -> None:
    other_app.start(local.environment(Settings(_env_file=None, embedded_warehouse_port=free_port())))
    with pytest.raises(AssertionError, match="The warehouse does not answer; start"):
        other_app.shows()


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Address of the app, started as `make streamlit` does."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, APP / "local.py", "--server.port", str(port)],
        env={**os.environ, **settings.environment()}, start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not listens(port):
            assert process.poll() is None, "the app has ended"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def address(marts: MartsRig) -> Iterator[str]:
    with served(marts.settings) as made:
        yield made


async def opened(browser: Browser, address: str, size: dict[str, int]) -> tuple[Page, set[str], list[str]]:
    page = await browser.new_page(viewport=size, color_scheme="dark" if size == PHONE else "light")
    hosts: set[str] = set()
    errors: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or "the page itself"))
    page.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).hostname or ""))
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(address)
    return page, hosts, errors


async def taken(page: Page, selector: str, option: str) -> None:
    await page.get_by_role("combobox", name=selector).click()
    await page.get_by_role("option", name=option, exact=True).click()


@needs_chromium
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_page_shows_every_view_and_connects_to_this_machine_only(
    address: str, browser: Browser, size: dict[str, int]
) -> None:
    page, hosts, errors = await opened(browser, address, size)
    for view, sign in VIEWS.items():
        if view == "Standings":
            await taken(page, "Season", "2024")
        await page.get_by_role("radiogroup").get_by_text(view, exact=True).click()
        if view == "Laps":
            await page.get_by_role("combobox", name="Driver").wait_for()
        await page.locator(sign).first.wait_for()
        await page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        await page.locator("[data-stale=true]").first.wait_for(state="detached")
        await picture(page, f"streamlit-{view}-{size['width']}", full_page=True)
        assert await page.locator("[data-testid=stException], [data-testid^=stAlertContent]").count() == 0
        wide, room = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, f"{view} is wider than the page"
    assert hosts - {"the page itself"} == {"127.0.0.1"}
    assert errors == []


@needs_chromium
@pytest.mark.asyncio(loop_scope="session")
async def test_another_driver_and_another_round_can_be_chosen(address: str, browser: Browser) -> None:
    page, _, errors = await opened(browser, address, DESKTOP)
    await page.get_by_role("radiogroup").get_by_text("Telemetry", exact=True).click()
    await taken(page, "First driver", "HAM")
    await page.locator(".js-plotly-plot .legendtext", has_text="HAM lap").first.wait_for()
    await taken(page, "Round", "16 · Italian Grand Prix")
    await page.get_by_text("No session of this round was streamed").wait_for()
    await taken(page, "Round", "1 · Australian Grand Prix")
    await page.locator(".js-plotly-plot .legendtext", has_text="HAM lap").first.wait_for()
    assert errors == []


def test_without_a_warehouse_one_is_started_and_stopped(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, embedded_warehouse_port=free_port())
    with served(settings) as address:
        assert listens(settings.embedded_warehouse_port)
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
        connection.request("GET", "/_stcore/health")
        assert connection.getresponse().read() == b"ok"
        connection.close()
    assert not listens(settings.embedded_warehouse_port)
