"""The Streamlit app without Streamlit: its computations, and the files uploaded to Snowflake."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.support.required import ROOT
from tests.support.streamlit_app import APP, module_of_the_app


@pytest.mark.parametrize("with_distance", [True, False], ids=["recorded", "live"])
def test_the_time_between_two_laps_goes_from_nothing_to_the_lap_times_difference(
    recorded_laps: pd.DataFrame, archive_path: Path, with_distance: bool
) -> None:
    """FastF1 adds samples at the line; without them, as in a feed, the result is the same."""
    laps = module_of_the_app("laps")
    samples = pd.read_parquet(archive_path / "telemetry.parquet").sort_values("session_time_ms")
    samples = samples.rename(columns={"Distance": "distance_m", "Speed": "speed_kmh", "Throttle": "throttle_percent",
                                      "Brake": "is_braking", "nGear": "gear"})  # fmt: skip
    whole, cut, times = [], [], []
    for driver, number, skipped in (("VER", 25, 1), ("NOR", 28, 2)):
        (lap,) = recorded_laps[
            (recorded_laps["Driver"] == driver) & (recorded_laps["LapNumber"] == number)
        ].itertuples()
        own = samples[(samples["DriverNumber"].astype(str) == lap.DriverNumber) & (samples["Lap"] == number)]
        edges = (int(lap.Time - lap.LapTime), int(lap.Time))
        whole.append(laps.trace(own, *edges))
        own = own.iloc[skipped : -3 + skipped]
        cut.append(laps.trace(own if with_distance else own.assign(distance_m=np.nan), *edges))
        times.append(lap.LapTime / 1000)
    between = laps.delta(*cut)["seconds"]
    assert between.iloc[0] == 0
    assert between.iloc[-1] == pytest.approx(times[1] - times[0], abs=0.001)
    assert np.abs(between - laps.delta(*whole)["seconds"]).max() < 0.1


def test_the_upload_to_snowflake_is_all_that_the_app_imports() -> None:
    (entity,) = yaml.safe_load((APP / "snowflake.yml").read_text())["entities"].values()
    uploaded = set(entity["artifacts"])
    assert uploaded == {file.name for file in APP.glob("*.py")} - {"local.py"} | {"environment.yml"}
    for name in uploaded:
        assert "f1stream.settings" not in (APP / name).read_text()
        assert "import f1stream" not in (APP / name).read_text()
    locked = (ROOT / "deploy" / "locks" / "streamlit.txt").read_text()
    pinned = [
        package
        for package in yaml.safe_load((APP / "environment.yml").read_text())["dependencies"]
        if "streamlit=" in package
    ]
    assert pinned == ["streamlit=1.51.0"]
    assert f"\n{pinned[0].replace('=', '==')} " in locked, "the tested version runs in Snowflake"


def test_the_script_has_no_value_that_streamlit_would_print() -> None:
    """Streamlit's magic prints expressions that are statements, but no calls and docstrings, in its script only."""
    tree = ast.parse((APP / "streamlit_app.py").read_text())
    owners = [
        node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    docstrings = {owner.body[0] for owner in owners if ast.get_docstring(owner) is not None}
    printed = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and node not in docstrings and not isinstance(node.value, ast.Call)
    ]
    assert printed == []


def test_every_compound_has_the_same_letter_and_a_colour_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the page, in the warehouse and in the app, compounds of 2018 too."""
    monkeypatch.syspath_prepend(APP)
    page = (ROOT / "web" / "static" / "page" / "flags-and-compounds.js").read_text()
    shown = {name: (letter, color) for name, letter, color in re.findall(
        r'\["(\w+)", \{ letter: "(\w+)", color: "(--[a-z]+)" \}\]', page)}  # fmt: skip
    assert {"HYPERSOFT", "ULTRASOFT", "SUPERSOFT", "SOFT", "MEDIUM", "HARD", "INTERMEDIATE", "WET"} < shown.keys()
    assert len({letter for letter, _ in shown.values()}) == len({color for _, color in shown.values()}) == len(shown)
    assert {name: letter for name, (letter, _) in shown.items()} == module_of_the_app("laps").LETTERS
    colors = module_of_the_app("charts").COMPOUNDS
    assert len(set(colors.values())) == len(colors)
    assert colors.keys() == shown.keys()
    theme = (ROOT / "web" / "static" / "styles" / "theme.css").read_text()
    for _, color in shown.values():
        assert len(set(re.findall(rf"^  {color}: (#[0-9a-f]{{6}});$", theme, re.MULTILINE))) == 2, "dark and light"
    seed = pd.read_csv(ROOT / "dbt" / "seeds" / "tyre_compounds.csv")
    assert set(seed["compound"]) == shown.keys() | {"UNKNOWN", "TEST_UNKNOWN"}


def test_names_from_the_warehouse_are_no_markup_in_a_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(APP)
    charts = module_of_the_app("charts")
    evil, shown = '<a href="https://evil.example">&%{x}</a>', '&#60;a href="https://evil.example"&#62;&#38;&#37;{x}'
    stints = pd.DataFrame({
        "driver_code": [evil, "VER"], "compound": [evil, "SOFT"], "first_lap": [1, 1], "last_lap": [9, 9],
        "laps": [9, 9], "is_fresh_tyre": [True, False], "median_clean_lap_time_ms": [90_000, 91_000],
    })  # fmt: skip
    laps = pd.DataFrame({"team_name": [evil] * 3, "lap_time_ms": [90_000, 91_000, 92_000]})
    teams = pd.DataFrame({"team_name": [evil], "team_color": ["<b>red"]})
    trace = pd.DataFrame({
        "metres": [0.0, 9.0], "share": [0.0, 1.0], "speed": [1, 2], "throttle": [0, 1], "brake": [0, 1],
        "gear": [1, 2],
    })  # fmt: skip
    behind = pd.DataFrame({"metres": [0.0, 9.0], "seconds": [0.0, 0.1]})
    for figure in (
        charts.tyre_strategy(stints, [evil, "VER"]),
        charts.team_pace(laps, teams, "#000000"),
        charts.comparison(trace, trace, behind, (evil, "VER lap 3")),
    ):
        shown_figure = figure.to_plotly_json()
        assert shown in str(shown_figure)
        assert "<a" not in str(shown_figure).lower()
        assert shown_figure["data"]
    order = charts.tyre_strategy(stints, [evil, "VER"])
    assert {code for bar in order.data for code in bar.y} == set(order.layout.yaxis.categoryarray)
