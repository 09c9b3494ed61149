"""``CarData.z`` and ``Position.z``: unpacked, and merged per car onto one clock."""

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
NO_DATA = 104
"""The feed's code for a value that was not measured, of throttle and brake."""
OFF_TRACK = "OffTrack"
LATEST_MS = LONGEST_MS // 2
"""A sample that is further from when it was sent is not of this session, ms."""


@dataclass
class CarTrace:
    """One car's samples as they came: columns by instant (Unix ms, UTC)."""

    car: list[tuple[int, float, float, int, float, bool, int | None]] = field(default_factory=list)
    """(utc, rpm, speed km/h, gear, throttle %, brake, drs)."""
    places: list[tuple[int, float, float, float, str | None]] = field(default_factory=list)
    """(utc, x, y, z in 1/10 m, status); none where there was no fix."""
    _given: set[int] = field(default_factory=set)
    """Instants, of those still here to interpolate from, that were given out."""

    def give(self, t0_utc_ms: int, until: int | None) -> Columns:
        """The samples up to the instant ``until`` that were not given out; what is later may lie beyond them."""
        car, places = _in_order(self.car), _in_order(self.places)
        known: set[int] = {sample[0] for sample in car} | {place[0] for place in places}
        at = sorted(known - self._given)
        at = at if until is None else [instant for instant in at if instant <= until]
        columns = _between(np.array(at, dtype=np.int64), car, places, t0_utc_ms)
        self.car, self.places = _rest(car, until), _rest(places, until)
        kept: set[int] = {sample[0] for sample in self.car} | {place[0] for place in self.places}
        self._given = kept if until is None else {instant for instant in kept if instant <= until}
        return columns


@dataclass
class TelemetryBuffer:
    """Every car's samples that were not given out yet."""

    traces: defaultdict[str, CarTrace] = field(default_factory=lambda: defaultdict(CarTrace))
    damaged: int = 0
    """Entries that had not what they should."""
    lag_ms: int | None = None
    """By how much the feed's clock of sending is behind that of its samples: the least delay that was seen."""

    def take_car_data(self, packed: Any, sent_ms: int) -> None:
        """A ``CarData.z`` message. Raises UnreadableData."""
        for at_ms, cars in self._entries(packed, "Entries", "Utc", "Cars", sent_ms):
            for car, told in cars.items():
                channels = told.get("Channels") if isinstance(told, dict) else None
                sample = _car_sample(at_ms, channels) if isinstance(channels, dict) else None
                if sample is None:
                    self.damaged += 1
                else:
                    self.traces[car].car.append(sample)

    def take_positions(self, packed: Any, sent_ms: int) -> None:
        """A ``Position.z`` message. Raises UnreadableData."""
        for at_ms, cars in self._entries(packed, "Position", "Timestamp", "Entries", sent_ms):
            for car, told in cars.items():
                place = _place(at_ms, told) if isinstance(told, dict) else None
                if place is None:
                    self.damaged += 1
                elif place[1:4] != (0, 0, 0):  # no fix
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
        """Give out what was not given out yet, by car, up to ``until_ms`` of session time; late samples among it.

        Of ``cars`` without samples there are empty columns.

        A sample at every instant of either topic, values between them interpolated. Session time in ms since
        ``t0_utc_ms``. Of a car without positions x, y, z are 0, without car data the rest.
        """
        until = None if until_ms is None else until_ms + t0_utc_ms
        return {car: self.traces[car].give(t0_utc_ms, until) for car in dict.fromkeys([*cars, *self.traces])}


def _car_sample(
    at_ms: int, channels: dict[str, Any]
) -> tuple[int, float, float, int, float, bool, int | None] | None:
    rpm, speed, throttle = (as_float(channels.get(CHANNELS[name])) for name in ("rpm", "speed", "throttle"))
    gear, brake = as_int(channels.get(CHANNELS["gear"])), as_float(channels.get(CHANNELS["brake"]))
    if rpm is None or speed is None or throttle is None or gear is None or brake is None or abs(speed) > MOST_KMH:
        return None
    drs = as_int(channels.get(CHANNELS["drs"]))  # from 2026 there is none
    return at_ms, rpm, speed, gear, throttle, 0 < brake < NO_DATA, drs


def _place(at_ms: int, told: dict[str, Any]) -> tuple[int, float, float, float, str | None] | None:
    x, y, z = (as_float(told.get(name)) for name in ("X", "Y", "Z"))
    if x is None or y is None or z is None:
        return None
    status = told.get("Status")
    if isinstance(status, str) and len(status) > MOST_CODE:
        return None
    if isinstance(status, str) and status.isdecimal():  # as older feeds have it
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
    """What is still needed when everything up to ``until`` was given out: the last of it, and what is later."""
    given = len(samples) if until is None else bisect_right(samples, until, key=lambda sample: sample[0])
    return samples[max(given - 1, 0) :]


def _in_order(samples: list[Any]) -> list[Any]:
    """By instant, the later of two at the same one."""
    return list({sample[0]: sample for sample in sorted(samples, key=lambda sample: sample[0])}.values())
