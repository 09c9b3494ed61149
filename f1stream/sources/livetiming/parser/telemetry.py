"""``CarData.z`` and ``Position.z``: decompressed, and merged per car onto one clock."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from f1stream.sources.livetiming.compressed import UnreadableData, decompress
from f1stream.sources.livetiming.parser.values import as_float, as_int
from f1stream.sources.session import Columns
from f1stream.sources.timestamps import utc_ms
from models.bounds import LONGEST_MS, MOST_CODE, MOST_KMH

CHANNELS = {"rpm": "0", "speed": "2", "gear": "3", "throttle": "4", "brake": "5", "drs": "45"}
"""The feed's name of each channel."""
NO_DATA = 104
"""The feed's code for throttle and brake values that were not measured."""
OFF_TRACK = "OffTrack"
LATEST_MS = LONGEST_MS // 2
"""A sample whose instant differs by more (ms) from its time of sending is not of this session: it is damaged."""


@dataclass
class CarTrace:
    """One car's samples as received, by instant (Unix ms, UTC)."""

    car: list[tuple[int, float, float, int, float, bool, int | None]] = field(default_factory=list)
    """(utc, rpm, speed km/h, gear, throttle %, brake, drs)."""
    places: list[tuple[int, float, float, float, str | None]] = field(default_factory=list)
    """(utc, x, y, z in 1/10 m, status); instants without a position fix are left out."""
    _drained: set[int] = field(default_factory=set)
    """Instants that were returned already and are kept to interpolate from."""

    def drain(self, t0_utc_ms: int, until: int | None) -> Columns:
        """The samples up to the instant ``until`` that were not returned before."""
        car, places = _in_order(self.car), _in_order(self.places)
        known: set[int] = {sample[0] for sample in car} | {place[0] for place in places}
        at = sorted(known - self._drained)
        at = at if until is None else [instant for instant in at if instant <= until]
        columns = _between(np.array(at, dtype=np.int64), car, places, t0_utc_ms)
        self.car, self.places = _rest(car, until), _rest(places, until)
        kept: set[int] = {sample[0] for sample in self.car} | {place[0] for place in self.places}
        self._drained = kept if until is None else {instant for instant in kept if instant <= until}
        return columns


@dataclass
class TelemetryBuffer:
    """Every car's samples that were not returned yet."""

    traces: defaultdict[str, CarTrace] = field(default_factory=lambda: defaultdict(CarTrace))
    damaged: int = 0
    """Entries that could not be read, and were skipped."""
    lag_ms: int | None = None
    """The smallest delay seen (ms) between a sample's instant and its time of sending."""

    def take_car_data(self, packed: Any, sent_ms: int) -> None:
        """A ``CarData.z`` message. Raises UnreadableData."""
        for at_ms, cars in self._entries(packed, "Entries", "Utc", "Cars", sent_ms):
            for car, sent in cars.items():
                channels = sent.get("Channels") if isinstance(sent, dict) else None
                sample = _car_sample(at_ms, channels) if isinstance(channels, dict) else None
                if sample is None:
                    self.damaged += 1
                else:
                    self.traces[car].car.append(sample)

    def take_positions(self, packed: Any, sent_ms: int) -> None:
        """A ``Position.z`` message. Raises UnreadableData."""
        for at_ms, cars in self._entries(packed, "Position", "Timestamp", "Entries", sent_ms):
            for car, sent in cars.items():
                place = _place(at_ms, sent) if isinstance(sent, dict) else None
                if place is None:
                    self.damaged += 1
                elif place[1:4] != (0, 0, 0):  # 0 in all three: no position fix
                    self.traces[car].places.append(place)

    def _entries(
        self, packed: Any, listed: str, instant: str, cars: str, sent_ms: int
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        data = decompress(packed)
        entries = data.get(listed) if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise UnreadableData(f"it has no list {listed}")
        for entry in entries:
            at_ms = utc_ms(entry.get(instant)) if isinstance(entry, dict) else None
            if at_ms is None or not isinstance(entry.get(cars), dict):
                self.damaged += 1
                continue
            delay = sent_ms - at_ms
            if abs(delay) > LATEST_MS:
                self.damaged += 1
                continue
            self.lag_ms = delay if self.lag_ms is None else min(self.lag_ms, delay)
            yield at_ms, entry[cars]

    def merged(self, cars: list[str], t0_utc_ms: int, until_ms: int | None = None) -> dict[str, Columns]:
        """Columns by car, up to ``until_ms`` of session time, of all samples not returned before; late ones included.

        Cars of ``cars`` without samples have empty columns. There is a sample at every instant of either topic;
        values of the other topic are interpolated. Session time is in ms since ``t0_utc_ms``. A car without positions
        has 0 for x, y and z; one without car data has 0 or None for the rest.
        """
        until = None if until_ms is None else until_ms + t0_utc_ms
        return {car: self.traces[car].drain(t0_utc_ms, until) for car in dict.fromkeys([*cars, *self.traces])}


def _car_sample(
    at_ms: int, channels: dict[str, Any]
) -> tuple[int, float, float, int, float, bool, int | None] | None:
    rpm, speed, throttle = (as_float(channels.get(CHANNELS[name])) for name in ("rpm", "speed", "throttle"))
    gear, brake = as_int(channels.get(CHANNELS["gear"])), as_float(channels.get(CHANNELS["brake"]))
    if rpm is None or speed is None or throttle is None or gear is None or brake is None or abs(speed) > MOST_KMH:
        return None
    drs = as_int(channels.get(CHANNELS["drs"]))  # from 2026 there is none
    return at_ms, rpm, speed, gear, throttle, 0 < brake < NO_DATA, drs


def _place(at_ms: int, sent: dict[str, Any]) -> tuple[int, float, float, float, str | None] | None:
    x, y, z = (as_float(sent.get(name)) for name in ("X", "Y", "Z"))
    if x is None or y is None or z is None:
        return None
    status = sent.get("Status")
    if isinstance(status, str) and len(status) > MOST_CODE:
        return None
    if isinstance(status, str) and status.isdecimal():  # older feeds send 0 and 1
        status = OFF_TRACK if int(status) else "OnTrack"
    return at_ms, x, y, z, status if isinstance(status, str) else None


def _between(at: npt.NDArray[np.int64], car: list[Any], places: list[Any], t0_utc_ms: int) -> Columns:
    at_car = np.array([sample[0] for sample in car], dtype=np.int64)
    at_place = np.array([place[0] for place in places], dtype=np.int64)

    def between(known: npt.NDArray[np.int64], values: list[float]) -> npt.NDArray[np.float64]:
        return np.interp(at, known, values) if values else np.zeros(len(at))

    def as_before(known: npt.NDArray[np.int64], values: list[Any], otherwise: Any) -> npt.NDArray[Any]:
        if not values:
            return np.full(len(at), otherwise, dtype=object)
        last = np.maximum(np.searchsorted(known, at, side="right") - 1, 0)
        return np.array(values, dtype=object)[last]

    columns: Columns = {
        "session_time_ms": at - t0_utc_ms,
        "x": between(at_place, [place[1] for place in places]).round(1),
        "y": between(at_place, [place[2] for place in places]).round(1),
        "z": between(at_place, [place[3] for place in places]).round(1),
        "speed": between(at_car, [sample[2] for sample in car]).round(1),
        "rpm": between(at_car, [sample[1] for sample in car]).round(1),
        "throttle": between(at_car, [sample[4] for sample in car]).round(1),
        "brake": as_before(at_car, [sample[5] for sample in car], otherwise=False).astype(bool),
        "gear": as_before(at_car, [sample[3] for sample in car], 0).astype(np.int64),
        "drs": as_before(at_car, [sample[6] for sample in car], None),
        "status": as_before(at_place, [place[4] or "OnTrack" for place in places], OFF_TRACK),
    }
    return columns


def _rest(samples: list[Any], until: int | None) -> list[Any]:
    """The samples to keep after returning those up to ``until``: the last of these, and all later ones."""
    done = len(samples) if until is None else bisect_right(samples, until, key=lambda sample: sample[0])
    return samples[max(done - 1, 0) :]


def _in_order(samples: list[Any]) -> list[Any]:
    """Sorted by instant; of two samples at one instant, the one received later."""
    return list({sample[0]: sample for sample in sorted(samples, key=lambda sample: sample[0])}.values())
