"""Recorded races and sprints without positions of the cars, compared with the feed's own order and laps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from f1stream.conformance.feed import FeedState, read_feed
from f1stream.race.car_facts import apply_lap
from f1stream.race.frames import FrameBuilder
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.stages.driver_join import lap_update
from f1stream.race.state import Race
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from models import CarState, Entries, Lap
from tests.support.figures import figures
from tests.support.required import DATA, missing

EVERY_MS = 10_000
FAR_MS = 10_000
SAMPLES_OF_A_LAP = 13
LAG_MS = 5_000
"""The feed's order and ours are of the same messages, some of which come in pairs."""


@dataclass(frozen=True)
class Recorded:
    """A race and its official facts; cars by number."""

    path: str
    laps: int
    """Of the winner."""
    out: frozenset[str]
    """Cars that did not finish."""
    put_back: frozenset[str] = frozenset()
    """Cars whose time penalty is in the feed's result."""
    far: float = 0.005
    """Most of the gaps that may be ten seconds above the feed's."""


RACES = [  # f1stream check has more: these four take a few seconds each
    Recorded("sessions/2023_qatar_race", 57, frozenset({"2", "44", "55"}), frozenset({"10", "18"})),
    Recorded("sessions/2025_austin_sprint/recording.jsonl.gz", 19, frozenset({"4", "14", "18", "31", "81"}),
             frozenset({"87"}), far=0.035),  # the field closes up behind a safety car, between two lap ends
    Recorded("sessions/2025_brazil_sprint/recording.jsonl.gz", 24, frozenset({"5", "43", "81"})),
    Recorded("livetiming_frozen/2025-05-04_Miami__2025-05-03_Sprint", 18, frozenset({"14", "16", "55"}),
             frozenset({"1"})),
]  # fmt: skip


@dataclass(repr=False)
class Raced:
    """A computed race, and the feed's own facts."""

    session: Session
    feed: FeedState
    known: Recorded
    race: Race
    samples: dict[int, tuple[list[str], set[str]]] = field(default_factory=dict)
    """Every 10 s: the order, and who is retired."""
    gaps: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Every 10 s, of each car that races on the leader's lap: its gap (ms), and the feed's latest one."""
    cars: dict[str, CarState] = field(default_factory=dict)
    """At the end."""


@pytest.fixture(scope="module", params=RACES, ids=lambda recorded: Path(recorded.path).parts[1])
def raced(request: pytest.FixtureRequest) -> Raced:
    path = DATA / request.param.path
    if not path.exists():
        missing(f"the recording at {path} is not there")
    messages = list(open_recording(path))
    session, _ = as_session(messages, "recording")
    entries = next(message for message in session.messages if isinstance(message, Entries))
    made = Raced(session, read_feed(messages), request.param, Race.of(entries.entries))
    _race(made)
    return made


def _race(made: Raced) -> None:
    race = made.race
    facts = [(message.session_time_ms, message) for message in made.session.messages]
    facts += made.session.laps_as_known()
    facts.sort(key=lambda known: known[0])
    applied = 0
    for now in range(0, made.session.end_ms + 1_000, 1_000):
        while applied < len(facts) and facts[applied][0] <= now:
            fact = facts[applied][1]
            applied += 1
            if isinstance(fact, Lap):
                apply_lap(race, race.cars[fact.driver_number], lap_update(fact, now))
            else:
                apply_message(race, fact)
        apply_time(race, now)
        if now % EVERY_MS == 0 and now >= made.session.start_ms:
            made.samples[now] = race.order, {number for number, car in race.cars.items() if car.retired}
            for number, car in race.cars.items():
                ours, theirs = race.columns.gap[car.grid], car.timing and car.timing.gap_ms
                if ours is not None and theirs is not None and not race.gaps[number].laps and not car.finished:
                    made.gaps.setdefault(number, []).append((ours, theirs))
    made.cars = dict(FrameBuilder(race).frame(now).cars)


def test_who_does_not_come_to_the_flag_is_retired_and_everybody_else_has_finished(raced: Raced) -> None:
    assert {number for number, car in raced.cars.items() if car.status == "retired"} == raced.known.out
    assert {car.status for number, car in raced.cars.items() if number not in raced.known.out} == {"finished"}


def test_the_lap_at_the_end_is_the_winners_last(raced: Raced) -> None:
    assert raced.race.lap == raced.known.laps


def test_who_is_further_down_in_the_result_than_by_the_times_had_a_penalty(raced: Raced) -> None:
    assert set(raced.race.put_back) == raced.known.put_back


def test_the_order_of_the_cars_that_race_is_the_feeds_all_the_time(raced: Raced) -> None:
    differ = []
    for at, (order, retired) in raced.samples.items():
        theirs = raced.feed.orders_within(at - LAG_MS, at + LAG_MS)
        ours = [number for number in order if number not in retired]
        if ours not in [[number for number in order if number not in retired] for order in theirs]:
            differ.append(at)
    share = 1 - len(differ) / len(raced.samples)
    figures.append(f"{raced.known.path}: the feed's order in {share:.1%} of {len(raced.samples)} samples")
    assert share >= 0.995, differ


def test_gaps_do_not_grow_further_than_the_feeds(raced: Raced) -> None:
    """A car that has passed a line without a mini-sector of its own there is not overdue; nor does a red flag count.

    The feed's gap of a car in the pits stands still: ours is compared with what the feed has in the next lap, too.
    """
    above = [
        ours - max(theirs for _, theirs in gaps[i : i + SAMPLES_OF_A_LAP])
        for gaps in raced.gaps.values()
        for i, (ours, _) in enumerate(gaps)
    ]
    far = sum(each > FAR_MS for each in above)
    figures.append(f"{raced.known.path}: {far} of {len(above):,} gaps {FAR_MS // 1000} s above the feed's")
    assert far <= len(above) * raced.known.far
