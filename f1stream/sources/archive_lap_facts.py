"""Facts that an archive has only in its laps, published at their own time rather than at the end of the lap.

These are pit entry and exit, tyre changes, sector times, retirements, lap counts and deleted lap times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

from f1stream.race.car import Car, PitVisit
from f1stream.sources.lap_deletions import Deletion, TimedLap, deletion_changes, parse_deletion
from f1stream.sources.session import Columns
from models import (
    Entry,
    Lap,
    LapCount,
    Message,
    PitIn,
    PitOut,
    RaceControl,
    Retirement,
    SectorTime,
    TyreChange,
)


def laps_as_known(laps: list[Lap], messages: Iterable[Message], shift: int) -> list[tuple[int, Lap]]:
    """The laps with the session time (ms) at which they became known.

    A lap is known at its end, as it counted then, and again at each deletion or reinstatement by race control. FastF1
    marks every lap that has a deleted time, also where the car drove that time twice; only the one that race control
    means is deleted here. ``shift``: see ``deleted_lap``.
    """
    deletions: defaultdict[str, list[tuple[int, Deletion]]] = defaultdict(list)
    for message in messages:
        if isinstance(message, RaceControl) and (parsed := parse_deletion(message.message)):
            deletions[parsed.driver_number].append((message.session_time_ms, parsed))
    changes = {
        number: deletion_changes(each, [_timed(lap) for lap in laps if lap.driver_number == number], shift)
        for number, each in deletions.items()
    }
    known: list[tuple[int, Lap]] = []
    for lap in laps:
        number = lap.driver_number
        of_lap = [
            (at_ms, reason) for at_ms, of_number, reason in changes.get(number, ()) if of_number == lap.lap_number
        ]
        means_another_lap = lap.lap_time_ms in {each.lap_time_ms for _, each in deletions[number]}
        if not of_lap and not (lap.deleted and means_another_lap):
            known.append((lap.end_ms, lap))
            continue
        before = [reason for at_ms, reason in of_lap if at_ms <= lap.end_ms]
        known.append((lap.end_ms, _deleted(lap, before[-1] if before else None)))
        known += [(at_ms, _deleted(lap, reason)) for at_ms, reason in of_lap if at_ms > lap.end_ms]
    return sorted(known, key=lambda each: each[0])


def _timed(lap: Lap) -> TimedLap:
    return TimedLap(lap.lap_number, lap.end_ms, lap.lap_time_ms)


def _deleted(lap: Lap, reason: str | None) -> Lap:
    """``lap``, deleted for ``reason``, or reinstated if that is None."""
    if reason is not None and lap.deleted:
        return lap
    return lap.model_copy(update={"deleted": reason is not None, "deleted_reason": reason})


def lap_counts(laps: list[Lap], start_ms: int, total_laps: int | None) -> Iterator[LapCount]:
    """The leader's lap: n + 1 begins when the first car ends lap n."""
    if not total_laps:
        return
    yield LapCount(session_time_ms=start_ms, lap=1, total_laps=total_laps)
    begun = 1
    for lap in laps:
        if not lap.generated and lap.lap_number == begun < total_laps:
            begun += 1
            yield LapCount(session_time_ms=lap.end_ms, lap=begun, total_laps=total_laps)


def messages_of_cars(
    laps: list[Lap], telemetry: dict[str, Columns], entries: list[Entry], start_ms: int
) -> Iterator[Message]:
    """Tyre, pit, sector and retirement messages. A car retires at its last sample; one without laps, at the start."""
    for number, own in groupby(sorted(laps, key=lambda lap: (lap.driver_number, lap.lap_number)), _driver_number):
        driven = list(own)
        yield from _tyre_changes(driven, telemetry.get(number), start_ms)
        for lap in driven:
            yield from _pit_and_sectors(lap)
        if driven[-1].generated and number in telemetry:
            yield Retirement(session_time_ms=int(telemetry[number]["session_time_ms"][-1]), driver_number=number)
    driving = {lap.driver_number for lap in laps}
    for entry in entries:
        if entry.driver_number not in driving:
            yield Retirement(session_time_ms=start_ms, driver_number=entry.driver_number)


def _driver_number(lap: Lap) -> str:
    return lap.driver_number


def _pit_and_sectors(lap: Lap) -> Iterator[Message]:
    car = {"driver_number": lap.driver_number, "lap": lap.lap_number}
    if lap.pit_in_ms is not None:
        yield PitIn(session_time_ms=lap.pit_in_ms, **car)
    if lap.pit_out_ms is not None:
        yield PitOut(session_time_ms=lap.pit_out_ms, **car)
    sectors = ((1, lap.sector1_end_ms, lap.sector1_ms), (2, lap.sector2_end_ms, lap.sector2_ms),
               (3, lap.sector3_end_ms, lap.sector3_ms))  # fmt: skip
    for sector, end_ms, time_ms in sectors:
        if end_ms is not None:
            yield SectorTime(session_time_ms=end_ms, sector=sector, time_ms=time_ms, **car)


def _tyre_changes(laps: list[Lap], samples: Columns | None, start_ms: int) -> Iterator[TyreChange]:
    """The starting set, and each set that differs from the one with which the car entered the pits.

    A change shows in the compound or in the age of the tyres. FastF1's ``Stint`` also counts drive-throughs, and some
    drive-throughs restart the age: 2025 in Melbourne, STR on laps 2 to 4 behind the safety car.
    """

    def fitted(lap: Lap, at: int) -> TyreChange:
        laps_before = None if lap.tyre_life is None else max(lap.tyre_life - 1, 0)
        return TyreChange(
            session_time_ms=at, driver_number=lap.driver_number, lap=lap.lap_number,
            compound=lap.compound or "UNKNOWN", tyre_life=laps_before, fresh=lap.fresh_tyre,
        )  # fmt: skip

    yield fitted(laps[0], start_ms)
    for before, lap in pairwise(laps):
        if lap.pit_out_ms is None:
            continue
        aged = None not in {before.tyre_life, lap.tyre_life} and lap.tyre_life != (before.tyre_life or 0) + 1
        if lap.compound != before.compound or (aged and not _drove_through(before, lap.pit_out_ms, samples)):
            yield fitted(lap, lap.pit_out_ms)


def _drove_through(in_lap: Lap, out_ms: int, samples: Columns | None) -> bool:
    """Whether the samples show that the car did not stop in the pit lane: the rule of the live page."""
    if samples is None or in_lap.pit_in_ms is None:
        return False
    times = samples["session_time_ms"]
    in_lane = slice(*times.searchsorted((in_lap.pit_in_ms, out_ms)))
    visit = PitVisit(in_lap.lap_number, in_lap.pit_in_ms)
    car = Car(in_lap.driver_number, grid=0, visits=[visit])
    for at, speed in zip(times[in_lane].tolist(), samples["speed"][in_lane].tolist(), strict=True):
        car.update_visit(at, speed)
    visit.out_ms = out_ms
    return visit.is_drive_through
