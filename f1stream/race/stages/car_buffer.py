"""What was received of one car and waits for the other cars and for messages."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np

from f1stream.race.line import ReferenceLine
from f1stream.topics import RunDamaged, SequenceGap
from models import CarUpdate, LapUpdate


@dataclass(slots=True)
class CarBuffer:
    """What was received of one car and is in no frame yet."""

    seq: int = -1
    """Its last packet that was received."""
    received_ms: int = -1
    """Everything up to here was received."""
    ready_ms: int = -1
    """The same, as far as the messages that its packets name have been seen too."""
    runs: deque[tuple[int, int]] = field(default_factory=deque)
    """(last seq, until) of each run beyond the last frame."""
    naming: deque[tuple[int, int]] = field(default_factory=deque)
    """(messages named, until) of runs that are not ready."""
    t: list[int] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)
    drs: list[int | None] = field(default_factory=list)
    laps: deque[LapUpdate] = field(default_factory=deque)

    def take(self, update: CarUpdate) -> bool:
        """Receive a run of packets. False for a repeated one.

        Raises SequenceGap when one is missing, and RunDamaged when it is the run's first.
        """
        if update.last_seq <= self.seq:
            return False
        if update.first_seq > self.seq + 1:
            if self.seq < 0:
                raise RunDamaged(f"car {update.driver_number}: its first packet is {update.first_seq}, not 0")
            raise SequenceGap(f"car {update.driver_number}: packet {update.first_seq} came after {self.seq}")
        first = next((i for i, t in enumerate(update.t) if t > self.received_ms), len(update.t))
        self.t += update.t[first:]
        self.x += update.x[first:]
        self.y += update.y[first:]
        self.speed += update.speed[first:]
        self.drs += update.drs[first:] if update.drs else [None] * (len(update.t) - first)
        self.laps.extend(lap for lap in update.laps if lap.emitted_ms > self.received_ms)
        self.seq, self.received_ms = update.last_seq, update.until_ms
        self.runs.append((update.last_seq, update.until_ms))
        self.naming.append((update.messages, update.until_ms))
        return True

    def promote(self, messages: int) -> int:
        """Up to when this car is complete, now that ``messages`` messages have been seen."""
        while self.naming and self.naming[0][0] <= messages:
            self.ready_ms = self.naming.popleft()[1]
        return self.ready_ms

    def drop(self, samples: int) -> None:
        """Drop the first so many samples."""
        del self.t[:samples], self.x[:samples], self.y[:samples], self.speed[:samples], self.drs[:samples]

    def leave(self, until: int, done: int) -> int:
        """Drop what frames up to ``until`` hold; the last seq that lies wholly before (``done`` so far).

        Of a car that takes no part in the race the samples have not been dropped before.
        """
        self.drop(bisect_right(self.t, until))
        while self.laps and self.laps[0].emitted_ms <= until:
            self.laps.popleft()
        while self.runs and self.runs[0][1] <= until:
            done = self.runs.popleft()[0]
        return done


def project(line: ReferenceLine | None, waiting: list[tuple[CarBuffer, int]]) -> list[list[float]]:
    """Metres along the line of each car's first n waiting samples; all cars at once, that is the fast way."""
    if line is None:
        return [[0.0] * n for _, n in waiting]
    x = np.array(list(chain.from_iterable(car.x[:n] for car, n in waiting)), dtype=np.float64)
    y = np.array(list(chain.from_iterable(car.y[:n] for car, n in waiting)), dtype=np.float64)
    along = line.project(x, y).tolist() if len(x) else []
    ends = np.cumsum([0, *(n for _, n in waiting)]).tolist()
    return [along[begin:end] for begin, end in pairwise(ends)]
