"""One session: what a frame waits for, what it includes, and how a session continues after a failure."""

from __future__ import annotations

from functools import cache
from math import cos, pi, sin
from typing import Any

import pytest

from f1stream import topics
from f1stream.race.stages import session_join
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.simulator import simulate
from f1stream.topics import BadRecord, SequenceGap
from models import (
    CarUpdate,
    Entries,
    Entry,
    Frame,
    LapUpdate,
    Message,
    Retirement,
    SessionEnd,
    SessionHeader,
    SessionInfo,
    SessionStatus,
    Track,
    TrackStatus,
)
from tests.support.harness import frame_bytes
from tests.support.pipeline import Run, run

START_MS = 1_000
INFO = SessionInfo(
    session_time_ms=0, name="Race", type="Race", meeting="", location="", country_code="", circuit="",
    total_laps=3, t0_utc_ms=0, start_ms=START_MS, source="test",
)  # fmt: skip


def entries(*numbers: str) -> Entries:
    cars = [
        Entry(driver_number=number, tla=number, name=number, team="", team_color="000000", grid_position=place)
        for place, number in enumerate(numbers, 1)
    ]
    return Entries(session_time_ms=0, entries=cars)


def oval(radius: float) -> Track:
    outline = [(round(radius * cos(a * pi / 50)), round(radius * sin(a * pi / 50) / 2)) for a in range(101)]
    return Track(session_time_ms=0, outline=outline)


def update(
    number: str, seqs: tuple[int, int], until_ms: int, *times: int, named: int = 0, laps: Any = ()
) -> CarUpdate:
    """A run of packets; each sample's X is its time, so that a frame shows which one it includes."""
    return CarUpdate(
        epoch=1, driver_number=number, first_seq=seqs[0], last_seq=seqs[1], until_ms=until_ms, messages=named,
        t=list(times), x=[float(t) for t in times], y=[1.0] * len(times), speed=[100.0] * len(times), laps=list(laps),
    )  # fmt: skip


def lap(number: int, emitted_ms: int, ms: int = 90_000) -> LapUpdate:
    return LapUpdate(
        emitted_ms=emitted_ms, lap_number=number, end_ms=emitted_ms, lap_time_ms=ms, compound="SOFT",
        tyre_life=number, speed_st=300, deleted=False, official=True,
    )  # fmt: skip


def session(*numbers: str) -> SessionRace:
    """A session with info and entries received: messages 0 and 1."""
    race = SessionRace("s", 1)
    race.take_message(0, START_MS, INFO)
    race.take_message(1, START_MS, entries(*numbers))
    return race


def frames(made: list[SessionHeader | Frame]) -> list[Frame]:
    return [frame for frame in made if isinstance(frame, Frame)]


def times(made: list[SessionHeader | Frame]) -> list[int]:
    return [frame.t for frame in frames(made)]


# -- when a frame is made --------------------------------------------------------------------------------------


def test_no_frame_before_the_entries_are_known() -> None:
    race = SessionRace("s", 1)
    race.take_message(0, START_MS, INFO)
    race.take_update(update("4", (0, 0), 2_000, 1_500))
    assert race.advance() == []
    race.take_message(1, START_MS, entries("4"))
    assert times(race.advance()) == [1_000, 1_200, 1_400, 1_600, 1_800, 2_000]


def test_frame_waits_for_every_car() -> None:
    race = session("4", "81")
    race.take_update(update("4", (0, 1), 2_000))
    assert race.advance() == []
    race.take_update(update("81", (0, 0), 1_500))
    assert times(race.advance()) == [1_000, 1_200, 1_400]
    race.take_update(update("81", (1, 1), 2_000))
    assert times(race.advance()) == [1_600, 1_800, 2_000]


def test_frame_waits_for_the_messages_that_packets_name() -> None:
    race = session("4")
    race.take_update(update("4", (0, 0), 1_200, named=2))
    race.take_update(update("4", (1, 1), 1_600, named=3))
    assert times(race.advance()) == [1_000, 1_200]
    race.take_message(2, 1_300, TrackStatus(session_time_ms=1_300, status="4", message="SCDeployed"))
    assert [(frame.t, frame.race.track_status) for frame in frames(race.advance())] == [(1_400, "4"), (1_600, "4")]


def test_unreadable_message_counts_as_received() -> None:
    race = session("4")
    race.take_update(update("4", (0, 0), 1_600, named=3))
    race.take_message(2, 1_300, None)
    assert times(race.advance()) == [1_000, 1_200, 1_400, 1_600]
    assert race.tally.messages == 2


def test_silent_car_with_empty_packets_delays_no_frame() -> None:
    race = session("4", "81")
    race.take_update(update("4", (0, 0), 1_400, 1_150))
    race.take_update(update("81", (0, 0), 1_400))
    assert [frame.x for frame in frames(race.advance())] == [[None, None], [1_150, None], [1_150, None]]


def test_run_that_starts_between_frames_begins_with_the_next_one() -> None:
    race = SessionRace("s", 1)
    race.take_message(0, 1_001, INFO.model_copy(update={"start_ms": 1_001}))
    race.take_message(1, 1_001, entries("4"))
    race.take_update(update("4", (0, 0), 1_400))
    assert times(race.advance()) == [1_200, 1_400]


# -- what a frame holds ----------------------------------------------------------------------------------------


def test_frame_has_the_samples_up_to_its_time_and_their_age() -> None:
    race = session("4")
    race.take_update(update("4", (0, 0), 1_600, 1_050, 1_200, 1_201, 1_390))
    made = frames(race.advance())
    assert [frame.x for frame in made] == [[None], [1_200], [1_390], [1_390]]
    assert [frame.age for frame in made] == [[None], [0], [10], [210]]


def test_lap_counts_from_the_frame_at_which_it_is_known() -> None:
    race = session("4")
    race.take_message(2, START_MS, SessionStatus(session_time_ms=START_MS, status="Started"))
    race.take_update(update("4", (0, 0), 1_600, laps=[lap(1, 1_400)], named=3))
    best = [frame.cars["4"].best_lap_ms if "4" in frame.cars else None for frame in frames(race.advance())]
    assert best == [None, None, 90_000, 90_000]


def test_message_counts_from_the_frame_at_which_it_is_known() -> None:
    race = session("4")
    for seq, (at, status) in enumerate([(1_200, "2"), (1_201, "4")], 2):
        race.take_message(seq, at, TrackStatus(session_time_ms=0, status=status, message=""))
    race.take_update(update("4", (0, 0), 1_400, named=4))
    # A keyframe has all fields, a delta those that differ from it.
    assert [frame.race.model_dump(exclude_unset=True).get("track_status") for frame in frames(race.advance())] == [
        "1",
        "2",
        "4",
    ]


def test_last_frame_has_the_totals_of_the_run() -> None:
    race = session("4")
    race.take_update(update("4", (0, 0), 1_400, 1_100, 1_300, laps=[lap(1, 1_250)], named=3))
    race.take_message(2, 1_400, SessionEnd(session_time_ms=1_400))
    *before, last = frames(race.advance())
    assert not any(frame.race.ended for frame in before)
    assert race.ended
    assert last.race.ended
    assert last.race.tally is not None
    assert last.race.tally.model_dump() == {"samples": 2, "laps": 1, "messages": 3}


# -- the track -------------------------------------------------------------------------------------------------


def test_session_header_precedes_the_first_frame() -> None:
    race = session("4", "81")
    race.take_message(2, START_MS, oval(8_000))
    for number in ("4", "81"):
        race.take_update(update(number, (0, 0), 1_200, named=3))
    head, *rest = race.advance()
    assert isinstance(head, SessionHeader)
    assert (head.t, head.epoch, [car.driver_number for car in head.cars]) == (1_000, 1, ["4", "81"])
    assert head.outline == [(round(x), round(y)) for x, y in oval(8_000).outline]
    assert times(rest) == [1_000, 1_200]
    assert len(rest) == 2


@pytest.mark.parametrize("batch", ["at once", "one by one"])
def test_track_published_in_mid_session_is_valid_from_its_time_on(batch: str) -> None:
    race = session("4")
    made: list[SessionHeader | Frame] = []
    for seq, until in enumerate([1_400, 1_800, 2_000]):
        if until == 1_800:
            race.take_message(2, 1_600, oval(8_000))
        race.take_update(update("4", (seq, seq), until, named=2 + (seq > 0)))
        if batch == "one by one":
            made += race.advance()
    made += race.advance()
    assert [(type(record), record.t) for record in made] == [
        (SessionHeader, 1_000), (Frame, 1_000), (Frame, 1_200), (Frame, 1_400),
        (SessionHeader, 1_600), (Frame, 1_600), (Frame, 1_800), (Frame, 2_000),
    ]  # fmt: skip
    heads = [record for record in made if isinstance(record, SessionHeader)]
    assert heads[0].outline is None
    assert heads[1].outline is not None


# -- records that come again, late or not at all ---------------------------------------------------------------


def test_missing_packet_is_a_sequence_gap() -> None:
    race = session("4")
    race.take_update(update("4", (0, 2), 1_200))
    with pytest.raises(SequenceGap, match="car 4: packet 4 came after 2"):
        race.take_update(update("4", (4, 5), 1_600))


def test_missing_message_is_a_sequence_gap() -> None:
    with pytest.raises(SequenceGap, match="message 3 came after 1"):
        session("4").take_message(3, 1_400, None)


def test_duplicates_are_reported_by_the_return_value() -> None:
    race = session("4")
    assert race.take_update(update("4", (0, 2), 1_200))
    assert not race.take_update(update("4", (1, 2), 1_200))
    assert not race.take_message(1, START_MS, entries("4", "81"))


def test_packets_delivered_again_in_other_groups_count_once() -> None:
    first = [lap(1, 1_300), lap(2, 1_500)]
    race = session("4")
    race.take_update(update("4", (0, 1), 1_400, 1_100, 1_350, laps=first[:1]))
    race.take_update(update("4", (1, 2), 1_600, 1_350, 1_550, laps=first))
    race.take_update(update("4", (0, 3), 1_800, 1_100, 1_350, 1_550, 1_700, laps=first))
    made = frames(race.advance())
    assert [frame.x for frame in made] == [[None], [1_100], [1_350], [1_550], [1_700]]
    assert race.tally.model_dump() == {"samples": 4, "laps": 2, "messages": 2}


# -- cars that do not take part --------------------------------------------------------------------------------


def test_unknown_car_is_neither_in_the_race_nor_awaited() -> None:
    race = session("4")
    race.take_update(update("99", (0, 0), 1_200, 1_100))
    race.take_update(update("4", (0, 0), 1_600, 1_100))
    made = frames(race.advance())
    assert [frame.x for frame in made] == [[None], [1_100], [1_100], [1_100]]
    assert all(set(frame.cars) <= {"4"} for frame in made)
    assert race.tally.samples == 1


def test_a_car_that_is_not_entered_is_ignored_after_a_restart_too() -> None:
    race = session("4")
    assert not race.take_update(update("99", (0, 6), 1_400, 1_100))
    assert race.take_update(update("4", (0, 0), 1_400))
    race.advance()
    again = restored(race)
    assert not again.take_update(update("99", (7, 7), 1_600))
    assert again.take_update(update("4", (1, 1), 1_600))


def test_before_the_entries_are_known_the_number_of_cars_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_join, "MOST_CARS", 2)
    race = SessionRace("s", 1)
    taken = [race.take_update(update(number, (0, 0), 1_400)) for number in ("4", "81", "99")]
    assert taken == [True, True, False]
    race.take_message(0, START_MS, INFO)
    race.take_message(1, START_MS, entries("4"))
    race.advance()
    assert list(race.join.cars) == ["4"]


def test_message_about_a_car_that_is_not_entered_is_refused_once_the_entries_are_known() -> None:
    """Also before the first frame, because that depends on which record was read first."""
    out = Retirement(session_time_ms=1_200, driver_number="99")
    SessionRace("s", 1).admit(out)
    race = session("4")
    race.admit(out.model_copy(update={"driver_number": "4"}))
    for _ in range(2):
        with pytest.raises(BadRecord, match="car 99 is not in the session's list of entries"):
            race.admit(out)
        race.take_update(update("4", (0, 0), 1_200))
        race.advance()


# -- restarts --------------------------------------------------------------------------------------------------


def restored(race: SessionRace) -> SessionRace:
    kept = race.checkpoint()
    assert kept is not None
    return SessionRace.restore(race.session_key, kept, race.dump_header(), official=True)


def test_no_checkpoint_before_the_first_frame() -> None:
    race = session("4")
    assert race.checkpoint() is None
    race.take_update(update("4", (0, 0), START_MS - 1))
    race.advance()
    assert race.checkpoint() is None


def test_checkpoint_includes_nothing_beyond_its_frame() -> None:
    """Later input is not acknowledged and is delivered again."""
    short, long = session("4"), session("4")
    for race in (short, long):
        race.take_update(update("4", (0, 0), 1_400, 1_300))
    long.take_update(update("4", (1, 1), 1_500, 1_450, named=3))
    short.advance()
    long.advance()
    assert short.checkpoint() == long.checkpoint()


def test_restart_within_a_packet_continues_with_its_rest() -> None:
    race = session("4", "81")
    straddling = update("4", (0, 0), 2_000, 1_100, 1_300, 1_700, laps=[lap(1, 1_350), lap(2, 1_500)])
    race.take_update(straddling)
    race.take_update(update("81", (0, 0), 1_400))
    race.advance()
    again = restored(race)
    assert again.take_update(straddling), "it is not done: it comes again"
    assert again.take_update(update("81", (1, 1), 2_000))
    assert [frame.x[0] for frame in frames(again.advance())] == [1_300, 1_700, 1_700]
    assert again.tally.model_dump() == {"samples": 3, "laps": 2, "messages": 2}


def test_restart_between_track_and_checkpoint_keeps_the_track_of_the_checkpoint() -> None:
    """The header is written before the checkpoint: after a crash in between it has a newer track than the race."""
    race = session("4")
    race.take_message(2, START_MS, oval(8_000))
    race.take_message(3, 1_600, oval(9_000))
    race.take_update(update("4", (0, 0), 1_200, 1_100, named=3))
    race.advance()
    kept = race.checkpoint()
    assert kept is not None
    race.take_update(update("4", (1, 1), 2_000, 1_400, 1_700, named=4))
    expected = race.advance()
    again = SessionRace.restore("s", kept, race.dump_header())
    again.take_message(3, 1_600, oval(9_000))
    assert again.header.track == oval(8_000)
    again.take_update(update("4", (1, 1), 2_000, 1_400, 1_700, named=4))
    assert again.advance() == expected
    assert again.header.track == oval(9_000)


def test_a_checkpoint_with_more_pending_input_has_the_greater_version() -> None:
    """At any session time: a frozen worker may deliver the smaller checkpoint last."""
    race = session("4", "81")
    race.take_update(update("4", (0, 0), 9_000, named=4))
    assert race.checkpoint_pending(10**6)
    versions = [race.progress]
    race.take_message(2, 2_000, TrackStatus(session_time_ms=2_000, status="4", message=""))
    versions.append(race.progress)
    race.take_update(update("4", (1, 1), 9_000, named=4))
    versions.append(race.progress)
    race.take_update(update("81", (0, 0), 8_000, named=4))
    versions.append(race.progress)
    assert versions == sorted(set(versions))


def test_a_checkpoint_with_pending_input_has_a_greater_version_than_any_stored_by_an_earlier_release() -> None:
    """Its low word was the session time (ms) of the last pending record, which is less than 2^31."""
    race = session("4")
    race.take_update(update("4", (0, 0), 9_000, named=4))
    assert race.checkpoint_pending(10**6)
    assert race.progress & 0xFFFFFFFF > 7 * 86_400_000 + 1  # the latest session time of these


def test_info_and_entries_received_by_a_silent_run_are_stored_with_its_next_checkpoint() -> None:
    """The checkpoint has them as received: without the header no frame would ever be made."""
    race = SessionRace("s", 1)
    race.take_update(update("4", (0, 0), 2_000, 1_500))
    assert race.checkpoint_pending(10**6)
    race.header_changed = False  # it is stored
    race.take_message(0, START_MS, INFO)
    assert race.header_changed
    race.header_changed = False
    race.take_message(1, START_MS, entries("4"))
    assert race.header_changed


def test_ended_run_is_still_ended_after_a_restart() -> None:
    race = session("4")
    race.take_message(2, 1_400, SessionEnd(session_time_ms=1_400))
    race.take_update(update("4", (0, 0), 1_400, named=3))
    race.advance()
    assert restored(race).ended


# -- a simulated race ------------------------------------------------------------------------------------------


@cache
def simulated() -> tuple[OutgoingRecord, ...]:
    return tuple(pack(simulate(4, cars=5, laps=2), 1, 2_000))


@cache
def undisturbed(official: bool) -> Run:
    return run(simulate(4, cars=5, laps=2), 2_000, official=official)


def updates(items: tuple[OutgoingRecord, ...]) -> list[tuple[OutgoingRecord | None, CarUpdate | None]]:
    """Messages and updates in the order of publishing, one packet an update."""
    drivers: dict[bytes, DriverJoin] = {}
    out: list[tuple[OutgoingRecord | None, CarUpdate | None]] = []
    for item in items:
        headers: Any = item.headers
        record: Any = item.record
        if item.topic == topics.MESSAGES:
            out.append((item, None))
            continue
        driver = drivers.setdefault(item.key, DriverJoin(topics.session_of(item.key)[1]))
        driver.begins(1, None)
        if item.topic == topics.LAPS:
            driver.take_lap(headers.seq, headers.emitted_ms, record, None)
        else:
            driver.take_packet(headers.seq, headers.emitted_ms, headers.laps, headers.messages, record, None)
        out.append((None, driver.join()[0]))
    return out


@pytest.mark.parametrize("official", [True, False])
def test_restart_after_every_advance_gives_the_same_frames(official: bool) -> None:
    race = SessionRace("sim-4", 1, official)
    given: list[Any] = []
    made: list[SessionHeader | Frame] = []
    restarts = 0
    for message, new in updates(simulated()):
        given.append((message, new))
        take(race, message, new)
        frames_made = race.advance()
        made += frames_made
        kept = race.checkpoint()
        if frames_made and kept is not None and race.t is not None:
            race = SessionRace.restore("sim-4", kept, race.dump_header(), official)
            restarts += 1
            done = race.t or 0
            given = [(m, u) for m, u in given if (m.headers.emitted_ms if m else u.until_ms if u else -1) > done]
            for again in given:  # what was not acknowledged
                take(race, *again)
    expected = undisturbed(official)
    assert restarts > 50
    assert frame_bytes(made) == frame_bytes(expected.made)
    assert race.tally == expected.race.tally


def take(race: SessionRace, message: OutgoingRecord | None, new: CarUpdate | None) -> None:
    if message is not None:
        record: Any = message.record
        race.take_message(message.headers.seq, message.headers.emitted_ms, record)
    elif new is not None:
        race.take_update(new)


@pytest.mark.parametrize("topic", [topics.TELEMETRY, topics.LAPS, topics.MESSAGES])
def test_unreadable_record_costs_only_itself(topic: str) -> None:
    """Every frame is made although later packets name the unreadable record."""
    of_topic = [item for item in simulated() if item.topic == topic]
    poisoned = of_topic[len(of_topic) // 2]
    spoiled = {(topic, poisoned.key, poisoned.headers.seq)}
    damaged = run(simulate(4, cars=5, laps=2), 2_000, spoiled=spoiled)
    whole = undisturbed(True)
    assert [frame.t for frame in damaged.frames] == [frame.t for frame in whole.frames]
    assert damaged.race.ended
    lost = {name: n - getattr(damaged.race.tally, name) for name, n in whole.race.tally.model_dump().items()}
    samples = len(getattr(poisoned.record, "session_time_ms", ()) or ()) if topic == topics.TELEMETRY else 0
    assert lost == {"samples": samples, "laps": int(topic == topics.LAPS), "messages": int(topic == topics.MESSAGES)}
    before = poisoned.headers.emitted_ms - (2_000 if topic == topics.TELEMETRY else 0)
    same = {n: value for n, value in frame_bytes(whole.made).items() if n * 200 < before}
    assert same.items() <= frame_bytes(damaged.made).items()


def test_every_simulated_message_is_about_a_known_car() -> None:
    """No message of the simulator is refused."""
    race = session(*{topics.session_of(item.key)[1] for item in simulated() if item.topic == topics.TELEMETRY})
    for item in simulated():
        if item.topic == topics.MESSAGES:
            message: Any = item.record
            race.admit(message)


# -- cars that join --------------------------------------------------------------------------------------------


def joined(*cuts: str) -> tuple[list[SessionHeader | Frame], SessionRace]:
    """Car 4 alone, then 81 joins at 1,500 ms. ``cuts``: where the session is written to its tables and read back."""
    race = session("4")
    made: list[SessionHeader | Frame] = []

    def restart(where: str) -> None:
        nonlocal race
        if where in cuts:
            checkpoint = race.checkpoint()
            assert checkpoint is not None
            race = SessionRace.restore("s", checkpoint, race.dump_header())

    race.take_update(update("4", (0, 0), 1_400, 1_150, named=2))
    made += race.advance()
    restart("before")
    later = entries("4", "81")
    race.admit(later)
    race.take_message(2, 1_500, later)
    race.take_message(3, 1_700, Retirement(session_time_ms=1_700, driver_number="81"))
    race.take_update(update("4", (1, 1), 2_000, 1_750, named=4))
    made += race.advance()
    assert times(made)[-1] == 1_400, "the frame in which the car joins waits for it"
    race.take_update(update("81", (0, 0), 1_800, 1_650, named=3))
    made += race.advance()
    restart("after")
    race.take_update(update("4", (1, 1), 2_000, 1_750, named=4))  # not acknowledged: it comes again
    race.take_update(update("81", (0, 0), 1_800, 1_650, named=3))
    race.take_message(3, 1_700, Retirement(session_time_ms=1_700, driver_number="81"))
    race.take_update(update("81", (1, 1), 2_000, named=4))
    made += race.advance()
    return made, race


def test_a_car_that_joins_is_in_every_frame_from_then_on() -> None:
    made, race = joined()
    heads = [
        (made_.t, [entry.driver_number for entry in made_.cars]) for made_ in made if isinstance(made_, SessionHeader)
    ]
    assert heads == [(1_000, ["4"]), (1_600, ["4", "81"])]
    assert times(made) == [1_000, 1_200, 1_400, 1_600, 1_800, 2_000]
    assert [(frame.t, len(frame.x), frame.kind) for frame in frames(made)] == [
        (1_000, 1, "key"), (1_200, 1, "delta"), (1_400, 1, "delta"),
        (1_600, 2, "key"), (1_800, 2, "delta"), (2_000, 2, frames(made)[-1].kind),
    ]  # fmt: skip
    assert frames(made)[3].cars["81"].position == 2
    assert frames(made)[4].cars["81"].status == "retired"
    assert race.race is not None
    assert race.race.cars["81"].lap == 0
    assert race.tally.samples == 3


@pytest.mark.parametrize("cuts", [("before",), ("after",), ("before", "after")])
def test_a_car_that_joins_does_so_after_a_restart_too(cuts: tuple[str, ...]) -> None:
    assert [topics.encode(each) for each in joined(*cuts)[0]] == [topics.encode(each) for each in joined()[0]]


def test_with_a_header_ahead_of_its_checkpoint_the_car_joins_again() -> None:
    """The header is written first: after a crash in between it has a list that the race does not have."""
    race = session("4")
    race.take_update(update("4", (0, 0), 1_400, 1_150, named=2))
    race.advance()
    checkpoint = race.checkpoint()
    assert checkpoint is not None
    ahead = joined()[1].dump_header()
    race = SessionRace.restore("s", checkpoint, ahead)
    race.take_message(2, 1_500, entries("4", "81"))
    race.take_update(update("4", (1, 1), 2_000, 1_750, named=3))
    race.take_update(update("81", (0, 0), 2_000, 1_650, named=3))
    assert [(frame.t, len(frame.x)) for frame in frames(race.advance())] == [(1_600, 2), (1_800, 2), (2_000, 2)]


def test_packets_received_before_the_list_that_enters_their_car_are_buffered() -> None:
    race = session("4")
    race.take_update(update("4", (0, 0), 2_000, 1_750, named=3))
    assert race.take_update(update("81", (0, 0), 2_000, 1_650, named=3))
    assert not race.take_update(update("99", (0, 0), 2_000, 1_650, named=2)), (
        "its messages have come, and it is in none"
    )
    race.take_message(2, 1_500, entries("4", "81"))
    assert len(frames(race.advance())[-1].x) == 2


@pytest.mark.parametrize("first", ["messages", "packets"])
def test_samples_from_before_a_car_joined_are_in_no_frame(first: str) -> None:
    """However its records are batched: if frames were made in between, that part is dropped on arrival."""
    packet = update("81", (0, 0), 2_000, 1_150, 1_350, 1_650, named=3, laps=[lap(1, 1_300), lap(2, 1_700)])
    race = session("4")
    race.take_update(update("4", (0, 0), 2_000, 1_150, named=3))
    if first == "packets":
        race.take_update(packet)
    race.take_message(2, 1_500, entries("4", "81"))
    made = race.advance() if first == "messages" else []
    race.take_update(packet)
    made += race.advance()
    assert times(made)[-1] == 2_000
    assert (race.tally.samples, race.tally.laps) == (2, 1)
    assert race.race is not None
    assert list(race.race.cars["81"].lap_times) == ["2"]


@pytest.mark.parametrize("late", [entries("4", "81"), oval(5_000)], ids=["entries", "track"])
def test_a_list_or_track_with_an_earlier_time_waits_for_the_message_before_it(late: Message) -> None:
    race = session("4")
    race.take_message(2, 1_800, Retirement(session_time_ms=1_800, driver_number="4"))
    race.take_message(3, 1_100, late)
    for number in ("4", "81"):
        race.take_update(update(number, (0, 0), 2_000, 1_150, 1_950, named=4))
    made = race.advance()
    assert race.failure is None
    assert times(made) == [1_000, 1_200, 1_400, 1_600, 1_800, 2_000]
    assert [head.t for head in made if isinstance(head, SessionHeader)] == [1_000, 1_800]


def test_a_later_list_updates_cars_and_removes_none() -> None:
    race = session("4", "81")
    named = Entries(session_time_ms=1_300, entries=[entries("81").entries[0].model_copy(update={"team": "McLaren"})])
    race.take_message(2, 1_300, named)
    for number in ("4", "81"):
        race.take_update(update(number, (0, 0), 2_000, named=3))
    made = race.advance()
    heads = [
        [(entry.driver_number, entry.team) for entry in head.cars] for head in made if isinstance(head, SessionHeader)
    ]
    assert heads == [[("4", ""), ("81", "")], [("4", ""), ("81", "McLaren")]]


def test_lists_and_cars_of_a_run_are_bounded() -> None:
    race = session("4")
    with pytest.raises(BadRecord, match="has 1 cars"):
        race.admit(Entries.model_construct(entries=entries(*map(str, range(200, 300))).entries))
    for seq in range(2, 201):
        race.take_message(seq, 1_500, entries("4"))
    with pytest.raises(BadRecord, match="200 lists of entries already"):
        race.admit(entries("4"))
