"""The charts. A letter, a name or a dash repeats the information of every colour."""

from __future__ import annotations

import re

import pandas as pd
import plotly.graph_objects as go
from laps import clock, letter
from plotly.subplots import make_subplots

COMPOUNDS = {
    "HYPERSOFT": ("#FFB4D2", "#000000"), "ULTRASOFT": ("#7B3FA0", "#FFFFFF"), "SUPERSOFT": ("#8C1020", "#FFFFFF"),
    "SOFT": ("#DA291C", "#FFFFFF"), "MEDIUM": ("#FFD12E", "#000000"), "HARD": ("#F0F0F0", "#000000"),
    "SUPERHARD": ("#F58220", "#000000"), "INTERMEDIATE": ("#2E8B3D", "#FFFFFF"), "WET": ("#0067AD", "#FFFFFF"),
}  # fmt: skip
"""Fill and text colours: Pirelli's of today, and those of 2018 for compounds that no longer exist."""
NO_COMPOUND = ("#9A9A9A", "#000000")
EDGE = "#808080"
"""An outline visible on a light and on a dark page, unlike hard tyres and the colours of some teams."""
PAIR = ("#0072B2", "#E69F00")
"""Two colours that colour-blind readers can distinguish (Okabe and Ito); team mates share their team's colour."""
ROW_PX = 26
"""Height of a driver's row in pixels."""
PLAIN = str.maketrans({letter: f"&#{ord(letter)};" for letter in "&<>%"})
"""Plotly interprets some markup, links too, and ``%{…}`` in templates; texts of records are escaped."""
CALM = {"displayModeBar": False, "scrollZoom": False}


def plain(text: object) -> str:
    """A record's text, escaped so that Plotly shows it unchanged."""
    return str(text).translate(PLAIN)


def tyre_strategy(stints: pd.DataFrame, order: list[str]) -> go.Figure:
    """A bar per stint, a row per driver."""
    figure = go.Figure()
    for compound, found in stints.fillna({"compound": "unknown"}).groupby("compound", sort=False):
        colour, ink = COMPOUNDS.get(compound, NO_COMPOUND)
        figure.add_bar(
            orientation="h", name=f"{letter(compound)} {plain(compound.lower())}",
            y=found["driver_code"].map(plain).tolist(),
            base=(found["first_lap"] - 1).tolist(), x=found["laps"].tolist(), text=[letter(compound)] * len(found),
            textposition="inside", insidetextanchor="middle", textangle=0, constraintext="none",
            textfont={"color": ink, "size": 13}, marker={"color": colour, "line": {"color": EDGE, "width": 1}},
            customdata=[_stint(row) for row in found.itertuples()],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="overlay", height=ROW_PX * len(order) + 120, margin={"l": 0, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0}, dragmode=False,
    )  # fmt: skip
    figure.update_yaxes(
        categoryorder="array", categoryarray=[plain(code) for code in order[::-1]], automargin=True, dtick=1
    )
    figure.update_xaxes(title="lap", side="top", rangemode="tozero", automargin=True)
    return figure


def _stint(row: object) -> str:
    fresh = {True: ", new", False: ", used"}.get(row.is_fresh_tyre, "")
    pace = f", median {clock(row.median_clean_lap_time_ms)}" if clock(row.median_clean_lap_time_ms) else ""
    compound = plain(row.compound.lower())
    return f"laps {row.first_lap} to {row.last_lap} ({row.laps}) on {compound}{fresh}{pace}"


def team_pace(laps: pd.DataFrame, teams: pd.DataFrame, ink: str) -> go.Figure:
    """A box per team, the fastest median on top. ``ink`` is the colour of its lines, visible on the page."""
    figure = go.Figure()
    for team in teams.itertuples():
        times = laps.loc[laps["team_name"] == team.team_name, "lap_time_ms"] / 1000
        figure.add_box(
            x=times.tolist(), name=plain(team.team_name), fillcolor=_paler(_colour(team.team_color)),
            line={"color": ink, "width": 1.5},
            marker={"color": _colour(team.team_color), "size": 4, "line": {"color": ink, "width": 0.5}},
            boxpoints="outliers", showlegend=False,
        )  # fmt: skip
    ticks = _ticks(laps["lap_time_ms"].min() / 1000, laps["lap_time_ms"].max() / 1000)
    figure.update_layout(
        height=40 * len(teams) + 80, margin={"l": 0, "r": 8, "t": 8, "b": 8}, boxgap=0.35, dragmode=False
    )
    order = [plain(name) for name in teams["team_name"]][::-1]
    figure.update_yaxes(categoryorder="array", categoryarray=order, automargin=True)
    figure.update_xaxes(
        title="lap time", tickvals=ticks, ticktext=[clock(tick * 1000)[:-2] for tick in ticks], hoverformat=".3f",
        automargin=True,
    )  # fmt: skip
    return figure


def _ticks(low: float, high: float) -> list[float]:
    step = next((step for step in (0.5, 1, 2, 5, 10, 20) if (high - low) / step <= 6), 60)
    first = -(-low // step) * step
    return [first + number * step for number in range(int((high - first) // step) + 1)]


def comparison(first: pd.DataFrame, second: pd.DataFrame, behind: pd.DataFrame, names: tuple[str, str]) -> go.Figure:
    """Two laps along the track: the time difference, speed, throttle, brake and gear."""
    names = (plain(names[0]), plain(names[1]))
    titles = (f"{names[1]} behind {names[0]}, s", "speed, km/h", "throttle, %", "brake", "gear")
    figure = make_subplots(
        rows=5, cols=1, shared_xaxes=True, vertical_spacing=0.045, row_heights=[2, 4, 2, 1, 2], subplot_titles=titles
    )
    figure.add_scatter(
        x=_short(behind["metres"]), y=_short(behind["seconds"], 3), name="between them", showlegend=False,
        line={"color": EDGE, "width": 2}, row=1, col=1, hovertemplate="%{y:+.3f} s",
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": EDGE, "width": 1, "dash": "dot"}, row=1, col=1)
    length = first["metres"].iloc[-1]
    for lap, name, colour, dash in zip((first, second), names, PAIR, ("solid", "dash"), strict=True):
        for row, (channel, shape) in enumerate(
            {"speed": "linear", "throttle": "linear", "brake": "hv", "gear": "hv"}.items(), 2
        ):
            figure.add_scatter(
                x=_short(lap["share"] * length), y=_short(lap[channel]), name=name, legendgroup=name, mode="lines",
                showlegend=row == 2, line={"color": colour, "width": 2, "dash": dash, "shape": shape}, row=row, col=1,
            )  # fmt: skip
    figure.update_layout(
        height=820, margin={"l": 0, "r": 8, "t": 60, "b": 8}, hovermode="x unified", dragmode=False,
        legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_annotations(x=0, xanchor="left", font={"size": 13})
    figure.update_xaxes(automargin=True, hoverformat=".0f", ticksuffix=" m")
    figure.update_yaxes(automargin=True, nticks=5)
    figure.update_yaxes(tickvals=[0, 1], ticktext=["off", "on"], range=[-0.15, 1.15], row=4, col=1)
    figure.update_yaxes(tickvals=[2, 4, 6, 8], range=[0.5, 8.5], row=5, col=1)
    return figure


def _short(values: pd.Series, places: int = 1) -> list[float | None]:
    """Rounded values: a lap has some thousand numbers to send to the browser."""
    return [None if pd.isna(value) else round(float(value), places) for value in values]


def _colour(team_color: str | None) -> str:
    known = isinstance(team_color, str) and re.fullmatch(r"[0-9A-Fa-f]{6}", team_color)
    return f"#{team_color}" if known else EDGE


def _paler(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.6)"
