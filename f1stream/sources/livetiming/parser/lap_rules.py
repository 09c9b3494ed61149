"""What the laps of one car say together: starts, track statuses, bests, speeds, accuracy. Plain functions.

The rules are FastF1's unless they say otherwise; docs/laps.md lists the exceptions.
"""

from __future__ import annotations

from collections.abc import Sequence

from f1stream.sources.livetiming.parser.reconcile_laps import ReconciledLap

TOLERANCE_MS = 3
"""Times of a lap that differ by more (ms) make it inaccurate. Source: FastF1."""
SAFETY_CAR, RED = "4", "5"
ACCURATE_UNDER = {"1", "2", "12", "21"}
"""Track statuses of accurate laps. Source: FastF1."""


def without_formation_laps(laps: list[ReconciledLap], started_ms: int | None) -> list[ReconciledLap]:
    """A race's laps since its start. ``started_ms``: session time; None before it."""
    return laps if started_ms is None else [lap for lap in laps if lap.end_ms > started_ms]


def drop_visits_before_start(lap: ReconciledLap, started_ms: int | None) -> None:
    """Drop pit lane times of laps to the grid from the first lap: a car passes through the pits between them."""
    if lap.pit_in_ms is not None and lap.pit_out_ms is not None and lap.pit_in_ms < lap.pit_out_ms:
        lap.pit_in_ms = None
    if lap.pit_out_ms is not None and started_ms is not None and lap.pit_out_ms < started_ms:
        lap.pit_out_ms = None


def set_starts(
    laps: list[ReconciledLap], laps_before: int, first_start_ms: int | None, restarts: Sequence[int], *, is_race: bool
) -> None:
    """A lap starts where the one before ended; the first, and one after a red flag, with the start or the pit exit.

    The start of a lap after missed laps follows from its own time only. ``laps_before``: those that were driven
    before we began to receive. ``first_start_ms``: when the race started; None in other sessions.
    """
    for n, lap in enumerate(laps):
        before = _before(laps, n)
        if before is not None:
            lap.start_ms = before.end_ms
        elif laps_before + lap.number > 1:
            lap.start_ms = None if lap.lap_time_ms is None else lap.end_ms - lap.lap_time_ms
        else:
            lap.start_ms = first_start_ms
    for restart in restarts:
        again = next((lap for lap in laps if lap.pit_out_ms is not None and lap.pit_out_ms > restart), None)
        if again is not None and not is_race:
            again.start_ms = None
        elif again is not None and again.lap_time_ms is None:
            again.start_ms = restart
    for lap in laps:
        if lap.start_ms is None:
            lap.start_ms = lap.pit_out_ms


def track_status(lap: ReconciledLap, statuses: list[tuple[int, str]]) -> str:
    """Every track status during the lap, in order, each once. ``statuses``: (session time since when, code)."""
    codes = ""
    for n, (since, code) in enumerate(statuses):
        until = statuses[n + 1][0] if n + 1 < len(statuses) else None
        if code not in codes and since <= lap.end_ms and (
            until is None or lap.end_ms <= until or (lap.start_ms is not None and lap.start_ms <= until)
        ):  # fmt: skip
            codes += code
    return codes


def personal_bests(laps: list[ReconciledLap], bests: list[list[int]]) -> set[int]:
    """Numbers of laps that were the car's best when driven. ``bests``: their times, by part of the session."""
    first = {lap.lap_time_ms: lap.number for lap in reversed(laps)}
    return {first[best] for part in bests for best in part if best in first}


def repeat_speeds(laps: list[ReconciledLap], statuses: list[str]) -> None:
    """Fill in speeds that the feed leaves out because the trap measured the same as on the lap before."""
    last: dict[str, int] = {}
    for n, (lap, status) in enumerate(zip(laps, statuses, strict=True)):
        last = lap.speeds.copy() if _before(laps, n) is None else last | lap.speeds
        if RED not in status:
            traps = last.keys() if lap.pit_in_ms is None else last.keys() - {"FL"}
            lap.speeds = {trap: last[trap] for trap in traps} | lap.speeds


def is_accurate(laps: list[ReconciledLap], statuses: list[str], n: int) -> bool:
    """Whether the times of lap ``n`` agree with each other and nothing was out of the ordinary."""
    lap, before = laps[n], _before(laps, n)
    sectors = [sector for sector in lap.sectors if sector is not None]
    if lap.lap_time_ms is None or len(sectors) < len(lap.sectors) or statuses[n] not in ACCURATE_UNDER:
        return False
    if lap.pit_in_ms is not None or lap.pit_out_ms is not None or abs(sum(sectors) - lap.lap_time_ms) > TOLERANCE_MS:
        return False
    if before is None:
        return True
    return statuses[n - 1] != SAFETY_CAR and abs(lap.end_ms - before.end_ms - lap.lap_time_ms) <= TOLERANCE_MS


def _before(laps: list[ReconciledLap], n: int) -> ReconciledLap | None:
    """The lap before lap ``n``; None if that was missed."""
    return laps[n - 1] if n and laps[n - 1].number == laps[n].number - 1 else None
