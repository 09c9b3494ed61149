"""The samples of a session archive: ``telemetry.parquet`` and ``driver_ahead.parquet`` as columns per car."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from f1stream.sources.session import Columns, SourceError

DECIMALS = {"X": 1, "Y": 1, "Z": 1, "Speed": 2, "RPM": 2, "Throttle": 2, "Distance": 2, "RelativeDistance": 6,
            "DistanceToDriverAhead": 2}  # fmt: skip
"""Decimal places of the columns stored as 32-bit floats; reading restores the rounded values in 64 bits."""
COLUMN_NAMES = {
    "session_time_ms": "session_time_ms", "x": "X", "y": "Y", "z": "Z", "speed": "Speed", "rpm": "RPM",
    "throttle": "Throttle", "brake": "Brake", "gear": "nGear", "drs": "DRS", "status": "Status", "lap": "Lap",
    "distance": "Distance", "relative_distance": "RelativeDistance", "driver_ahead": "DriverAhead",
    "distance_to_driver_ahead": "DistanceToDriverAhead",
}  # fmt: skip
"""A packet's column to the archive's."""
OPTIONAL_COLUMNS = {
    "DRS", "Status", "Lap", "Distance", "RelativeDistance", "DriverAhead", "DistanceToDriverAhead",
}  # fmt: skip
TEXT_COLUMNS = {"Status", "DriverAhead"}
FEED_OPEN_DRS = 12
"""One of the feed's codes for open DRS; code 1 is closed."""


def read_samples(folder: Path) -> dict[str, Columns]:
    """The samples by driver number, in time order. Raises SourceError."""
    files = dict.fromkeys(_columns_in(folder / "telemetry.parquet"), folder / "telemetry.parquet")
    beside = folder / "driver_ahead.parquet"
    if "DriverAhead" not in files and beside.exists():
        files |= dict.fromkeys(_columns_in(beside), beside)
    for name in COLUMN_NAMES.values():
        if name not in files and name not in OPTIONAL_COLUMNS:
            raise SourceError(f"{files['DriverNumber']} has no column {name}. Fetch the archive again.")
    drivers = _read(files["DriverNumber"], "DriverNumber").cast(pa.string()).combine_chunks().dictionary_encode()
    codes = drivers.indices.to_numpy()
    rows = {
        number: np.flatnonzero(codes == code)
        for number, code in sorted((number, code) for code, number in enumerate(drivers.dictionary.to_pylist()))
    }
    samples: dict[str, Columns] = {number: {} for number in rows}
    for ours, theirs in COLUMN_NAMES.items():  # one after the other: all columns at once need twice the memory
        if theirs not in files:
            continue
        stored = _read(files[theirs], theirs)
        if len(stored) != len(codes):
            raise SourceError(
                f"{files[theirs]} has {len(stored):,} samples, not {len(codes):,}. Fetch the archive again."
            )
        column = _column(stored, theirs)
        if theirs == "DRS" and set(pc.unique(stored).to_pylist()) == {0, 1}:
            column = column * FEED_OPEN_DRS  # the archive has 0 and 1 instead of the codes
        for number, own in rows.items():
            samples[number][ours] = column[own]
    return samples


def _columns_in(path: Path) -> list[str]:
    with _errors(path):
        names: list[str] = pq.read_schema(path).names
        return names


def _read(path: Path, name: str) -> pa.ChunkedArray:
    with _errors(path):
        return pq.read_table(path, columns=[name])[name]


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Raise SourceError for a file that is missing or damaged."""
    try:
        yield
    except FileNotFoundError:
        raise SourceError(f"{path} is missing: the session archive is not complete. Fetch it again.") from None
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} cannot be read: {error}. Fetch the archive again.") from None


def _column(column: pa.ChunkedArray, name: str) -> Any:
    if name in TEXT_COLUMNS or pa.types.is_dictionary(column.type):
        # One Python text for each value, not for each sample.
        coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
        return np.array([*coded.dictionary.to_pylist(), None], object)[coded.indices.fill_null(-1).to_numpy()]
    if name == "Brake":
        return column.to_numpy().astype(bool)
    values = column.to_numpy()
    return np.round(values.astype(np.float64), DECIMALS[name]) if name in DECIMALS else values
