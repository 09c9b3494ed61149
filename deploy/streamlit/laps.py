"""Formats and compares laps: functions of the marts' rows, without Streamlit and without a warehouse."""

from __future__ import annotations

import numpy as np
import pandas as pd

GRID = 400
"""Points along the lap at which two laps are compared: one every 10 to 18 m."""
LETTERS = {
    "HYPERSOFT": "HS", "ULTRASOFT": "US", "SUPERSOFT": "SS", "SOFT": "S", "MEDIUM": "M", "HARD": "H",
    "SUPERHARD": "SH", "INTERMEDIATE": "I", "WET": "W",
}  # fmt: skip
"""By compound; HYPERSOFT, ULTRASOFT, SUPERSOFT and SUPERHARD were used until 2018."""
UNKNOWN = "?"


def clock(milliseconds: float | None) -> str:
    """A lap time as 1:22.167; empty for None."""
    if milliseconds is None or pd.isna(milliseconds):
        return ""
    minutes, rest = divmod(round(milliseconds), 60_000)
    return f"{minutes}:{rest // 1000:02d}.{rest % 1000:03d}"


def letter(compound: str | None) -> str:
    """A compound's letter, so that a chart does not depend on its colours."""
    return LETTERS.get(str(compound), UNKNOWN)


def in_order(laps: pd.DataFrame, is_race: bool) -> list[str]:
    """The drivers in the order of the session: by laps and time in races, by the fastest lap in other sessions."""
    by_driver = laps.groupby("driver_code")
    if is_race:
        driven = by_driver.agg(laps=("lap_number", "max"), end=("end_ms", "max"))
        return list(driven.sort_values(["laps", "end"], ascending=[False, True]).index)
    return list(by_driver["lap_time_ms"].min().sort_values(na_position="last").index)


def clean(laps: pd.DataFrame) -> pd.DataFrame:
    """The laps that show pace: timed, on a clear track, and neither in-laps nor out-laps."""
    driven = laps["lap_time_ms"].notna() & laps["is_green"].eq(True) & laps["is_accurate"].eq(True)
    return laps[driven & ~laps["is_in_lap"].eq(True) & ~laps["is_out_lap"].eq(True)]


def pace(laps: pd.DataFrame) -> pd.DataFrame:
    """A row per team of clean laps, fastest median first: median and fastest lap (ms), and number of laps."""
    return (
        laps.groupby("team_name", as_index=False)
        .agg(
            team_color=("team_color", "first"), median_ms=("lap_time_ms", "median"), best_ms=("lap_time_ms", "min"),
            laps=("lap_time_ms", "size"),
        )
        .sort_values("median_ms", ignore_index=True)
    )  # fmt: skip


def trace(samples: pd.DataFrame, start_ms: int, end_ms: int) -> pd.DataFrame:
    """A lap's samples with seconds since its start and the share of its length; impossible values become null.

    No sample is taken at the line, so the lap is extended to its official start and end, at the speed of the nearest
    sample. Samples of a live run have no distance: the speed is integrated.
    """
    time_s = (samples["session_time_ms"] - start_ms) / 1e3
    speed = samples["speed_kmh"].astype(float)
    metres = samples["distance_m"].astype(float)
    if metres.isna().any():
        metres = (((speed + speed.shift()) / 2 / 3.6) * time_s.diff()).fillna(0.0).cumsum()
    gear = samples["gear"].astype(float)
    throttle = samples["throttle_percent"].astype(float)
    found = pd.DataFrame(
        {
            "time_s": time_s,
            "metres": metres,
            "speed": speed,
            "throttle": throttle.where(throttle <= 100),  # 104: no data
            "brake": samples["is_braking"].astype(float),
            "gear": gear.where(gear.between(0, 8)),
        }
    )
    edges = found.iloc[[0, -1]].assign(time_s=[0.0, (end_ms - start_ms) / 1e3])
    edges["metres"] += edges["speed"] / 3.6 * (edges["time_s"] - found["time_s"].iloc[[0, -1]])
    found = pd.concat([edges.iloc[:1], found, edges.iloc[1:]], ignore_index=True)
    found["metres"] = (found["metres"] - found["metres"].iloc[0]).cummax()
    return found.assign(share=found["metres"] / (found["metres"].iloc[-1] or np.nan))


def delta(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """The time (s) by which the second lap is behind the first, at equal shares of their lengths.

    Integrated lengths differ by some metres between laps; with shares both laps end at the line.
    """
    share = np.linspace(0.0, 1.0, GRID + 1)
    behind = np.interp(share, second["share"], second["time_s"]) - np.interp(share, first["share"], first["time_s"])
    behind[0] = 0.0  # in a standing start a car moves later than its lap begins
    return pd.DataFrame({"metres": share * first["metres"].iloc[-1], "seconds": behind})
