"""What the app asks the marts, and how: few columns, bounded rows, values bound and never written into the SQL."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd
import snowflake.connector
import streamlit as st

KEPT_S = 600
"""Marts change a few times a week; a viewer waits ten minutes for it at most."""
KEPT_ANSWERS = 200
_asking = threading.Lock()
"""Viewers of a local app share one connection: one question at a time."""

EVENTS = """
select event_key, season, round, event_name, race_date, event_status from MARTS.FACT_EVENTS
where round is not null order by season, round limit 5000
"""
SESSIONS = """
select session_key, event_key, session_name, is_race, meeting_name, session_date, is_simulated
from MARTS.DIM_SESSION order by session_date, started_ms limit 5000
"""
LAPS = """
select
    entries.driver_code, entries.driver_number, entries.team_name, entries.team_color,
    laps.lap_number, laps.position, laps.lap_time_ms, laps.sector1_ms, laps.sector2_ms, laps.sector3_ms,
    race_laps.gap_to_leader_ms, laps.compound, laps.tyre_life, laps.start_ms, laps.end_ms,
    laps.is_in_lap, laps.is_out_lap, laps.is_green, laps.is_accurate, laps.is_deleted
from MARTS.FACT_LAPS as laps
inner join MARTS.DIM_SESSION_ENTRY as entries on laps.entry_key = entries.entry_key
left outer join MARTS.FACT_RACE_LAPS as race_laps on laps.lap_key = race_laps.lap_key
where laps.session_key = ?
order by laps.driver_number, laps.lap_number limit 5000
"""
STINTS = """
select
    entries.driver_code, stints.stint_number, stints.first_lap, stints.last_lap, stints.laps, stints.compound,
    stints.is_fresh_tyre, stints.tyre_life_at_start, stints.median_clean_lap_time_ms
from MARTS.FACT_STINTS as stints
inner join MARTS.DIM_SESSION_ENTRY as entries on stints.entry_key = entries.entry_key
where stints.session_key = ?
order by stints.driver_number, stints.stint_number limit 2000
"""
TELEMETRY = """
select session_time_ms, distance_m, speed_kmh, throttle_percent, is_braking, gear
from MARTS.TELEMETRY
where
    session_date = ? and session_key = ? and driver_number = ?
    and session_time_ms between ? and ? and coalesce(lap_number, ?) = ?
order by session_time_ms limit 5000
"""
"""The date comes first: the samples are clustered by it. A live run's samples have no lap; their time tells it."""
DRIVERS = """
select
    standings.position, drivers.full_name as driver, standings.points, standings.wins,
    teams.constructor_name as team
from MARTS.FACT_DRIVER_STANDINGS as standings
inner join MARTS.DIM_DRIVER as drivers on standings.driver_key = drivers.driver_key
left outer join MARTS.DIM_CONSTRUCTOR as teams on standings.constructor_key = teams.constructor_key
where standings.event_key = ?
order by standings.position nulls last, standings.points desc, driver limit 200
"""
CONSTRUCTORS = """
select standings.position, teams.constructor_name as team, standings.points, standings.wins
from MARTS.FACT_CONSTRUCTOR_STANDINGS as standings
inner join MARTS.DIM_CONSTRUCTOR as teams on standings.constructor_key = teams.constructor_key
where standings.event_key = ?
order by standings.position nulls last, standings.points desc, team limit 100
"""


@st.cache_data(ttl=KEPT_S, max_entries=KEPT_ANSWERS, show_spinner="Asking the warehouse …")
def rows(sql: str, *values: Any) -> pd.DataFrame:
    """The rows of a query, with lower-case names. Raises snowflake.connector.Error.

    The connection is the app's own inside Snowflake, and elsewhere the connector's default one, which local.py tells.
    """
    connection = st.connection("snowflake")
    with _asking:
        try:
            return _ask(connection, sql, values)
        except snowflake.connector.Error:
            connection.reset()  # an embedded warehouse that was started anew knows no older session
            return _ask(connection, sql, values)


def _ask(connection: Any, sql: str, values: tuple[Any, ...]) -> pd.DataFrame:
    cursor = connection.cursor()
    cursor.execute(sql, values or None)
    names = [column.name.lower() for column in cursor.description]
    found = cursor.fetch_pandas_all()
    return found.set_axis(names, axis="columns") if len(names) == found.shape[1] else pd.DataFrame(columns=names)
