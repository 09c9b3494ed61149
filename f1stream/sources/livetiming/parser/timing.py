"""``TimingData``: events of a car, its mini-sectors, the feed's own timing of it, and the parts of a qualifying."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.parser.car_laps import CarLaps
from f1stream.sources.livetiming.parser.merge import DELETED, indexed, merge
from f1stream.sources.livetiming.parser.values import as_int, gap
from f1stream.sources.timestamps import duration_ms
from models import Message, MiniSector, PartBest, PitIn, PitOut, Retirement, SectorTime, SessionPart, Timing
from models.bounds import MOST_CARS, MOST_LAPS

SHOWN = {"Position", "GapToLeader", "IntervalToPositionAhead", "Stats", "KnockedOut", "Stopped", "InPit"}
"""The fields of a car's line that its ``Timing`` is made from."""
MARKS: dict[int, str] = {2048: "slower", 2049: "personal", 2051: "overall"}
"""The feed's codes of colours. 2064 is the pit lane's; 2050 and 2052, some ten times a session, are not known."""
MOST_PARTS = 9
"""Parts of a session; further ones are ignored. A qualifying has three."""
MOST_MINI_SECTORS = 50
"""Mini-sectors of a sector; further ones are ignored. Circuits have up to 12."""


@dataclass
class CarTiming:
    """The feed's line of one car, and what was published of it."""

    line: dict[str, Any] = field(default_factory=dict)
    """All changes so far, merged."""
    in_pit: bool | None = None
    retired: bool = False
    published: Timing | None = None
    bests: dict[int, PartBest] = field(default_factory=dict)
    """By part, from 1, as last sent."""

    def take(self, number: str, change: dict[str, Any], at_ms: int, laps: CarLaps, part: int) -> list[Message]:
        """The facts in a change of its line, after ``laps`` took it. ``part``: of a qualifying, from 1; else 0."""
        self.line = merge(self.line, change)
        facts: list[Message] = list(_sectors(number, change, at_ms, laps))
        in_pit = change.get("InPit")
        if isinstance(in_pit, bool) and in_pit != self.in_pit:
            if self.in_pit is not None or not in_pit:  # all cars begin in the pits
                kind = PitIn if in_pit else PitOut
                facts.append(kind(session_time_ms=at_ms, driver_number=number, lap=laps.lap_number))
            self.in_pit = in_pit
        retired = change.get("Retired")
        if isinstance(retired, bool) and retired != self.retired:
            self.retired = retired
            facts.append(Retirement(session_time_ms=at_ms, driver_number=number, revoked=not retired))
        bests = self._bests(change, part)
        if bests or change.keys() & SHOWN:
            timing = self._timing(number, at_ms, part)
            before = self.published
            if bests or before is None or timing != before.model_copy(update={"session_time_ms": at_ms}):
                self.published = timing
                facts.append(timing.model_copy(update={"bests": bests}))
        return facts

    def _bests(self, change: dict[str, Any], part: int) -> list[PartBest]:
        """The best laps that a change of its line changes.

        ``BestLapTimes`` has them by part; ``BestLapTime`` is that of the present part, and is emptied when a part
        begins. One that is emptied together with its lap's number was not deleted: the next part is about to begin.
        Lap numbers are right in the first part only, and only in the change: a deleted lap's number stays in the
        line.
        """
        sent = [(nth + 1, best) for nth, best in indexed(change.get("BestLapTimes")) if nth < MOST_PARTS]
        if not sent and "BestLapTimes" not in self.line:
            sent = [(max(part, 1), change.get("BestLapTime"))]
        changed = []
        for of_part, best in sent:
            if not isinstance(best, dict) or "Value" not in best or DELETED in best:
                continue
            found = PartBest(
                part=of_part,
                ms=duration_ms(best["Value"]) or None,
                lap=_lap_number(best.get("Lap")) if of_part == 1 else None,
            )
            before = self.bests.get(of_part, PartBest(part=of_part))
            self.bests[of_part] = found
            if found.ms != before.ms:
                changed.append(found)
        return changed

    def _timing(self, number: str, at_ms: int, part: int) -> Timing:
        line = self.line
        interval = line.get("IntervalToPositionAhead")
        gap_text, interval_text = (
            line.get("GapToLeader"),
            interval.get("Value") if isinstance(interval, dict) else None,
        )
        for of_part, stat in indexed(
            line.get("Stats")
        ):  # in a qualifying; of a knocked-out car, those of its last part
            if not isinstance(stat, dict):
                continue
            is_shown = of_part + 1 == part if line.get("KnockedOut") is not True else stat.get("TimeDiffToFastest")
            if is_shown:
                gap_text, interval_text = stat.get("TimeDiffToFastest"), stat.get("TimeDifftoPositionAhead")
        gap_ms, gap_laps = gap(gap_text)
        interval_ms, interval_laps = gap(interval_text)
        return Timing(
            session_time_ms=at_ms, driver_number=number, position=_position(line.get("Position")),
            gap_ms=gap_ms, gap_laps=gap_laps, interval_ms=interval_ms, interval_laps=interval_laps,
            knocked_out=line.get("KnockedOut") is True, stopped=line.get("Stopped") is True, in_pit=self.in_pit,
            laps=_lap_number(line.get("NumberOfLaps")),
        )  # fmt: skip


def _position(value: Any) -> int | None:
    """None for an impossible position, which stays in the line and must not make its later changes unreadable."""
    place = as_int(value)
    return place if place is not None and 0 <= place <= MOST_CARS else None


def _lap_number(value: Any) -> int | None:
    number = as_int(value)
    return number if number is not None and 0 <= number <= MOST_LAPS else None


def _sectors(number: str, change: dict[str, Any], at_ms: int, laps: CarLaps) -> list[SectorTime]:
    found = []
    if isinstance(change.get("Sectors"), dict):
        for nth, sector in indexed(change["Sectors"]):
            time_ms = duration_ms(sector.get("Value")) if isinstance(sector, dict) else None
            if time_ms is not None and nth < 3:
                lap = laps.lap_number_at(at_ms, nth)
                values = {"session_time_ms": at_ms, "driver_number": number, "lap": lap, "sector": nth + 1}
                found.append(SectorTime.model_validate(values | {"time_ms": time_ms}))
    return found


def mini_sectors(
    number: str, before: dict[str, Any], after: dict[str, Any], at_ms: int, laps: CarLaps, *, snapshot: bool
) -> list[MiniSector]:
    """Mini-sectors whose colour differs ``after`` a change of a car's line: passed now, or recoloured later.

    Some seconds into a lap the feed clears the lap before, from its second mini-sector on; the first one keeps its
    colour or has its new one already. When the mini-sectors of a snapshot were passed is not known.
    """
    was, now = _colours(before), _colours(after)
    last = max((place for place, colour in now.items() if colour), default=(0, -1))
    counts = tuple(1 + max((mini for nth, mini in now if nth == sector), default=-1) for sector in range(3))

    def mini_sector(place: tuple[int, int], change: str) -> MiniSector:
        nth, mini = place
        return MiniSector.model_validate({
            "session_time_ms": at_ms, "driver_number": number, "lap": laps.lap_number_at(at_ms, nth),
            "sector": nth + 1, "mini_sector": mini + 1, "mark": MARKS.get(now.get(place) or 0), "change": change,
            "counts": counts if all(counts) else None,
        })  # fmt: skip

    found, cleared = [], False
    for place, colour in sorted(now.items()):
        if (was.get(place) or 0) == (colour or 0):
            continue
        if place > last:
            cleared = True
        else:
            found.append(mini_sector(place, "recoloured" if was.get(place) or snapshot else "passed"))
    return [*found, mini_sector(last, "cleared")] if cleared else found


def _colours(line: dict[str, Any]) -> dict[tuple[int, int], int | None]:
    """By (sector, mini-sector), from 0: the feed's code; 0 is no colour."""
    return {
        (nth, mini): as_int(segment.get("Status"))
        for nth, sector in indexed(line.get("Sectors"))
        if isinstance(sector, dict) and nth < 3
        for mini, segment in indexed(sector.get("Segments"))
        if isinstance(segment, dict) and mini < MOST_MINI_SECTORS
    }


@dataclass
class QualifyingParts:
    """The parts of a qualifying."""

    entries: dict[int, int] = field(default_factory=dict)
    """By part, from 0: how many cars take part."""
    part: int = 0
    """The present part, from 1; 0 before the first, and in other sessions."""

    def take(self, data: dict[str, Any], at_ms: int) -> list[Message]:
        """The parts that begin with a ``TimingData`` message."""
        for part, cars in indexed(data.get("NoEntries")):
            count = as_int(cars)
            if count is not None and 0 < count <= MOST_CARS and part < MOST_PARTS:
                self.entries[part] = count
        before, now = self.part, as_int(data.get("SessionPart"))
        if not now or now == before or not 0 < now <= MOST_PARTS:
            return []
        self.part = now
        began = range(before + 1, now + 1) if now > before else [now]  # several when we connect during a later one
        return [
            SessionPart(session_time_ms=at_ms, part=part, entries=self.entries.get(part - 1),
                        goes_on=self.entries.get(part))
            for part in began
        ]  # fmt: skip
