"""Reading a session archive, and its records."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from f1stream import topics
from f1stream.sources import archive_samples
from f1stream.sources.archive_lap_facts import laps_as_known
from f1stream.sources.archive_samples import COLUMN_NAMES, FEED_OPEN_DRS, OPTIONAL_COLUMNS, read_samples
from f1stream.sources.packing import pack
from f1stream.sources.session import Session, SourceError
from f1stream.sources.session_archive import _track, read_archive
from f1stream.sources.spec import open_source
from models import Packet, PitIn, RaceControl, Retirement, SectorTime, TyreChange


def test_every_value_is_the_archives(archive_path: Path, aus_session: Session) -> None:
    table = pq.read_table(archive_path / "telemetry.parquet")
    ahead = pq.read_table(archive_path / "driver_ahead.parquet")
    drivers = np.array(table["DriverNumber"].to_pylist())
    for number, columns in aus_session.telemetry.items():
        rows = np.flatnonzero(drivers == number)
        for ours, theirs in COLUMN_NAMES.items():
            if ours not in columns:
                continue
            recorded = (table if theirs in table.column_names else ahead)[theirs].take(rows).to_pylist()
            if ours.startswith("driver"):
                assert columns[ours].tolist() == recorded
            else:
                read = np.array([np.nan if v is None else v for v in columns[ours]], dtype=np.float32)
                stored = np.array([np.nan if v is None else v for v in recorded], dtype=np.float32)
                stored = stored * FEED_OPEN_DRS if ours == "drs" else stored  # the archive's 1 is open
                np.testing.assert_array_equal(read, stored, err_msg=f"{number} {ours}")


def test_tyre_changes_are_those_of_cars_that_stopped(archive_path: Path, aus_session: Session) -> None:
    """STR, ALB and LAW drove through the pit lane behind the safety car; the feed restarted their tyres' age."""
    expected = json.loads((archive_path / "expected.json").read_text())
    drivers = json.loads((archive_path / "drivers.json").read_text())
    numbers = {driver["Abbreviation"]: driver["DriverNumber"] for driver in drivers}
    found = defaultdict(list)
    for message in aus_session.messages:
        if isinstance(message, TyreChange) and message.session_time_ms > aus_session.start_ms:
            found[message.driver_number].append(message.lap - 1)
    assert {code: found[numbers[code]] for code in expected["tyre_changes"]} == expected["tyre_changes"]


@pytest.mark.parametrize("index", [pa.uint8(), pa.uint32(), pa.int8()], ids=str)
@pytest.mark.parametrize("cars", [pa.array(["4", "44"]), pa.array([4, 44])], ids=["texts", "numbers"])
def test_a_column_of_texts_may_be_a_dictionary_of_any_kind(
    tmp_path: Path, index: pa.DataType, cars: pa.Array
) -> None:
    """Two chunks with different dictionaries, and a sample without a value. Read from Parquet, numbers are plain."""
    chunks = [
        pa.DictionaryArray.from_arrays(pa.array(codes, index), values)
        for codes, values in (([0, 1, None], cars), ([0], cars[1:]))
    ]
    table = pa.table(
        {name: [1.0, 2.0, 3.0, 4.0] for name in COLUMN_NAMES.values() if name not in OPTIONAL_COLUMNS}
        | {"DriverNumber": ["1"] * 4, "DriverAhead": pa.chunked_array(chunks)}
    )
    assert archive_samples._column(table["DriverAhead"], "DriverAhead").tolist() == ["4", "44", None, "44"]
    pq.write_table(table, tmp_path / "telemetry.parquet")
    assert read_samples(tmp_path)["1"]["driver_ahead"].tolist() == ["4", "44", None, "44"]


def test_samples_are_not_shared_between_packets_nor_lost(aus_session: Session) -> None:
    begin, end = 5_000_000, 5_030_000
    inside = Counter(
        (number, int(t))
        for number, columns in aus_session.telemetry.items()
        for t in columns["session_time_ms"]
        if begin < t <= end
    )
    for packet_ms in (200, 250, 1_000, 3_000):
        records = list(pack(aus_session, 1, packet_ms, begin, end))
        packets = [item.record for item in records if isinstance(item.record, Packet)]
        assert Counter((p.driver_number, t) for p in packets for t in p.session_time_ms) == inside
        assert {p.until_ms for p in packets[-20:]} == {end}


def test_records_are_published_in_the_order_in_which_they_became_known(aus_session: Session) -> None:
    rank = {topics.MESSAGES: 0, topics.LAPS: 1, topics.TELEMETRY: 2}
    records = list(pack(aus_session, 1, 1_000, 7_200_000, 7_400_000))
    order = [(item.headers.emitted_ms, rank[item.topic]) for item in records]
    assert order == sorted(order)
    seqs: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    for item in records:
        seqs[item.topic, item.key].append(item.headers.seq)
        if item.topic == topics.TELEMETRY:
            assert item.headers.messages == len(seqs[topics.MESSAGES, b"9693"])
            assert item.headers.laps == len(seqs[topics.LAPS, item.key])
    assert all(seq == list(range(len(seq))) for seq in seqs.values())


def test_facts_of_a_car_are_published_at_their_own_time(aus_session: Session) -> None:
    stop = next(lap for lap in aus_session.laps if lap.driver == "NOR" and lap.lap_number == 34)
    published = [m for m in aus_session.messages if getattr(m, "driver_number", None) == "4"]
    assert any(isinstance(m, PitIn) and m.session_time_ms == stop.pit_in_ms for m in published)
    assert any(isinstance(m, SectorTime) and m.session_time_ms == stop.sector1_end_ms for m in published)
    out = next(lap for lap in aus_session.laps if lap.driver == "NOR" and lap.lap_number == 35)
    assert [m.compound for m in published if isinstance(m, TyreChange) and m.session_time_ms == out.pit_out_ms] == [
        "HARD"
    ]


def test_a_lap_counts_until_race_control_deletes_its_time(aus_session: Session, archive_path: Path) -> None:
    """The archive has the deletion from the start; it is published when race control announces it."""
    published: dict[tuple[str, int], list[tuple[int, bool]]] = defaultdict(list)
    for at_ms, lap in aus_session.laps_as_known():
        published[lap.driver, lap.lap_number].append((at_ms, bool(lap.deleted)))
    revised = {key: each for key, each in published.items() if len(each) > 1}
    lines = [json.loads(line) for line in (archive_path / "laps.jsonl").read_text().splitlines()]
    fastf1s = {(line["Driver"], line["LapNumber"]) for line in lines if line["Deleted"]}
    assert len(fastf1s) == 6
    assert revised.keys() - fastf1s == {("TSU", 47)}, "of 2:33.312, which FastF1 does not accept as a lap time"
    assert fastf1s <= revised.keys()
    deleted_at = {
        message.session_time_ms for message in aus_session.messages
        if isinstance(message, RaceControl) and " DELETED - " in message.message
    }  # fmt: skip
    for (first_ms, counted), (then_ms, not_any_more) in [(first, then) for first, then in revised.values()]:
        assert (counted, not_any_more) == (False, True)
        assert first_ms < then_ms
        assert then_ms in deleted_at


def test_a_lap_that_is_deleted_while_it_is_driven_is_published_once(aus_session: Session) -> None:
    """CAR 81 (PIA) LAP DELETED - TRACK LIMITS AT TURN 12 LAP 44: he was off the track on it."""
    published = [lap for lap in aus_session.laps if (lap.driver, lap.lap_number) == ("PIA", 44)]
    assert [(lap.deleted, lap.deleted_reason) for lap in published] == [(True, "TRACK LIMITS AT TURN 12 LAP 44")]


def test_of_two_laps_with_a_deleted_time_the_one_that_race_control_names_is_deleted(aus_session: Session) -> None:
    """FastF1 marks both."""
    first, second, last = (lap for lap in aus_session.laps if lap.driver == "VER" and lap.lap_number in (11, 12, 20))
    both = [
        lap.model_copy(update={"lap_time_ms": 97_895, "deleted": True, "deleted_reason": "TRACK LIMITS LAP 11"})
        for lap in (first, second)
    ]
    said = RaceControl(
        session_time_ms=last.end_ms, category="Other",
        message="CAR 1 (VER) TIME 1:37.895 DELETED - TRACK LIMITS LAP 11 12:20:19",
    )  # fmt: skip
    published = laps_as_known(both, [said], shift=0)
    assert [(at_ms, lap.lap_number, lap.deleted) for at_ms, lap in published] == [
        (first.end_ms, 11, False), (second.end_ms, 12, False), (last.end_ms, 11, True),
    ]  # fmt: skip


def test_retirement_is_published_when_the_cars_samples_end(aus_session: Session) -> None:
    published = {m.driver_number: m.session_time_ms for m in aus_session.messages if isinstance(m, Retirement)}
    ends = {number: int(aus_session.telemetry[number]["session_time_ms"][-1]) for number in published}
    assert published == ends
    assert set(published) == {"14", "5", "30", "55", "7", "6"}, "ALO, BOR, LAW, SAI, DOO, HAD"


@pytest.mark.parametrize("name", ["session.json", "drivers.json", "laps.jsonl", "telemetry.parquet", "weather.json"])
@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_missing_or_damaged_file_is_one_sentence_that_names_it(
    archive_path: Path, tmp_path: Path, name: str, damage: str
) -> None:
    for file in archive_path.iterdir():
        if file.name != name:
            (tmp_path / file.name).symlink_to(file)
    if damage == "damaged":
        (tmp_path / name).write_bytes((archive_path / name).read_bytes()[:100])
    with pytest.raises(SourceError, match=name.replace(".", r"\.")) as error:
        read_archive(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("spec", ["", "archive:", "fast:1", "sim:laps=0", "sim:laps=x", "archive:/nowhere"])
def test_invalid_source_is_refused(spec: str) -> None:
    with pytest.raises(SourceError):
        open_source(spec)


def test_an_invalid_track_is_left_out_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Such as the line of a lap that was not driven; the rest of the session is published."""
    (tmp_path / "track_outline.json").write_text(json.dumps({"points": [[n, n] for n in range(20)]}))
    assert list(_track(tmp_path)) == []
    assert f"The track of {tmp_path.name} is left out" in caplog.text
