"""Which timing points a car passed between two samples, and where it was at official times."""

from __future__ import annotations

from typing import NamedTuple

from f1stream.race.car import LINES, STATIONARY_KMH, Car
from f1stream.race.limits import AWAITED
from f1stream.race.progress import KMH, SILENCE_MS
from f1stream.race.timing_points import FINISH, PIT_FINISH, SECTOR_1, SECTOR_2, Observation, Passing, TimingPoints

COAST_MS = 600
"""ms. A car whose samples end less than this before a line counts as across it: recordings end at the flag."""
SLOW_MPS = 5.0
"""m/s. A slower car does not show where the finish line is."""
LATEST_MS = 2_000
"""ms. Nor does a car that was measured there this much earlier or later than officially."""
MOVED_M = 10.0
"""m. A sector line learned to be earlier may lie up to this far behind a car that has not passed it."""


class ProgressSample(NamedTuple):
    """A sample on the car's progress: metres, session time (ms), m/s."""

    m: float
    t: int
    speed: float

    def passed_ms(self, later: ProgressSample, at0: float, at1: float) -> int:
        """When the car passed a point that is at ``at0`` (m) for this sample's speed, at ``at1`` for ``later``'s."""
        off0, off1 = self.m - at0, later.m - at1
        share = off0 / (off0 - off1) if off1 > off0 else 1.0
        return round(self.t + (later.t - self.t) * min(max(share, 0.0), 1.0))


def points_passed(
    car: Car, since: ProgressSample, now: ProgressSample, points: TimingPoints
) -> list[tuple[Passing, int | None]]:
    """Points between two samples: timing lines with their number, sector lines with None."""
    passed: list[tuple[Passing, int | None]] = []
    lap = car.measured_line // LINES + 1
    begin = (lap - 1) * points.length_m
    ahead: list[float] = []
    for sector in (SECTOR_1, SECTOR_2):
        was, is_now = points.position(sector, since.speed), points.position(sector, now.speed)
        if was is None or is_now is None:
            continue
        at0, at1 = begin + was, begin + is_now
        if now.m < at1:
            ahead.append(at1 - points.varies_m)
        elif since.m < at0 or (since.m < at0 + MOVED_M and not _is_measured(car, sector, lap)):
            passed.append((Passing(sector, lap, since.passed_ms(now, at0, at1)), None))
    while (at1 := _line_at(car, car.measured_line + 1, now.speed, points)) <= now.m:
        car.measured_line += 1
        at0 = _line_at(car, car.measured_line, since.speed, points)
        time_ms = since.passed_ms(now, at0, at1)
        passed.append((Passing(FINISH, car.measured_line // LINES, time_ms), car.measured_line))
        if car.measured_line % LINES == 0:
            point = PIT_FINISH if car.in_pit else FINISH
            car.passed_finish = Observation(point, at1 - car.measured_line * points.length_m / LINES, now.speed)
    ahead.append(at1 - points.varies_m if (car.measured_line + 1) % LINES == 0 else at1)
    car.next_m = min(ahead)
    return passed


def _is_measured(car: Car, sector: int, lap: int) -> bool:
    known = car.measured_at[sector]
    return known is not None and known[0] == lap


def _line_at(car: Car, line: int, speed: float, points: TimingPoints) -> float:
    at = line * points.length_m / LINES
    if line % LINES == 0:
        at += points.position(PIT_FINISH if car.in_pit else FINISH, speed) or 0.0
    return at


def observe(car: Car, since: ProgressSample, now: ProgressSample, points: TimingPoints) -> None:
    """Note where the car was at the official times between two samples."""
    for point, lap, time_ms in car.awaited:
        if since.t <= time_ms <= now.t:
            share = (time_ms - since.t) / (now.t - since.t)
            metres = since.m + (now.m - since.m) * share - (lap - 1) * points.length_m
            car.seen_at.append(Observation(point, metres, since.speed + (now.speed - since.speed) * share))
    del car.seen_at[:-AWAITED]
    car.awaited = [awaited for awaited in car.awaited if awaited[2] > now.t]


def observed_finish(car: Car, late_ms: int) -> Observation | None:
    """Where the car was at its official time at the finish line, which it was measured to pass ``late_ms`` later.

    None when its speed may have changed in between.
    """
    if car.passed_finish is None or car.passed_finish.speed < SLOW_MPS or abs(late_ms) > LATEST_MS:
        return None
    point, metres, speed = car.passed_finish
    return Observation(point, metres - speed * late_ms / 1_000, speed)


def coast_to_lines(car: Car, now: int, points: TimingPoints) -> list[tuple[Passing, int | None]]:
    """Points that a car now silent must have passed: its last sample was less than ``COAST_MS`` before them."""
    at = car.progress
    if car.coasted or at.m is None or car.seen_ms is None or now - car.seen_ms < SILENCE_MS:
        return []
    car.coasted = True
    if at.speed <= STATIONARY_KMH:
        return []
    since = ProgressSample(at.m, at.t, at.speed / KMH)
    later = ProgressSample(at.m + since.speed * COAST_MS / 1_000, at.t + COAST_MS, since.speed)
    return points_passed(car, since, later, points)
