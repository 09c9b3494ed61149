"""Telemetry of a run by car, as compact columns from which the samples of a lap are sliced.

A packet is decoded without its pydantic model: a race has some 30,000, and the server's event loop decodes them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import orjson

from f1stream import topics
from f1stream.race.compare import Samples
from f1stream.topics import BadRecord

CHUNK = 4096
"""Samples of a sealed chunk: about nine minutes of a car."""
COLUMNS = (("t", "<i4"), ("x", "<f4"), ("y", "<f4"), ("speed", "<f4"), ("throttle", "u1"), ("brake", "u1"),
           ("gear", "u1"), ("drs", "u1"))  # fmt: skip
"""Names and types of the columns, in the order of a chunk."""
SAMPLE_BYTES = sum(np.dtype(kind).itemsize for _, kind in COLUMNS)
UNKNOWN_DRS = 255
FARTHEST = 1e9
"""A packet with a greater position (1/10 m) or speed (km/h) is rejected."""
_ARRAYS = {"<i4": "i", "<f4": "f", "u1": "B"}


@dataclass(frozen=True, slots=True)
class PacketColumns:
    """The stored part of a record of topic ``telemetry``."""

    session_key: str
    car: str
    run_id: int
    seq: int
    columns: tuple[array[Any], ...]
    """In the order of ``COLUMNS``."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """``CHUNK`` or more samples of a car, sealed: the columns one after the other in one ``bytes``."""

    first_ms: int
    last_ms: int
    samples: int
    data: bytes

    def column(self, place: int) -> Any:
        """A column as an array, without a copy; ``place``: its index in ``COLUMNS``."""
        before = sum(np.dtype(kind).itemsize for _, kind in COLUMNS[:place]) * self.samples
        return np.frombuffer(self.data, COLUMNS[place][1], self.samples, before)


class _CarColumns:
    """One car's samples: sealed chunks, then the columns that still grow."""

    __slots__ = ("chunks", "last_ms", "open", "seq")

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.open = _columns()
        self.seq = -1
        self.last_ms = -(2**31)


class SampleStore:
    """The samples of one run. A car's packets arrive in order; repeats are dropped."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes of memory of the samples."""
        self._cars: dict[str, _CarColumns] = {}

    def __contains__(self, car: str) -> bool:
        return car in self._cars

    def append(self, packet: PacketColumns) -> int:
        """Add a packet; returns how many samples were new. Raises BadRecord when they lie before the last sample."""
        car = self._cars.setdefault(packet.car, _CarColumns())
        if packet.seq <= car.seq:
            return 0
        car.seq = packet.seq
        times = packet.columns[0]
        if not times:
            return 0
        if times[0] < car.last_ms:
            raise BadRecord(f"its samples start at {times[0]} ms, before the car's last sample at {car.last_ms} ms")
        car.last_ms = times[-1]
        for column, new in zip(car.open, packet.columns, strict=True):
            column.extend(new)
        if len(car.open[0]) >= CHUNK:
            self._seal(car)
        self.size += len(times) * SAMPLE_BYTES
        return len(times)

    def _seal(self, car: _CarColumns) -> None:
        times = car.open[0]
        data = b"".join(column.tobytes() for column in car.open)
        car.chunks.append(Chunk(times[0], times[-1], len(times), data))
        car.open = _columns()

    def lap(self, car: str, start_ms: int, end_ms: int) -> Samples:
        """A car's samples from ``start_ms`` to ``end_ms``, both included; none for an unknown car."""
        found = self._cars.get(car)
        parts: list[list[Any]] = []
        if found is not None:
            first = bisect_left(found.chunks, start_ms, key=attrgetter("last_ms"))
            last = bisect_right(found.chunks, end_ms, key=attrgetter("first_ms"))
            parts = [[chunk.column(place) for place in range(len(COLUMNS))] for chunk in found.chunks[first:last]]
            # Copied: an array cannot grow while numpy has a view of it.
            parts.append([np.array(column, kind) for column, (_, kind) in zip(found.open, COLUMNS, strict=True)])
        parts = parts or [[np.empty(0, kind) for _, kind in COLUMNS]]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        begin = np.searchsorted(columns[0], start_ms, side="left")
        end = np.searchsorted(columns[0], end_ms, side="right")
        return Samples(*(column[begin:end] for column in columns))


def _columns() -> tuple[array[Any], ...]:
    return tuple(array(_ARRAYS[kind]) for _, kind in COLUMNS)


def decode_packet(key: bytes, headers: topics.RecordHeaders, value: bytes | None) -> PacketColumns:
    """The stored part of a record of topic ``telemetry``. Raises BadRecord with the reason as a sentence."""
    session_key, car = topics.session_of(key)
    try:
        body = orjson.loads(value or b"")
        times = array("i", body["session_time_ms"])
        # ``append`` relies on the order of times and on the lengths of columns, and on nothing else.
        if times.tolist() != sorted(times):
            raise BadRecord("samples are not in time order")
        drs = body.get("drs")
        columns = (
            times, array("f", body["x"]), array("f", body["y"]), array("f", body["speed"]),
            _small(map(round, body["throttle"]), body["throttle"]), _small(body["brake"]), _small(body["gear"]),
            array("B", [UNKNOWN_DRS]) * len(times) if drs is None else _drs(drs),
        )  # fmt: skip
    except KeyError as missing:
        raise BadRecord(f"column {missing} is missing") from None
    except orjson.JSONDecodeError as error:
        raise BadRecord(f"the value is not JSON: {error}") from None
    except (TypeError, AttributeError, OverflowError, ValueError) as error:
        if isinstance(error, BadRecord):
            raise
        raise BadRecord(f"a column has an invalid value: {error}") from None
    for (name, _), column in zip(COLUMNS, columns, strict=True):
        if len(column) != len(times):
            raise BadRecord(f"column {name} has {len(column)} values, session_time_ms has {len(times)}")
    if times and not all(np.abs(column).max() <= FARTHEST for column in columns[1:4]):
        raise BadRecord("a position or speed is out of bounds")
    return PacketColumns(session_key, car, headers.run_id, headers.seq, columns)


def _small(values: Iterable[int], again: Iterable[float] | None = None) -> array[int]:
    """Numbers as bytes. Corrupt car data has numbers that a byte cannot hold: they are clipped."""
    try:
        return array("B", bytes(values))
    except ValueError:
        return array("B", [min(max(round(value), 0), 255) for value in again or values])


def _drs(values: list[int | None]) -> array[int]:
    return _small([UNKNOWN_DRS if value is None else value for value in values])
