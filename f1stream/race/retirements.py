"""Which cars are out of a race: the feed retires them, or they give no sign of life any more.

A sign of life is what only a moving car causes: a line or a mini-sector passed, a sector time, pit entry and exit,
speed. A change of position or gap is not one: other cars that
pass cause it.
"""

from __future__ import annotations

from f1stream.race.car import Car
from f1stream.race.state import Race

SILENT_MS = 120_000
"""ms. A car silent for longer is retired until its next sign of life, if the race is on and others are heard."""
STOPPED_MS = 20_000
"""ms. The same for a car that the feed shows as ``Stopped``. In 14 recordings it did so 21 to 166 s after the last
sign of life of a car that stayed where it was, and up to 10 s after that of a car that only drove slowly."""
PAUSES = 1.5
"""Multiple of the field's longest pause between signs of life up to which silence is usual. If the feed has only
lap times, one pause lasts a lap."""
FEED_SILENT_MS = 30_000
"""ms. Without a sign of life of any car for longer, the feed was silent: cars' silences are counted from its end."""
GARAGE_LAPS = 3
"""Laps of the leader since a car entered the pits, after which a silent car is retired: it is in its garage."""
MOVING_KMH = 30
"""km/h. Only a higher speed is a sign of life: a slower car may be pushed, or lifted off the track."""
OFTEN_MS = 1_000
"""ms. Speed counts as a sign of life at most once in this time."""


def record_sign_of_life(race: Race, car: Car, at: int) -> None:
    """Record a sign of life of ``car`` at session time ``at`` (ms). A retirement for its silence is revoked."""
    if race.started_ms is None:
        return
    since = race.started_ms if car.heard_ms is None else car.heard_ms
    if at < since or (at == since and car.heard_ms is not None):
        return
    silence = at - max(race.heard_ms, race.resumed_ms)
    if race.heard_ms > race.started_ms and silence > FEED_SILENT_MS and silence > _usual_pause(race):
        race.resumed_ms = at
    car.pause_ms, car.heard_ms = at - max(since, race.resumed_ms), at
    race.heard_ms = max(race.heard_ms, at)
    if car.stopped:
        car.retired = car.stopped = False
        race.needs_ranking.add(car.number)
        race.changed.add(car.number)


def retire_silent(race: Race, now: int) -> None:
    """Retire the cars that are silent at session time ``now`` (ms), without waiting for the feed to retire them."""
    if race.started_ms is None or race.parts is not None:
        return
    limit = max(SILENT_MS, _usual_pause(race))
    for car in race.cars.values():
        if not (car.retired or car.finished) and _is_out(race, car, race.started_ms, now, limit):
            car.retired = car.stopped = True
            race.needs_ranking.add(car.number)
            race.changed.add(car.number)


def _is_out(race: Race, car: Car, started_ms: int, now: int, limit: int) -> bool:
    heard = started_ms if car.heard_ms is None else car.heard_ms
    if car.timing is not None and car.timing.stopped and not (car.in_pit and race.suspended):
        return now - heard > STOPPED_MS
    if race.suspended or race.heard_ms < started_ms:  # no car was heard: the feed has no timing
        return False
    if car.in_pit and car.heard_ms is not None and race.flag_ms is None:
        return race.laps_led - car.led_at_pit_in >= GARAGE_LAPS and now - heard > STOPPED_MS
    # Silence counts up to the last sign of life of any car: while the feed is silent, no car retires. After the flag
    # other cars give none any more.
    until = race.heard_ms if race.flag_ms is None else now
    return until - max(heard, race.resumed_ms, race.flag_ms or 0) > limit


def _usual_pause(race: Race) -> int:
    return round(PAUSES * max((car.pause_ms for car in race.cars.values() if not car.retired), default=0))
