"""A run that cannot be continued is damaged and reported; other runs are not affected; a newer run replaces it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from f1stream import topics
from f1stream.metrics import DAMAGED_RUNS, IGNORED_RECORDS, SESSION_TIME
from f1stream.processing.outputs import Output
from f1stream.race.stages import frame_records, session_join, session_race, session_tables
from f1stream.race.stages.driver_stage import GIVE_UP, SILENT_S
from f1stream.race.state import Race
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.topics import RecordHeaders, SequenceGap
from models import CarUpdate, DamagedRun, DamageNotice, DeadLetter, RaceControl, TrackStatus, Updates
from tests.support.harness import MemoryEvent, MemoryKafka, MemoryWorker, encoded

GOOD, BAD = 5, 4
"""Seeds of two simulated races, which are in their keys: ``sim-5``, ``sim-4``."""


@cache
def records(seed: int, run_id: int = 1) -> tuple[Output, ...]:
    """The first seconds of a small race."""
    session = simulate(seed, cars=2, laps=1)
    return tuple(encoded(pack(session, run_id, 1_000, session.start_ms, session.start_ms + 20_000)))


@cache
def expected(seed: int, run_id: int = 1) -> dict[int, bytes]:
    """Its frames when nothing is wrong."""
    kafka = MemoryKafka(records(seed, run_id))
    MemoryWorker(kafka).run_to_the_end(500)
    return frames(kafka, seed, run_id)


def frames(kafka: MemoryKafka, seed: int, run_id: int = 1) -> dict[int, bytes]:
    """The frames of one session's run by number."""
    found: dict[int, bytes] = {}
    for record in published(kafka, topics.FRAMES, f"sim-{seed}".encode()):
        headers = dict(record.headers)
        if headers["kind"] == b"frames" and int(headers["epoch"]) == run_id:
            found |= enumerate((record.value or b"").split(b"\n"), int(headers["seq"]))
    return found


def published(kafka: MemoryKafka, topic: str, key: bytes) -> Iterator[Any]:
    """The records of a topic with this key, of each partition in order."""
    for (name, _), log in kafka.logs.items():
        yield from (record for record in log if name == topic and record.key == key)


def damaged(kafka: MemoryKafka, seed: int) -> list[DamageNotice]:
    """Notices of a damaged run for viewers; a restart may repeat them."""
    found = [
        topics.decode_damaged(record.value)
        for record in published(kafka, topics.FRAMES, f"sim-{seed}".encode())
        if dict(record.headers)["kind"] == b"damaged"
    ]
    return [each for n, each in enumerate(found) if each not in found[:n]]


def dead_letter_of(kafka: MemoryKafka) -> DeadLetter:
    (dead_letter,) = kafka.dead_letters()
    return dead_letter


def without(outputs: tuple[Output, ...], topic: str, n: int) -> list[Output]:
    """All records but the nth of a topic."""
    own = [output for output in outputs if output.topic == topic]
    return [output for output in outputs if output is not own[n]]


def seq_of(output: Any) -> int:
    return int(dict(output.headers)["seq"])


@pytest.mark.parametrize("topic", [topics.TELEMETRY, topics.MESSAGES])
def test_a_gap_in_the_log_damages_the_run_and_publishing_it_again_replaces_it(topic: str) -> None:
    kafka = MemoryKafka([*records(GOOD), *without(records(BAD), topic, 3)])
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(20)
    (notice,) = damaged(kafka, BAD)
    assert (notice.epoch, "came after" in notice.reason) == (1, True)
    dead_letter = dead_letter_of(kafka)
    assert (dead_letter.topic, dead_letter.reason) == (topic, f"run 1 is damaged: {notice.reason}")
    assert kafka.unacknowledged() == {}
    assert frames(kafka, GOOD) == expected(GOOD)
    for output in records(BAD, 2):
        kafka.append(output)
    worker.run_to_the_end(20)
    assert frames(kafka, BAD, 2) == expected(BAD, 2)
    assert kafka.unacknowledged() == {}
    assert len(damaged(kafka, BAD)) == len(kafka.dead_letters()) == 1


@pytest.mark.parametrize("topic", [topics.TELEMETRY, topics.MESSAGES])
def test_a_gap_found_while_the_worker_runs_exits_it_once(topic: str) -> None:
    """The worker may have missed the record. If the gap is still there after the restart, it is in the log."""
    broken = without(records(BAD), topic, 3)
    half = next(n for n, output in enumerate(broken) if output.topic == topic and seq_of(output) > 1)
    kafka = MemoryKafka(broken[:half])
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(20)
    for output in [*broken[half:], *records(GOOD)]:
        kafka.append(output)
    with pytest.raises(SequenceGap):
        worker.run_to_the_end(20)
    assert damaged(kafka, BAD) == []
    worker.start()
    worker.run_to_the_end(20)
    assert len(damaged(kafka, BAD)) == len(kafka.dead_letters()) == 1
    assert frames(kafka, GOOD) == expected(GOOD)
    assert kafka.unacknowledged() == {}


def test_a_gap_made_by_our_reading_exits_the_worker_and_loses_nothing() -> None:
    """Faust skipped records in a rebalance; the restarted worker reads them."""
    kafka = MemoryKafka(records(BAD))
    worker = MemoryWorker(kafka)
    events = worker.poll(("messages",), 500)
    with pytest.raises(SequenceGap):
        worker.process(worker.session_stage, [event for event in events if seq_of(event.message) != 2])
    worker.start()
    worker.run_to_the_end(20)
    assert frames(kafka, BAD) == expected(BAD)
    assert kafka.dead_letters() == []


@pytest.mark.parametrize("topic", [topics.TELEMETRY, topics.MESSAGES])
def test_a_run_that_does_not_begin_with_its_first_record_is_refused_and_the_older_one_continues(
    topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    late = [output for output in records(BAD, 2) if output.topic == topic and seq_of(output) >= 3]
    kafka = MemoryKafka([*records(BAD)[:20], *late, *records(BAD)[20:]])
    MemoryWorker(kafka).run_to_the_end(20)
    assert frames(kafka, BAD) == expected(BAD)
    assert damaged(kafka, BAD) == []
    assert kafka.unacknowledged() == {}
    dead_letters = kafka.dead_letters()
    assert len(dead_letters) == len({output.key for output in late})  # the first of each car, or of the session
    assert all("run 2" in dead_letter.reason and "not" in dead_letter.reason for dead_letter in dead_letters)
    assert len([line for line in caplog.messages if "Records of run 2 are ignored" in line]) == len(dead_letters)


def break_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the rules fail at one message."""
    apply = session_race.apply_message

    def fails(race: Race, message: Any) -> None:
        if isinstance(message, TrackStatus) and message.message == "cannot be borne":
            raise IndexError("no such car")
        apply(race, message)

    monkeypatch.setattr(session_race, "apply_message", fails)


def test_a_message_on_which_the_rules_fail_damages_its_run_from_there_on(monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_rules(monkeypatch)
    broken = list(records(BAD))
    at, victim = next(
        (n, output) for n, output in enumerate(broken) if output.topic == topics.MESSAGES and seq_of(output) == 10
    )
    emitted_ms = int(dict(victim.headers)["emitted_ms"])
    value = TrackStatus(session_time_ms=emitted_ms, status="2", message="cannot be borne")
    broken[at] = replace(victim, value=topics.encode(value))
    kafka = MemoryKafka([*broken, *records(GOOD)])
    before = DAMAGED_RUNS.labels("race")._value.get()
    MemoryWorker(kafka).run_to_the_end(500)
    assert DAMAGED_RUNS.labels("race")._value.get() == before + 1
    (notice,) = damaged(kafka, BAD)
    assert notice.reason == "message 10 (track_status) cannot be applied, IndexError: no such car"
    dead_letter = dead_letter_of(kafka)
    record = kafka.logs[dead_letter.topic, dead_letter.partition][dead_letter.offset]
    assert (dead_letter.topic, seq_of(record)) == (topics.MESSAGES, 10)
    made = frames(kafka, BAD)
    assert made == {n: value for n, value in expected(BAD).items() if n * 200 < emitted_ms}
    assert len(made) > 10
    assert frames(kafka, GOOD) == expected(GOOD)
    assert kafka.unacknowledged() == {}


def test_a_damaged_run_is_still_damaged_after_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    kafka = MemoryKafka(without(records(BAD), topics.MESSAGES, 3))
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(20)
    worker.start()
    caplog.clear()
    rest = [replace(output, headers=renumbered(output)) for output in records(BAD) if output.topic == topics.MESSAGES]
    for output in rest:
        kafka.append(output)
    with caplog.at_level(logging.WARNING):
        before = IGNORED_RECORDS.labels("race", "damaged run")._value.get()
        worker.run_to_the_end(20)
    assert IGNORED_RECORDS.labels("race", "damaged run")._value.get() == before + len(rest)
    assert sum("Records of run 1 are ignored" in line for line in caplog.messages) == 1
    assert len(damaged(kafka, BAD)) == len(kafka.dead_letters()) == 1
    assert kafka.unacknowledged() == {}


def renumbered(output: Output) -> list[tuple[str, bytes]]:
    return [(name, b"%d" % (int(value) + 1_000) if name == "seq" else value) for name, value in output.headers]


@pytest.mark.parametrize("table", ["cars", "races"])
@pytest.mark.parametrize("next_run", [1, 2])
def test_a_stored_value_that_cannot_be_decoded_damages_its_run_and_not_the_next(table: str, next_run: int) -> None:
    half = len(records(BAD)) // 2
    kafka = MemoryKafka([*records(BAD)[:half], *records(GOOD)])
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(20)
    changes = kafka.changelogs[table]
    spoiled = [(key, value[:-1]) for key, value in changes if key.startswith(b"sim-4")]
    assert spoiled
    changes += spoiled
    for output in records(BAD)[half:] if next_run == 1 else records(BAD, 2):
        kafka.append(output)
    worker.start()
    worker.run_to_the_end(20)
    assert kafka.unacknowledged() == {}
    if next_run == 1:
        assert "cannot be read back" in damaged(kafka, BAD)[0].reason
        for output in records(BAD, 2):
            kafka.append(output)
        worker.run_to_the_end(20)
    assert frames(kafka, BAD, 2) == expected(BAD, 2)
    assert frames(kafka, GOOD) == expected(GOOD)


def test_frames_that_one_batch_cannot_make_are_made_in_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_race, "FRAMES_AT_ONCE", 7)
    kafka = MemoryKafka(records(BAD))
    worker = MemoryWorker(kafka)
    worker.driver_batch(500)
    worker.process(worker.session_stage, worker.poll(("messages", "updates"), 500))
    assert len(frames(kafka, BAD)) == 7
    assert worker.session_stage.is_due
    worker.process(worker.session_stage, [])
    assert len(frames(kafka, BAD)) == 14
    worker.run_to_the_end(500)
    assert frames(kafka, BAD) == expected(BAD)
    assert kafka.unacknowledged() == {}


def test_records_of_frames_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 10_000  # the head's track
    monkeypatch.setattr(frame_records, "RECORD_BYTES", largest)
    kafka = MemoryKafka(records(BAD))
    MemoryWorker(kafka).run_to_the_end(500)
    values = [record.value for record in published(kafka, topics.FRAMES, b"sim-4")]
    assert max(map(len, values)) <= largest
    assert len(values) > 3
    assert frames(kafka, BAD) == expected(BAD)


@pytest.mark.parametrize(
    ("module", "name", "reason"),
    [
        (frame_records, "RECORD_BYTES", "a head frame at .* ms has .* bytes, more than 1000"),
        (session_tables, "MAX_BYTES", "its checkpoint has .* bytes, more than 1000"),
    ],
)
def test_values_too_large_for_a_record_damage_the_run(
    module: Any, name: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, 1_000)
    kafka = MemoryKafka(records(BAD))
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(20)
    (notice,) = damaged(kafka, BAD)
    assert re.fullmatch(reason, notice.reason)
    assert kafka.unacknowledged() == {}
    assert len(kafka.dead_letters()) == 1


def test_samples_and_messages_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """All cars wait for one without packets."""
    key = next(output.key for output in records(BAD) if output.topic == topics.TELEMETRY)
    silent = [output for output in records(BAD) if output.key != key]
    for name, most, what in [("MAX_BUFFERED_SAMPLES", 50, "samples"), ("MAX_BUFFERED_MESSAGES", 5, "messages")]:
        with monkeypatch.context() as patched:
            patched.setattr(session_join, name, most)
            kafka = MemoryKafka(silent)
            MemoryWorker(kafka).run_to_the_end(20)
        (notice,) = damaged(kafka, BAD)
        assert f"{what} wait for a car" in notice.reason
        assert kafka.unacknowledged() == {}


def test_sessions_that_never_end_leave_memory_when_they_are_silent() -> None:
    info, entries = records(BAD)[:2]
    kafka = MemoryKafka()
    for n in range(300):
        for output in (info, entries):
            kafka.append(replace(output, key=b"s-%d" % n))
    kafka.append(Output(topics.LAPS, b"s-1:4", b"{}", RecordHeaders(1, 0, 0).encode()))
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(50)
    assert len(worker.session_stage.sessions) == 300
    worker.now += SILENT_S + 1
    assert worker.session_stage.is_due
    assert worker.driver_stage.is_due
    worker.process(worker.session_stage, [])
    worker.process(worker.driver_stage, [])
    assert worker.session_stage.sessions == {}
    assert not worker.session_stage.is_due
    assert not worker.driver_stage.is_due
    assert worker.driver_stage._drivers == {}
    assert kafka.unacknowledged() == {}
    assert not [key for key in SESSION_TIME._metrics if key[0].startswith("s-")]


def test_a_run_that_has_left_memory_continues_where_it_was() -> None:
    half = len(records(BAD)) // 2
    kafka = MemoryKafka(records(BAD)[:half])
    worker = MemoryWorker(kafka)
    for _ in range(2):
        worker.run_to_the_end(20)
        worker.now += SILENT_S + 1
        worker.process(worker.driver_stage, [])
        worker.process(worker.session_stage, [])
    assert worker.session_stage.sessions == {}
    for output in records(BAD)[half:]:
        kafka.append(output)
    worker.run_to_the_end(20)
    assert frames(kafka, BAD) == expected(BAD)


def test_records_of_an_older_run_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    kafka = MemoryKafka(records(BAD, 2))
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(500)
    for output in records(BAD, 1):
        kafka.append(output)
    before = IGNORED_RECORDS.labels("race", "older run")._value.get()
    worker.run_to_the_end(20)
    assert IGNORED_RECORDS.labels("race", "older run")._value.get() == before + len(records(BAD))
    lines = [line for line in caplog.messages if "ignored" in line]
    assert lines.count("Records of run 1 are ignored: run 2 is newer.") == len(lines) == 3  # two cars, one session
    assert kafka.unacknowledged() == {}


def test_a_run_of_a_source_whose_clock_is_ahead_is_refused_and_supersedes_nothing() -> None:
    kafka = MemoryKafka(records(BAD))
    now_ms = int(MemoryEvent(kafka.logs[next(iter(kafka.logs))][0]).message.timestamp * 1000)
    ahead, soon = now_ms + 3_600_001, now_ms + 3_600_000
    for output in records(BAD, ahead):
        kafka.append(output)
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(500)
    assert frames(kafka, BAD) == expected(BAD)
    assert frames(kafka, BAD, ahead) == {}
    dead_letters = kafka.dead_letters()
    assert len(dead_letters) == len(records(BAD))
    assert {dead_letter.reason for dead_letter in dead_letters} == {
        f"run id {ahead} lies 1.0 hours after the record was published: the source's clock is wrong"
    }
    for output in records(BAD, soon):
        kafka.append(output)
    worker.run_to_the_end(500)
    assert frames(kafka, BAD, soon) == expected(BAD, soon)


def test_a_session_with_frames_to_make_stays_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected(BAD)
    monkeypatch.setattr(session_race, "FRAMES_AT_ONCE", 7)
    kafka = MemoryKafka(records(BAD))
    MemoryWorker(kafka).run_to_the_end(500, batch_s=8.0)
    assert frames(kafka, BAD) == expected(BAD)
    assert kafka.unacknowledged() == {}


def silent_for_long(worker: MemoryWorker) -> None:
    for _ in range(2 + GIVE_UP):
        worker.run_to_the_end(500)
        worker.now += SILENT_S + 1
        worker.process(worker.driver_stage, [])
        worker.process(worker.session_stage, [])


def test_a_silent_driver_whose_pending_records_fit_no_table_does_not_block_its_partition() -> None:
    """201 packets name a lap that never arrives."""
    packet = next(output for output in records(BAD) if output.topic == topics.TELEMETRY)
    waiting = [
        replace(packet, key=b"evil:7", headers=RecordHeaders(1, n, 1_000 * n, laps=1).encode()) for n in range(201)
    ]
    kafka = MemoryKafka([*waiting, *records(GOOD)], partitions=1)
    worker = MemoryWorker(kafka)
    silent_for_long(worker)
    assert kafka.unacknowledged() == {}
    assert worker.driver_stage._drivers == worker.session_stage.sessions == {}
    assert "fit no table" in letter_or_notice(kafka, b"evil")
    assert frames(kafka, GOOD) == expected(GOOD)


def test_a_silent_session_whose_pending_input_fits_no_checkpoint_does_not_block_its_partition() -> None:
    """A thousand long messages of a session that never begins."""
    text = RaceControl(session_time_ms=0, category="Other", message="x" * 990)
    waiting = [
        Output(topics.MESSAGES, b"evil", topics.encode(text), RecordHeaders(1, n, 0).encode()) for n in range(1_000)
    ]
    kafka = MemoryKafka([*waiting, *records(GOOD)], partitions=1)
    worker = MemoryWorker(kafka)
    silent_for_long(worker)
    assert kafka.unacknowledged() == {}
    assert worker.session_stage.sessions == {}
    assert "fit no checkpoint" in letter_or_notice(kafka, b"evil")
    assert frames(kafka, GOOD) == expected(GOOD)


def letter_or_notice(kafka: MemoryKafka, key: bytes) -> str:
    """The reason in the notice of a damaged run."""
    (record,) = (each for each in published(kafka, topics.FRAMES, key) if dict(each.headers)["kind"] == b"damaged")
    return topics.decode_damaged(record.value).reason


@pytest.mark.parametrize("what", ["damaged", "entries"])
def test_updates_of_a_run_in_the_future_supersede_nothing(what: str) -> None:
    lost = DamagedRun(epoch=2**62, driver_number="1", reason="so it says")
    update = CarUpdate(
        epoch=2**62, driver_number="1", first_seq=0, last_seq=0, until_ms=0, messages=0, t=[], x=[], y=[], speed=[],
        laps=[],
    )  # fmt: skip
    value = Updates(entries=[update], damaged=[]) if what == "entries" else Updates(entries=[], damaged=[lost])
    kafka = MemoryKafka([Output(topics.UPDATES, b"sim-4", topics.encode(value)), *records(BAD)])
    MemoryWorker(kafka).run_to_the_end(20)
    assert frames(kafka, BAD) == expected(BAD)
    assert "hours after the record was published" in dead_letter_of(kafka).reason


def test_damage_by_one_entry_of_updates_does_not_affect_the_others() -> None:
    """One record has the end of a run whose checkpoint cannot be read and the beginning of the next one."""
    half = len(records(BAD)) // 2
    kafka = MemoryKafka(records(BAD)[:half])
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(20)
    kafka.changelogs["races"] += [(key, value[:-1]) for key, value in kafka.changelogs["races"][-1:]]
    first, second = sorted({output.key or b"" for output in records(BAD) if output.topic == topics.TELEMETRY})
    for output in [*(each for each in records(BAD)[half:] if each.key == first), *records(BAD, 2)]:
        kafka.append(output)
    worker.start()
    events = worker.poll((topics.TELEMETRY, topics.LAPS), 500)
    late = [each for each in events if each.message.key == first and dict(each.message.headers)["epoch"] == b"2"]
    worker.process(worker.driver_stage, [each for each in events if each not in late])
    worker.process(worker.driver_stage, late)
    updates = worker.poll((topics.UPDATES,), 500)
    runs = [[entry.epoch for entry in topics.decode_updates(each.message.value).entries] for each in updates]
    assert [1, 2] in [sorted(set(each)) for each in runs]
    worker.process(worker.session_stage, updates)
    worker.run_to_the_end(500)
    assert frames(kafka, BAD, 2) == expected(BAD, 2)
    assert second


@pytest.mark.parametrize("topic", [topics.TELEMETRY, topics.UPDATES])
def test_a_gap_made_by_retention_does_not_exit_the_worker_repeatedly(topic: str) -> None:
    kafka = MemoryKafka(records(BAD)[:20])
    worker = MemoryWorker(kafka)
    worker.run_to_the_end(20)
    for output in records(BAD)[20:]:
        kafka.append(output)
    if topic == topics.UPDATES:
        while worker.driver_batch(3):
            pass
    for of in [of for of in kafka.logs if of[0] == topic]:
        kafka.begins[of] = min(kafka.committed[of] + 4, len(kafka.logs[of]))
    MemoryWorker(kafka).run_to_the_end(20)
    assert damaged(kafka, BAD)
    assert kafka.unacknowledged() == {}


def test_the_dead_letter_of_a_damaging_message_is_of_its_own_run(monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_rules(monkeypatch)
    second = list(records(BAD, 2))
    at = next(n for n, output in enumerate(second) if output.topic == topics.MESSAGES and seq_of(output) == 10)
    emitted_ms = int(dict(second[at].headers)["emitted_ms"])
    value = TrackStatus(session_time_ms=emitted_ms, status="2", message="cannot be borne")
    second[at] = replace(second[at], value=topics.encode(value))
    kafka = MemoryKafka([*records(BAD), *second])
    MemoryWorker(kafka).run_to_the_end(5_000)
    dead_letter = dead_letter_of(kafka)
    record = kafka.logs[dead_letter.topic, dead_letter.partition][dead_letter.offset]
    assert (dict(record.headers)["epoch"], seq_of(record)) == (b"2", 10)


def test_a_session_whose_drivers_state_is_lost_is_damaged() -> None:
    half = len(records(BAD)) // 2
    kafka = MemoryKafka(records(BAD)[:half])
    MemoryWorker(kafka).run_to_the_end(20)
    kafka.changelogs["cars"].clear()
    for output in records(BAD)[half:]:
        kafka.append(output)
    MemoryWorker(kafka).run_to_the_end(20)
    assert "not 0" in damaged(kafka, BAD)[0].reason
    assert kafka.unacknowledged() == {}
