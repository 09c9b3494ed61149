"""The samples of all laps, as merged by FastF1's ``Lap.get_telemetry()``, as the columns of an archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from f1stream.sources.archive_samples import DECIMALS
from f1stream.sources.fastf1.driver_ahead import fast_driver_ahead

INTEGERS = {"Brake": pa.int16(), "DRS": pa.int16(), "nGear": pa.int16()}
SCHEMA = pa.schema(
    [
        ("Driver", pa.dictionary(pa.int8(), pa.string())),
        ("DriverNumber", pa.dictionary(pa.int8(), pa.string())),
        ("Lap", pa.int16()),
        ("session_time_ms", pa.int32()),
        ("Date", pa.timestamp("ms", tz="UTC")),
        *((name, pa.float32()) for name in ("X", "Y", "Z", "Speed", "RPM", "Throttle")),
        *INTEGERS.items(),
        ("Distance", pa.float32()),
        ("RelativeDistance", pa.float32()),
        ("Status", pa.dictionary(pa.int8(), pa.string())),
    ]
)
"""telemetry.parquet, ordered by session time, then car number. DRS has the feed's codes."""
AHEAD_SCHEMA = pa.schema(
    [("DriverAhead", pa.dictionary(pa.int32(), pa.string())), ("DistanceToDriverAhead", pa.float32())]
)
"""driver_ahead.parquet: the same rows in the same order; null without a car ahead."""


def samples(session: Any, step: Callable[[], None], note: Callable[[str], None]) -> tuple[pa.Table, pa.Table]:
    """All samples of a loaded FastF1 session: telemetry.parquet and driver_ahead.parquet.

    ``step`` is called after each lap; ``note`` is called with a sentence when laps have no samples.
    """
    import pandas as pd  # noqa: PLC0415 - FastF1's

    frames, without = [], []
    with fast_driver_ahead(session):
        for _, lap in session.laps.iterlaps():
            frame = _merged(lap)
            step()
            if frame is None:
                without.append(f"{lap['Driver']} {lap['LapNumber']:.0f}")
                continue
            frame = frame.assign(
                Driver=lap["Driver"], DriverNumber=lap["DriverNumber"], Lap=int(lap["LapNumber"]),
                order=int(lap["DriverNumber"]),
            )  # fmt: skip
            frames.append(pd.DataFrame(frame))
    if without:
        note(f"{len(without)} laps have no samples: {', '.join(without)}.")
    if not frames:
        return SCHEMA.empty_table(), AHEAD_SCHEMA.empty_table()
    rows = pd.concat(frames, ignore_index=True)
    # FastF1 interpolates the distance also where no car is ahead.
    rows.loc[rows["DriverAhead"] == "", "DistanceToDriverAhead"] = np.nan
    rows["session_time_ms"] = _ms(rows["SessionTime"])
    rows = rows.sort_values(["session_time_ms", "order", "Lap"], kind="stable", ignore_index=True)
    return _table(rows, SCHEMA), _table(rows, AHEAD_SCHEMA)


def _merged(lap: Any) -> Any | None:
    """A lap's samples; None without its bounds or samples of its car."""
    number, session = lap["DriverNumber"], lap.session
    if lap[["LapStartTime", "Time"]].isna().any() or number not in session.car_data or number not in session.pos_data:
        return None
    try:
        frame = lap.get_telemetry()
    except (ValueError, LookupError):  # raised by FastF1 without samples
        return None
    return (
        None if frame.empty or frame[["X", "Y", "Z", "Speed", "RPM", "Throttle"]].isna().to_numpy().any() else frame
    )


def _table(rows: Any, schema: pa.Schema) -> pa.Table:
    return pa.table([_column(rows[field.name], field) for field in schema], schema=schema)


def _column(column: Any, field: pa.Field) -> pa.Array:
    if field.name in DECIMALS:
        values = np.round(column.to_numpy(dtype=np.float64), DECIMALS[field.name])
        return pa.array(values.astype(np.float32), field.type, mask=~np.isfinite(values))
    if pa.types.is_dictionary(field.type):
        names = pa.array(column.astype(object), pa.string(), mask=((column == "") | column.isna()).to_numpy())
        return names.dictionary_encode().cast(field.type)
    if pa.types.is_timestamp(field.type):
        return pa.array(_ms(column), pa.int64()).cast(field.type)
    return pa.array(column.to_numpy(), field.type, safe=False)


def _ms(column: Any) -> Any:
    """Durations or instants as whole milliseconds (since session time 0, or 1970)."""
    return np.round(column.to_numpy().astype("int64") / 1e6).astype("int64")
