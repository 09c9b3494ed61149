"""The feed of a whole qualifying as our records, beside FastF1's own loading of the same recording."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.parser.parser import Parser
from f1stream.sources.session import Session
from models import Frame, Lap, SessionInfo, SessionPart, Timing
from tests.support.fastf1_mexico import known, loaded, ms
from tests.support.fastf1_recording import FIELDS
from tests.support.figures import figures
from tests.support.pipeline import Run, run

pytestmark = pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning")
TELEMETRY = {"CarData.z", "Position.z"}


@pytest.fixture(scope="module")
def raced(mexico_session: Session) -> Run:
    """The session through the rules of racing."""
    return run(mexico_session, 3_000)


@pytest.fixture(scope="module")
def withheld(mexico_feed: list[FeedMessage]) -> Session:
    """The session of a feed without car data and positions."""
    return as_session([message for message in mexico_feed if message.topic not in TELEMETRY], "recording:x")[0]


@pytest.fixture(scope="module")
def raced_withheld(withheld: Session) -> Run:
    return run(withheld, 3_000)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """FastF1's session, from the same recording."""
    with loaded(tmp_path_factory.mktemp("theirs")) as session:
        yield session


def last_told(session: Session) -> dict[tuple[str, int], Lap]:
    return {(lap.driver_number, lap.lap_number): lap for lap in session.laps}


@pytest.mark.system
def test_every_lap_is_fastf1s_field_by_field(mexico_session: Session, theirs: Any) -> None:
    laps, ours = theirs.laps, last_told(mexico_session)
    keys = [(number, int(lap)) for number, lap in zip(laps["DriverNumber"], laps["LapNumber"], strict=True)]
    assert len(keys) == 307
    assert set(ours) == set(keys)
    # "CAR 43 (COL) LAP DELETED": FastF1 knows only deletions with a time.
    assert ours["43", 8].deleted_reason == "TRACK LIMITS AT TURN 3 LAP 9  (PIT)"
    ours["43", 8] = ours["43", 8].model_copy(update={"deleted": False, "deleted_reason": None})
    for name, field in FIELDS.items():
        theirs = ms(laps[name]) if laps[name].dtype.kind == "m" else known(laps[name])
        assert [getattr(ours[key], field) for key in keys] == theirs, name
    reasons = [(ours[key].deleted_reason or "") for key in keys]
    assert reasons == [reason.strip() for reason in laps["DeletedReason"]]  # theirs end with a blank
    starts = [ours[key].start_utc for key in keys]
    apart = [
        abs(ours.replace(tzinfo=None) - at) for ours, at in zip(starts, laps["LapStartDate"], strict=True) if ours
    ]
    assert len(apart) == 307
    assert max(apart).total_seconds() <= 0.02  # theirs knows the least delay of the whole session, ours of so far


@pytest.mark.system
def test_samples_are_what_fastf1_has_at_their_instants(mexico_session: Session, theirs: Any) -> None:
    """At one sample in a hundred of every car; values between two recorded ones lie on the line between them."""
    session, chance = mexico_session, random.Random(1)
    compared = 0
    for number, columns in session.telemetry.items():
        car, places = theirs.car_data[number], theirs.pos_data[number]
        places = places[(places[["X", "Y", "Z"]] != 0).any(axis=1)]  # no fix
        zero = np.datetime64(session.t0_utc_ms, "ms")
        car_at = ((car["Date"].to_numpy() - zero) / np.timedelta64(1, "ms")).round()
        place_at = ((places["Date"].to_numpy() - zero) / np.timedelta64(1, "ms")).round()
        at = columns["session_time_ms"]
        some = sorted(chance.sample(range(len(at)), len(at) // 100))
        # FastF1 cannot decode two of the messages and draws a line over their time; we have what they say.
        whole = [
            instants[np.clip(np.searchsorted(instants, at[some]), 1, len(instants) - 1)]
            - instants[np.clip(np.searchsorted(instants, at[some]), 1, len(instants) - 1) - 1]
            < 1_000
            for instants in (car_at, place_at)
        ]
        some = [sample for sample, *ok in zip(some, *whole, strict=True) if all(ok)]
        compared += len(some)
        for name, own, from_, instants in (
            ("Speed", "speed", car, car_at), ("RPM", "rpm", car, car_at), ("Throttle", "throttle", car, car_at),
            ("X", "x", places, place_at), ("Y", "y", places, place_at), ("Z", "z", places, place_at),
        ):  # fmt: skip
            values = from_[name].to_numpy(dtype=float)
            # Theirs are rounded to a millisecond and ours are cut: so much a value may change in one.
            near = np.array([np.interp(at[some] + shift, instants, values) for shift in (-1, 0, 1)])
            assert (columns[own][some] >= near.min(axis=0) - 0.06).all(), (number, name)
            assert (columns[own][some] <= near.max(axis=0) + 0.06).all(), (number, name)
        gears = car["nGear"].to_numpy()
        before = [gears[np.maximum(np.searchsorted(car_at, at[some] + n, side="right") - 1, 0)] for n in (0, 1)]
        assert ((columns["gear"][some] == before[0]) | (columns["gear"][some] == before[1])).all(), number
    assert compared > 5_000


def test_all_topics_and_fields_of_the_feed_are_known(mexico_parsed: tuple[Session, ParseCounts]) -> None:
    counts = mexico_parsed[1]
    assert counts.messages.total() == 20_552
    assert not counts.damaged
    assert not counts.unknown_topics
    assert not counts.unknown_fields


def test_the_order_of_each_part_and_its_gaps_are_the_official_ones(mexico_session: Session, raced: Run) -> None:
    """At the end of Q1, Q2 and Q3: the feed's own positions, gaps to the best and to the car ahead."""
    session, made = mexico_session, raced
    frames = [frame for frame in made.made if isinstance(frame, Frame)]
    parts = [fact for fact in session.messages if isinstance(fact, SessionPart)]
    assert [(part.part, part.entries, part.goes_on) for part in parts] == [(1, 20, 15), (2, 15, 10), (3, 10, None)]
    ends = [part.session_time_ms - 1_000 for part in parts[1:]] + [frames[-1].t]
    numbers = [entry.driver_number for entry in made.race.header.entries.entries]  # type: ignore[union-attr]
    key: Frame | None = None
    at: dict[int, Frame] = {}
    pictures: dict[int, dict[str, Any]] = {}
    for frame in frames:
        key = frame if frame.kind == "key" else key
        assert key is not None
        for end in ends:
            if end - 200 < frame.t <= end:
                at[end] = frame
                changed = {number: car.model_dump(exclude_unset=True) for number, car in frame.cars.items()}
                pictures[end] = {
                    number: key.cars[number].model_dump() | changed.get(number, {}) for number in numbers
                }
    official: dict[str, Timing] = {}
    stale: list[tuple[int, str]] = []
    facts = sorted(
        (fact for fact in session.messages if isinstance(fact, Timing)), key=lambda fact: fact.session_time_ms
    )
    for nth, end in enumerate(ends):
        for fact in facts:
            if fact.session_time_ms <= end:
                official[fact.driver_number] = fact
        frame, cars = at[end], pictures[end]
        running = (20, 15, 10)[nth]
        assert {number: cars[number]["position"] for number in numbers} == {
            number: timing.position for number, timing in official.items()
        }, f"Q{nth + 1}"
        for column, number in enumerate(numbers):
            timing = official[number]
            assert (cars[number]["status"] == "eliminated") == (timing.position > running)  # type: ignore[operator]
            if timing.position <= running:  # type: ignore[operator]
                assert frame.gap[column] in ((0, None) if timing.position == 1 else (timing.gap_ms,)), number
                ahead = next((each for each in official.values() if each.position == timing.position - 1), timing)
                between = None if timing.position == 1 else timing.gap_ms - (ahead.gap_ms or 0)
                assert frame.interval[column] == between, number
                if timing.interval_ms != between:
                    stale.append((nth + 1, number))
    assert stale == [(1, "22")], "intervals that the feed did not mend when another car came in between"


def test_without_car_data_and_positions_order_gaps_and_laps_are_the_same(
    mexico_session: Session, withheld: Session, raced: Run, raced_withheld: Run
) -> None:
    assert withheld.samples() == 0

    ours, without = last_told(mexico_session), last_told(withheld)
    for lap in without.values():
        assert lap.model_copy(update={"start_utc": None}) == ours[lap.driver_number, lap.lap_number].model_copy(
            update={"start_utc": None}
        )
    assert without.keys() == ours.keys()
    one, other = raced.race.race, raced_withheld.race.race
    assert one is not None
    assert other is not None
    assert (one.order, one.gaps, one.intervals) == (other.order, other.gaps, other.intervals)


def test_without_positions_cars_are_placed_by_their_mini_sectors(withheld: Session, raced_withheld: Run) -> None:
    """Compared with the official lap times: the share of its own lap time that a car had driven at each frame."""
    made = raced_withheld
    assert made.race.race is not None
    columns = {number: nth for nth, number in enumerate(made.race.race.cars)}
    best = min(lap.lap_time_ms for lap in withheld.laps if lap.lap_time_ms)
    off: list[float] = []
    for lap in last_told(withheld).values():
        if not lap.is_accurate or lap.lap_time_ms is None or lap.lap_time_ms > best * 1.1:
            continue
        for frame in made.frames:
            share = (frame.t - (lap.end_ms - lap.lap_time_ms)) / lap.lap_time_ms
            if 0 < share < 1 and frame.along and (along := frame.along[columns[lap.driver_number]]) is not None:
                off.append(abs((along / 10_000 - share + 0.5) % 1 - 0.5))
    off.sort()
    middle, most = off[len(off) // 2], off[len(off) * 95 // 100]
    figures.append(
        f"cars placed by mini-sectors: off by {middle:.2%} of a lap (median), {most:.2%} (95 %), {len(off):,} places"
    )
    assert len(off) > 20_000
    assert middle < 0.005
    assert most < 0.02


def test_with_positions_nothing_is_estimated(mexico_session: Session, raced: Run) -> None:
    """Mini-sectors are published for their colours; the track's line is known before they would place a car."""
    assert any(message.kind == "mini_sector" for message in mexico_session.messages)
    assert not any(frame.along for frame in raced.frames)


def test_drs_is_open_on_straights_only(raced: Run) -> None:
    counts = Counter(
        (drs, (speed or 0) > 200)
        for frame in raced.frames
        for drs, speed in zip(frame.drs, frame.speed, strict=bool(frame.drs))
    )
    assert counts[1, True] > 5_000
    assert counts[1, False] < 0.1 * counts[1, True]
    assert counts[None, True] == 0


def test_a_session_has_its_path_and_its_local_time(mexico_session: Session) -> None:
    session = mexico_session
    info = session.messages[0]
    assert isinstance(info, SessionInfo)
    assert info.gmt_offset_ms == -6 * 3_600_000
    assert info.path == "2025/2025-10-26_Mexico_City_Grand_Prix/2025-10-25_Qualifying/"
    radio = next(message for message in session.messages if message.kind == "team_radio")
    assert radio.path == "TeamRadio/ALEALB01_23_20251025_155858.mp3"


@pytest.mark.parametrize("seed", range(8))
def test_only_a_message_of_the_wrong_form_is_skipped(mexico_feed: list[FeedMessage], seed: int) -> None:
    """Values of any type in any place: nothing raises, the rest is parsed, and refused messages are counted.

    Samples that are not spoiled are left out: they cost most of the time, and no lap depends on them.
    """
    chance = random.Random(seed)
    parser = Parser(mexico_feed[0].sent_ms)
    odd = (None, [], {}, "x", -1, 1e300, True, {"0": None}, [[]], "9" * 5_000, {"Lines": {"4": 7}}, {"Lines": []})
    spoiled = whole = 0
    for message in mexico_feed:
        if chance.random() < 0.01:
            spoiled += 1
            parser.take(FeedMessage(message.topic, mutated(message.data, chance, odd), message.sent_ms))
        elif message.topic not in TELEMETRY:
            whole += 1
            parser.take(message)
    parser.finish()
    assert parser.state.counts.messages.total() == whole + spoiled
    assert 0 < parser.state.counts.damaged.total() <= spoiled
    published = {(number, lap) for number, car in parser.state.laps.cars.items() for lap in car.published}
    assert len(published) > 290, "laps whose own messages were undamaged are published"


def mutated(data: Any, chance: random.Random, odd: tuple[Any, ...]) -> Any:
    """``data`` with one value, anywhere in it, replaced by one that does not belong there."""
    if isinstance(data, dict) and data and chance.random() < 0.8:
        name = chance.choice(list(data))
        return data | {name: mutated(data[name], chance, odd)}
    if isinstance(data, list) and data and chance.random() < 0.8:
        place = chance.randrange(len(data))
        return [*data[:place], mutated(data[place], chance, odd), *data[place + 1 :]]
    if isinstance(data, str) and data and chance.random() < 0.5:
        place = chance.randrange(len(data))
        return data[:place] + chance.choice("0z:-=\x00é") + data[place + 1 :]
    return json.loads(json.dumps(chance.choice(odd)))


def test_a_session_without_identity_is_refused(mexico_feed: list[FeedMessage], tmp_path: Path) -> None:
    from f1stream.sources.session import SourceError

    unnamed = [message for message in mexico_feed if message.topic not in {"SessionInfo", "DriverList"}]
    with pytest.raises(SourceError, match="does not contain which session it is"):
        as_session(unnamed, "recording:x")
