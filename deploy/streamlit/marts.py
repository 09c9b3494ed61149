"""The app's queries: few columns of single marts, a limit of rows, and values as bound parameters."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd
import snowflake.connector
import streamlit as st

CACHE_S = 600
"""Seconds that a result is cached. Marts change a few times a week."""
CACHED_RESULTS = 200
"""Results in the cache; older ones are dropped."""
_connection_lock = threading.Lock()
"""Viewers of a local app share one connection, which runs one query at a time."""

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
    driver_code, driver_number, team_name, team_color, lap_number, position, lap_time_ms, sector1_ms, sector2_ms,
    sector3_ms, gap_to_leader_ms, compound, tyre_life, start_ms, end_ms,
    is_in_lap, is_out_lap, is_green, is_accurate, is_deleted
from MARTS.SESSION_LAPS
where session_key = ?
order by driver_number, lap_number limit 5000
"""
STINTS = """
select
    driver_code, stint_number, first_lap, last_lap, laps, compound, is_fresh_tyre, tyre_life_at_start,
    median_clean_lap_time_ms
from MARTS.FACT_STINTS
where session_key = ?
order by driver_number, stint_number limit 2000
"""
TELEMETRY = """
select session_time_ms, distance_m, speed_kmh, throttle_percent, is_braking, gear
from MARTS.TELEMETRY
where
    session_date = ? and session_key = ? and driver_number = ?
    and session_time_ms between ? and ? and coalesce(lap_number, ?) = ?
order by session_time_ms limit 5000
"""
"""Filters by date because samples are clustered by it, and by time because samples of a live run have no lap."""
DRIVERS = """
select position, name as driver, points, wins, team_name as team
from MARTS.PAGE_STANDINGS
where event_key = ? and championship = 'drivers'
order by position nulls last, points desc, name limit 200
"""
CONSTRUCTORS = """
select position, name as team, points, wins
from MARTS.PAGE_STANDINGS
where event_key = ? and championship = 'constructors'
order by position nulls last, points desc, name limit 100
"""


@st.cache_data(ttl=CACHE_S, max_entries=CACHED_RESULTS, show_spinner="Querying the warehouse …")
def rows(sql: str, *values: Any) -> pd.DataFrame:
    """The rows of a query, with column names in lower case. Raises snowflake.connector.Error.

    Inside Snowflake the connection is the app's own, elsewhere the connector's default one, which local.py sets.
    """
    connection = st.connection("snowflake")
    with _connection_lock:
        try:
            return _query(connection, sql, values)
        except snowflake.connector.Error:
            connection.reset()  # an embedded warehouse that was restarted has lost the session
            return _query(connection, sql, values)


def _query(connection: Any, sql: str, values: tuple[Any, ...]) -> pd.DataFrame:
    cursor = connection.cursor()
    cursor.execute(sql, values or None)
    names = [column.name.lower() for column in cursor.description]
    found = cursor.fetch_pandas_all()
    return found.set_axis(names, axis="columns") if len(names) == found.shape[1] else pd.DataFrame(columns=names)
