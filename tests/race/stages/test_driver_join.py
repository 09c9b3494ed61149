"""One driver's packets and laps: which records are pending, and when they are done."""

from __future__ import annotations

import pytest

from f1stream.race.stages import driver_join
from f1stream.race.stages.checkpoint import DAMAGED
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.topics import RunDamaged, SequenceGap
from models import Lap, Packet

RUN = 7


def packet(until_ms: int, *times: int) -> Packet:
    n = len(times)
    return Packet(
        driver_number="4", until_ms=until_ms, session_time_ms=list(times),
        x=[float(t) for t in times], y=[1.0] * n, z=[0.0] * n, speed=[280.0] * n, rpm=[11_000.0] * n,
        throttle=[100.0] * n, brake=[False] * n, gear=[8] * n,
    )  # fmt: skip


def lap(number: int, end_ms: int, **more: object) -> Lap:
    absent = dict.fromkeys(Lap.model_fields)
    known = {"driver": "NOR", "driver_number": "4", "team": "McLaren", "generated": False}
    return Lap.model_validate({**absent, **known, "lap_number": number, "end_ms": end_ms, **more})


def driver() -> DriverJoin:
    new = DriverJoin("4")
    assert new.begins(RUN, "nobody's")
    return new


def test_packets_are_joined_into_one_update() -> None:
    car = driver()
    car.take_packet(0, 1_000, 0, 2, packet(1_000, 100, 200), "p0")
    car.take_packet(1, 2_000, 0, 5, packet(2_000, 1_100), "p1")
    run, settled = car.join()
    assert run is not None
    assert (run.epoch, run.driver_number, run.first_seq, run.last_seq) == (RUN, "4", 0, 1)
    assert (run.until_ms, run.messages) == (2_000, 5)
    assert run.t == [100, 200, 1_100]
    assert run.x == [100.0, 200.0, 1_100.0]
    assert settled == ["p0", "p1"]


def test_packet_waits_for_the_laps_it_names() -> None:
    car = driver()
    car.take_packet(0, 1_000, 0, 0, packet(1_000, 500), "p0")
    car.take_packet(1, 2_000, 2, 0, packet(2_000, 1_500), "p1")
    car.take_lap(0, 1_200, lap(1, 1_200), "l0")
    run, settled = car.join()
    assert run is not None
    assert (run.last_seq, run.laps) == (0, [])
    assert settled == ["p0"]
    assert car.join() == (None, [])
    car.take_lap(1, 1_300, lap(1, 1_200, deleted=True), "l1")
    run, settled = car.join()
    assert run is not None
    assert [(lap.emitted_ms, lap.end_ms, lap.deleted) for lap in run.laps] == [
        (1_200, 1_200, False),
        (1_300, 1_200, True),
    ]
    assert set(settled) == {"p1", "l0", "l1"}


def test_lap_waits_for_the_packet_that_names_it() -> None:
    car = driver()
    car.take_lap(0, 1_500, lap(1, 1_500), "l0")
    car.take_packet(0, 1_000, 0, 0, packet(1_000), "p0")
    run, settled = car.join()
    assert run is not None
    assert run.laps == []
    assert settled == ["p0"]
    car.take_packet(1, 2_000, 1, 0, packet(2_000), "p1")
    run, settled = car.join()
    assert run is not None
    assert [lap.lap_number for lap in run.laps] == [1]
    assert set(settled) == {"p1", "l0"}


def test_without_new_records_there_is_no_update() -> None:
    car = driver()
    before = car.dump()
    assert car.join() == (None, [])
    assert car.dump() == before


def test_lap_that_was_estimated_is_not_official() -> None:
    car = driver()
    car.take_lap(0, 900, lap(1, 900, generated=True, compound="SOFT", tyre_life=3, speed_st=311), "l0")
    car.take_packet(0, 1_000, 1, 0, packet(1_000), "p0")
    run, _ = car.join()
    assert run is not None
    (joined,) = run.laps
    assert (joined.official, joined.compound, joined.tyre_life, joined.speed_st) == (False, "SOFT", 3, 311)


def test_unreadable_packet_counts_as_one_without_samples() -> None:
    car = driver()
    car.take_packet(0, 1_000, 0, 0, packet(1_000, 900), "p0")
    car.take_packet(1, 2_000, 0, 3, None, "poison")
    run, settled = car.join()
    assert run is not None
    assert (run.t, run.last_seq, run.until_ms, run.messages) == ([900], 1, 2_000, 3)
    assert settled == ["p0", "poison"]


def test_unreadable_lap_counts_as_received() -> None:
    car = driver()
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 900), "p0")
    car.take_lap(0, 800, None, "poison")
    run, settled = car.join()
    assert run is not None
    assert run.laps == []
    assert set(settled) == {"p0", "poison"}


def test_sample_before_the_end_of_an_earlier_packet_is_left_out() -> None:
    """Received separately, the session stage would drop it; so it must be dropped in one update, too."""
    car = driver()
    car.take_packet(0, 1_000, 0, 0, packet(1_000, 800), "p0")
    car.take_packet(1, 2_000, 0, 0, packet(2_000, 900, 1_000, 1_001), "p1")
    run, _ = car.join()
    assert run is not None
    assert (run.t, run.x) == ([800, 1_001], [800.0, 1_001.0])
    assert len(run.y) == len(run.speed) == 2


@pytest.mark.parametrize("again", ["while it waits", "after it was handed on"])
def test_duplicates_are_joined_once_and_each_is_done(again: str) -> None:
    car = driver()
    car.take_lap(0, 500, lap(1, 500), "l0")
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "p0")
    first, settled = (None, []) if again == "while it waits" else car.join()
    car.take_packet(1, 2_000, 1, 0, packet(2_000, 1_600), "p1")
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "p0 again")
    car.take_lap(0, 500, lap(1, 500), "l0 again")
    second, more = car.join()
    runs = [run for run in (first, second) if run is not None]
    assert [t for run in runs for t in run.t] == [600, 1_600]
    assert [lap.lap_number for run in runs for lap in run.laps] == [1]
    assert [seq for run in runs for seq in range(run.first_seq, run.last_seq + 1)] == [0, 1]
    assert sorted([*settled, *more]) == ["l0", "l0 again", "p0", "p0 again", "p1"]
    assert car.join() == (None, [])


def test_duplicate_is_not_done_before_its_original() -> None:
    """If it were acknowledged and the pending original lost in a crash, the packet would be lost."""
    car = driver()
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "p0")
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "p0 again")
    assert car.join() == (None, [])
    car.take_lap(0, 500, lap(1, 500), "l0")
    _, settled = car.join()
    assert set(settled) == {"p0", "p0 again", "l0"}


@pytest.mark.parametrize("seq", [1, 5])
def test_missing_packet_is_a_sequence_gap(seq: int) -> None:
    car = driver()
    car.take_packet(0, 1_000, 0, 0, packet(1_000), "p0")
    with pytest.raises(SequenceGap, match=f"car 4: packet {seq + 1} came after 0"):
        car.take_packet(seq + 1, 1_000, 0, 0, packet(1_000), "p")


@pytest.mark.parametrize("seq", [1, 5])
def test_a_run_that_does_not_begin_with_its_first_packet_is_damaged(seq: int) -> None:
    with pytest.raises(RunDamaged, match=f"car 4: its first packet is {seq}, not 0"):
        driver().take_packet(seq, 1_000, 0, 0, packet(1_000), "p")


def test_records_that_wait_for_others_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_join, "MAX_WAITING", 2)
    car = driver()
    for seq in range(2):
        car.take_packet(seq, 1_000, 1, 0, packet(1_000), f"p{seq}")
    with pytest.raises(RunDamaged, match="car 4: 2 records wait"):
        car.take_packet(2, 1_000, 1, 0, packet(1_000), "p2")


def test_an_update_has_a_limit_of_samples_and_the_rest_is_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_join, "UPDATE_SAMPLES", 3)
    car = driver()
    for seq in range(4):
        car.take_packet(
            seq, (seq + 1) * 1_000, 0, 0, packet((seq + 1) * 1_000, seq * 1_000 + 1, seq * 1_000 + 2), seq
        )
    found = []
    while True:
        update, done = car.join()
        if update is None:
            break
        found.append((update.first_seq, update.last_seq, len(update.t), done))
    assert found == [(0, 0, 2, [0]), (1, 1, 2, [1]), (2, 2, 2, [2]), (3, 3, 2, [3])]


def test_a_packet_that_names_more_laps_than_a_record_can_hold_damages_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver_join, "UPDATE_LAPS", 2)
    car = driver()
    for seq in range(3):
        car.take_lap(seq, 500, lap(seq + 1, 500), f"l{seq}")
    car.take_packet(0, 1_000, 3, 0, packet(1_000), "p0")
    with pytest.raises(RunDamaged, match="car 4: a packet names 3 laps at once, more than 2"):
        car.join()
    car.damage("too many laps")
    assert car.join() == (None, ["p0", "l0", "l1", "l2"])
    assert not car.begins(RUN, "p1")
    assert car.begins(RUN + 1, "first")


def test_a_damaged_run_stays_damaged_over_a_restart_and_until_a_newer_one_begins() -> None:
    car = driver()
    car.damage("a packet is missing")
    again = DriverJoin.restore("4", car.dump())
    assert again.checkpoint.damaged == "a packet is missing"
    assert again.progress == car.progress == DAMAGED
    assert not again.begins(RUN, "more of it")
    assert again.join() == (None, ["more of it"])
    assert again.begins(RUN + 1, "first")
    assert again.checkpoint.damaged is None


def test_pending_records_that_no_table_can_hold_stay_unacknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_join, "MAX_BYTES", 300)
    car = driver()
    car.take_packet(0, 1_000, 1, 0, packet(1_000, *range(50)), "p0")
    assert car.checkpoint_pending() == []
    assert car.has_unacknowledged
    assert len(car.dump()) < 300


def test_missing_lap_is_a_sequence_gap() -> None:
    car = driver()
    car.take_lap(0, 500, lap(1, 500), "l0")
    with pytest.raises(SequenceGap, match="car 4: lap record 2 came after 0"):
        car.take_lap(2, 900, lap(3, 900), "l2")


def test_newer_run_supersedes_the_current_one_whose_pending_records_are_done() -> None:
    car = driver()
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "old packet")
    car.take_lap(0, 1_500, lap(1, 1_500), "old lap")
    car.take_lap(1, 1_600, lap(2, 1_600), "another")
    assert car.begins(RUN + 1, "first")
    car.take_packet(0, 300, 0, 0, packet(300, 200), "first")
    run, settled = car.join()
    assert run is not None
    assert (run.epoch, run.first_seq, run.t, run.laps) == (RUN + 1, 0, [200], [])
    assert sorted(settled) == ["another", "first", "old lap", "old packet"]
    car.take_lap(0, 400, lap(9, 400), "new lap")
    car.take_packet(1, 600, 1, 0, packet(600), "second")
    run, settled = car.join()
    assert run is not None
    assert [lap.lap_number for lap in run.laps] == [9]
    assert set(settled) == {"new lap", "second"}


def test_record_of_a_superseded_run_is_done_and_ignored() -> None:
    car = driver()
    assert not car.begins(RUN - 1, "late")
    run, settled = car.join()
    assert run is None
    assert settled == ["late"]


def test_restored_driver_continues_where_it_was() -> None:
    car = driver()
    car.take_lap(0, 500, lap(1, 500), "l0")
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "p0")
    car.take_packet(1, 2_000, 2, 0, packet(2_000, 1_600), "waits")
    car.join()
    again = DriverJoin.restore("4", car.dump())
    assert again.begins(RUN, "none")
    again.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "p0")
    again.take_lap(0, 500, lap(1, 500), "l0")
    again.take_packet(1, 2_000, 2, 0, packet(2_000, 1_600), "p1")
    assert again.join() == (None, ["p0", "l0"])
    again.take_lap(1, 1_500, lap(2, 1_500), "l1")
    run, settled = again.join()
    assert run is not None
    assert (run.first_seq, run.last_seq, [lap.lap_number for lap in run.laps]) == (1, 1, [2])
    assert set(settled) == {"p1", "l1"}


def test_driver_without_a_table_value_is_new() -> None:
    car = DriverJoin.restore("4", None)
    assert car.begins(RUN, "t")
    car.take_packet(0, 1_000, 0, 0, packet(1_000), "p0")
    assert car.join()[1] == ["p0"]


def test_pending_records_are_not_in_the_table() -> None:
    car = driver()
    empty = car.dump()
    car.take_packet(0, 1_000, 1, 0, packet(1_000, 600), "p0")
    car.join()
    assert car.dump() == empty


def test_drs_is_open_or_closed_and_unknown_where_a_packet_has_none() -> None:
    """Codes 0, 1 and 8 are closed, 10, 12 and 14 open."""
    car = driver()
    without = packet(1_000, 600)
    codes = packet(2_000, 1_100, 1_200, 1_300, 1_400).model_copy(update={"drs": [8, 12, 1, None]})
    car.take_packet(0, 1_000, 0, 0, without, "p0")
    car.take_packet(1, 2_000, 0, 0, codes, "p1")
    car.take_packet(2, 3_000, 0, 0, packet(3_000, 2_500), "p2")
    run, _ = car.join()
    assert run is not None
    assert run.drs == [None, 0, 1, 0, None, None]
    car.take_packet(3, 4_000, 0, 0, packet(4_000, 3_500), "p3")
    run, _ = car.join()
    assert run is not None
    assert run.drs == []
