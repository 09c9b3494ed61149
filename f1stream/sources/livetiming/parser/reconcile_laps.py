"""A car's laps with their times made consistent: lap times, sectors, and when each of them ended. Plain functions.

The rules, and the order in which they are applied, are FastF1's, so that a lap from the live feed is the lap that
FastF1 would load a day later. docs/laps.md lists the exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream.sources.livetiming.parser.car_laps import LATE_MS, LapRow


@dataclass(slots=True)
class ReconciledLap:
    """A lap whose times agree with each other. Session time and durations in ms."""

    number: int
    """From 1, among the rows of the car."""
    end_ms: int
    lap_time_ms: int | None
    sectors: list[int | None]
    sectors_at: list[int | None]
    pit_in_ms: int | None
    pit_out_ms: int | None
    speeds: dict[str, int] = field(default_factory=dict)
    start_ms: int | None = None


def reconcile_laps(rows: list[LapRow]) -> list[ReconciledLap]:
    """The laps of a car. ``rows``: ``CarLaps.driven``."""
    times = [row.lap_time_ms for row in rows]
    sectors = [list(row.sectors) for row in rows]
    _complete(rows, times, sectors)
    ends = _ends(rows, sectors)
    if ends and ends[-1] is None:  # driven into the pits, or not to its end
        last = rows[-1]
        ends[-1] = last.pit_in_ms if last.pit_in_ms is not None and last.pit_in_ms > (last.pit_out_ms or 0) else None
        if ends[-1] is None:
            ends.pop()
    at = [list(row.sectors_at) for row in rows]
    _synchronise(ends, times, sectors, at)
    return [
        ReconciledLap(
            n + 1, end, times[n], sectors[n], at[n], rows[n].pit_in_ms, rows[n].pit_out_ms, dict(rows[n].speeds)
        )
        for n, end in enumerate(ends)
        if end is not None
    ]


def _complete(rows: list[LapRow], times: list[int | None], sectors: list[list[int | None]]) -> None:
    """Fill in times that the feed leaves out because they equal the lap before, and drop impossible ones."""
    for n, row in enumerate(rows):
        known = [sector for sector in sectors[n] if sector is not None]
        total, is_whole = sum(known), len(known) == len(sectors[n])
        time = times[n]
        if time is not None and total > time:
            time = total if is_whole and _is_in_one_go(row) else None
        elif time is None and row.has_no_time:
            time = total if is_whole else None
        if n > 0:
            if time is None and is_whole and times[n - 1] == total:
                time = total
            elif time is not None and len(known) == len(sectors[n]) - 1:
                missing = sectors[n].index(None)
                if sectors[n - 1][missing] == time - total:
                    sectors[n][missing] = time - total
        times[n] = time


def _is_in_one_go(row: LapRow) -> bool:
    """Whether the third sector was sent as long after the first as sectors two and three took.

    On a lap that is not driven to its end, the third sector may be that of the lap before, sent again.
    """
    first, _, third = row.sectors_at
    if first is None or third is None:
        return False
    return abs(third - first - sum(sector or 0 for sector in row.sectors[1:])) < LATE_MS


def _ends(rows: list[LapRow], sectors: list[list[int | None]]) -> list[int | None]:
    """When each lap ended: the earliest of all values that imply it, since the feed may be late but never early."""
    ends = [row.ended_ms for row in rows]
    for n, row in enumerate(rows):
        end, rest = ends[n], 0
        for then, at in zip((0, sectors[n][2], sectors[n][1]), reversed(row.sectors_at), strict=True):
            if at is None:
                continue
            if then is None:
                break
            rest += then
            if end is None or at + rest < end:
                end = at + rest
        before = ends[n - 1] if n > 0 else None
        if end is not None and (before is None or end >= before):
            ends[n] = end
    return ends


def _synchronise(
    ends: list[int | None], times: list[int | None], sectors: list[list[int | None]], at: list[list[int | None]]
) -> None:
    """Derive ends from the neighbouring laps: once backwards, once forwards, there with the sectors' ends."""
    for n in range(len(ends) - 1, 0, -1):
        end, time, before = ends[n], times[n], ends[n - 1]
        if end is None or time is None or before is None or end - time >= before:
            continue
        earlier = ends[n - 2] if n > 1 else None
        if earlier is None or end - time >= earlier:
            ends[n - 1] = end - time
    for n in range(1, len(ends)):
        end, time, start = ends[n], times[n], ends[n - 1]
        if start is None or time is None:
            continue
        if end is not None and start + time < end:
            ends[n] = start + time
        so_far = start
        for nth, sector in enumerate(sectors[n]):
            if sector is None:
                break
            so_far += sector
            sent_ms = at[n][nth]
            if sent_ms is not None and so_far < sent_ms:
                at[n][nth] = so_far
