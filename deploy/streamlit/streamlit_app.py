"""The app: past sessions and standings from the marts, in Snowflake or, through local.py, on this machine."""

from __future__ import annotations

import os
from typing import Any

import charts
import laps as lap
import marts
import pandas as pd
import snowflake.connector
import streamlit as st
from streamlit.errors import StreamlitAPIException

# Set by local.py when the warehouse is the embedded one. A comment: Streamlit's magic would print a docstring here on
# the page, in this file only, as it is the script that Streamlit runs.
EMBEDDED = "F1STREAM_APP_EMBEDDED" in os.environ
NO_MARTS = "There is no season in the marts yet. " + (
    'Stop this app, fill the warehouse with `make demo ARGS="--keep --speed max --exit-when-done"` (a race and its'
    " season, in some minutes), and start it again."
    if EMBEDDED
    else "Load a session (`f1stream replay`) or a season (`f1stream jolpica sync`), then build them with"
    " `f1stream dbt build`."
)
NO_SESSION = (
    "No session of this round was streamed, so it has no laps. `f1stream replay` publishes a past one, and"
    " `f1stream dbt build` then builds its laps. The standings do not need them."
)
NO_STANDINGS = (
    "The standings after this round are not loaded. `f1stream jolpica sync` fetches them, and `f1stream dbt build`"
    " builds them."
)
NO_LAPS = (
    "This session has no laps yet: none had ended when the marts were built. `f1stream dbt build` rebuilds them."
)


def main() -> None:
    """Draw the page from top to bottom."""
    st.set_page_config(page_title="f1stream", layout="wide")
    for name in list(st.session_state):  # else Streamlit drops choices of hidden views
        st.session_state[name] = st.session_state[name]
    st.subheader("Sessions and standings")
    events, sessions = marts.rows(marts.EVENTS), marts.rows(marts.SESSIONS)
    if events.empty and sessions.empty:
        st.info(NO_MARTS)
        return
    event_key, chosen = selectors(events, sessions)
    view = st.radio("Show", list(VIEWS), horizontal=True, key="view", label_visibility="collapsed")
    if view == "Standings":
        standings(event_key)
    elif chosen is None:
        st.info(NO_SESSION)
    else:
        found = marts.rows(marts.LAPS, chosen["session_key"])
        if chosen["is_simulated"]:
            st.caption("This session is simulated.")
        if found.empty:
            st.info(NO_LAPS)
        else:
            VIEWS[view](chosen, found, lap.in_order(found, bool(chosen["is_race"])))


def selectors(events: pd.DataFrame, sessions: pd.DataFrame) -> tuple[str | None, dict[str, Any] | None]:
    """The selectors of season, round and session; returns the event's key and the session, each None if missing."""
    dated = pd.to_datetime(sessions["session_date"])
    sessions = sessions.assign(season=dated.dt.year)
    # Sessions outside the calendar, such as simulations, are listed by name after the rounds.
    outside = ~sessions["event_key"].isin(events["event_key"])
    sessions["place"] = sessions["event_key"].where(~outside, sessions["meeting_name"].fillna("other sessions"))
    places = pd.concat(
        [
            events.assign(
                place=events["event_key"],
                label=[f"{row.round} · {row.event_name}" for row in events.itertuples()],
            ),
            sessions[outside]
            .drop_duplicates(["season", "place"])
            .assign(label=lambda found: found["place"], event_status="held", event_key=None),
        ]
    )
    seasons = sorted({int(season) for season in places["season"]}, reverse=True)
    streamed = [season for season in seasons if season in set(sessions["season"])]
    left, middle, right = st.columns([1, 2, 2])
    season = choice(left, "Season", seasons, (streamed or seasons)[0], "season")
    of_season = places[places["season"] == season].set_index("label")
    sessions = sessions[sessions["season"] == season]
    newest = [
        *of_season.index[:1],
        *of_season.index[of_season["event_status"] == "held"],
        *of_season.index[of_season["place"].isin(sessions["place"])],
    ][-1]
    place = of_season.loc[choice(middle, "Round", list(of_season.index), newest, f"round-{season}")]
    event_key = place["event_key"] if isinstance(place["event_key"], str) else None
    there = sessions[sessions["place"] == place["place"]]
    if there.empty:
        right.selectbox("Session", ["none was streamed"], disabled=True, key="no-session")
        return event_key, None
    names = there["session_name"].str.cat(there["session_date"].astype(str), " · ")
    there = there.set_index(names.where(~names.duplicated(keep=False), names + " · " + there["session_key"]))
    name = choice(right, "Session", list(there.index), there.index[-1], f"session-{season}-{place['place']}")
    return event_key, there.loc[name].to_dict()


def choice(place: Any, label: str, options: list[Any], default: Any, key: str, **more: Any) -> Any:
    """A selector. It keeps an earlier choice that is still among the options."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = default
    return place.selectbox(label, options, key=key, **more)


def tyres(session: dict[str, Any], laps: pd.DataFrame, order: list[str]) -> None:
    """Stints as bars."""
    stints = marts.rows(marts.STINTS, session["session_key"])
    if stints.empty:
        st.info("This session has no stints.")
        return
    st.plotly_chart(charts.tyre_strategy(stints, order), config=charts.CALM, key="tyre-strategy")


def pace(session: dict[str, Any], laps: pd.DataFrame, order: list[str]) -> None:
    """Lap times by team, of clean laps."""
    clean = lap.clean(laps)
    compounds = sorted(clean["compound"].dropna().unique())
    tyre = choice(st, "Tyres", ["all", *compounds], "all", f"tyres-{session['session_key']}", format_func=str.lower)
    if tyre != "all":
        clean = clean[clean["compound"] == tyre]
    if clean.empty:
        st.info(
            "No lap of this session was timed under a clear track, apart from those into and out of the pit lane."
        )
        return
    teams = lap.pace(clean)
    ink = "#FAFAFA" if st.context.theme.type == "dark" else "#31333F"
    st.plotly_chart(charts.team_pace(clean, teams, ink), config=charts.CALM, key="team-pace")
    st.caption(
        "Laps under a clear track, without those into and out of the pit lane. The line in a box is the median."
    )
    shown = pd.DataFrame(
        {
            "Team": teams["team_name"], "Median": teams["median_ms"].map(lap.clock),
            "Gap, s": (teams["median_ms"] - teams["median_ms"].min()) / 1000,
            "Fastest": teams["best_ms"].map(lap.clock), "Laps": teams["laps"],
        }
    )  # fmt: skip
    st.dataframe(shown, hide_index=True, column_config={"Gap, s": st.column_config.NumberColumn(format="%.3f")})


def lap_table(session: dict[str, Any], laps: pd.DataFrame, order: list[str]) -> None:
    """The laps of one driver, or of all."""
    everybody = "all"
    driver = choice(st, "Driver", [everybody, *order], order[0], f"laps-{session['session_key']}")
    found = laps if driver == everybody else laps[laps["driver_code"] == driver]
    found = found.sort_values(["lap_number", "end_ms"])
    shown = pd.DataFrame(
        {
            "Lap": found["lap_number"],
            "Driver": found["driver_code"],
            "Pos": found["position"],
            "Time": found["lap_time_ms"].map(lap.clock),
            "Tyre": found["compound"].map(lap.letter),
            "Age": found["tyre_life"],
            "Gap, s": found["gap_to_leader_ms"] / 1000,
            **{f"S{number}, s": found[f"sector{number}_ms"] / 1000 for number in (1, 2, 3)},
            "Notes": [_notes(row) for row in found.itertuples()],
        }
    )
    if driver != everybody:
        shown = shown.drop(columns="Driver")
    seconds = st.column_config.NumberColumn(format="%.3f")
    age = st.column_config.NumberColumn(help="Laps driven on the set, including this one.")
    formats = {name: seconds for name in shown if name.endswith(", s")} | {"Age": age}
    st.dataframe(shown, hide_index=True, height=_height(shown), column_config=formats)


def _height(table: pd.DataFrame) -> int:
    """Height in pixels of a table with all its rows, at most one screen."""
    return min(35 * (len(table) + 1) + 3, 738)


def _notes(row: Any) -> str:
    notes = (
        ("in", row.is_in_lap),
        ("out", row.is_out_lap),
        ("deleted", row.is_deleted),
        ("not green", not row.is_green),
    )
    return ", ".join(word for word, holds in notes if holds)


def telemetry(session: dict[str, Any], laps: pd.DataFrame, order: list[str]) -> None:
    """Two laps along the track."""
    timed = laps[laps["lap_time_ms"].notna()]
    fastest = list(timed.groupby("driver_code")["lap_time_ms"].min().sort_values().index)
    if not fastest:
        st.info("No lap of this session has a time.")
        return
    chosen = []
    for column, name, place in zip(st.columns(2), ("First", "Second"), (0, 1), strict=True):
        key = f"{name.lower()}-{session['session_key']}"
        default = fastest[min(place, len(fastest) - 1)]
        driver = choice(column, f"{name} driver", fastest, default, f"{key}-driver")
        own = timed[timed["driver_code"] == driver]
        own = own.set_index(pd.Index([_named(row) for row in own.itertuples()]))
        number = choice(column, f"{name} lap", list(own.index), own["lap_time_ms"].idxmin(), f"{key}-{driver}-lap")
        chosen.append(own.loc[number])
    traces = [_trace(session, row) for row in chosen]
    names = tuple(f"{row['driver_code']} lap {row['lap_number']}" for row in chosen)
    for name, found in zip(names, traces, strict=True):
        if found is None:
            st.info(f"There are no samples of {name}: the run was published without car data.")
            return
    behind = lap.delta(*traces)
    st.plotly_chart(charts.comparison(*traces, behind, names), config=charts.CALM, key="comparison")


def _named(row: Any) -> str:
    return f"{row.lap_number} · {lap.clock(row.lap_time_ms)} · {lap.letter(row.compound)}"


def _trace(session: dict[str, Any], row: Any) -> pd.DataFrame | None:
    number, ends = int(row["lap_number"]), int(row["end_ms"])
    begins = ends - int(row["lap_time_ms"])
    samples = marts.rows(
        marts.TELEMETRY, str(session["session_date"]), session["session_key"], row["driver_number"],
        begins, ends, number, number,
    )  # fmt: skip
    return lap.trace(samples, begins, ends) if len(samples) > 1 else None


def standings(event_key: str | None) -> None:
    """The championships after the round."""
    left, right = st.columns(2)
    for column, title, query in ((left, "Drivers", marts.DRIVERS), (right, "Constructors", marts.CONSTRUCTORS)):
        found = marts.rows(query, event_key) if event_key else pd.DataFrame()
        with column:
            st.markdown(f"**{title}**")
            if found.empty:
                st.info(NO_STANDINGS if event_key else "This session is not in the calendar: it has no standings.")
                continue
            found = found.rename(columns=str.capitalize).astype({"Points": float})
            points = st.column_config.ProgressColumn(format="%g", min_value=0, max_value=found["Points"].max() or 1)
            found = found.rename(columns={"Position": "Pos"})
            st.dataframe(found, hide_index=True, height=_height(found), column_config={"Points": points})


VIEWS = {"Tyres": tyres, "Pace": pace, "Laps": lap_table, "Telemetry": telemetry, "Standings": standings}

try:
    main()
except snowflake.connector.ProgrammingError as error:
    st.info(NO_MARTS)
    if not EMBEDDED:
        st.caption(f"If they are built, the role lacks rights on schema MARTS. The warehouse's error: {error.msg}")
except (snowflake.connector.Error, StreamlitAPIException) as error:
    # Streamlit reports every failed connection as "missing configuration"; the cause is in the context.
    st.error(
        f"The warehouse does not answer; start this app with `make streamlit`. Error: {error.__context__ or error}"
    )
