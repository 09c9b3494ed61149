from __future__ import annotations

import numpy as np
import orjson
import pytest

from f1stream.topics import BadRecord, RecordHeaders, car_key
from tests.support.page_race import packet
from web.sample_store import CHUNK, COLUMNS, SAMPLE_BYTES, UNKNOWN_DRS, SampleStore, decode_packet

KEY, HEADERS = car_key("test_race", "4"), RecordHeaders(1, 3, 1_000)
BODY = {
    "driver_number": "4", "until_ms": 1_000, "session_time_ms": [200, 600], "x": [1.0, 2.0], "y": [3.5, 4.0],
    "z": [0, 0], "speed": [100.25, 101.0], "rpm": [1, 1], "throttle": [99.6, 104], "brake": [True, False],
    "gear": [3, 4],
}  # fmt: skip


def read(**changes: object) -> bytes:
    return orjson.dumps({name: value for name, value in (BODY | changes).items() if value is not ...})


def test_a_packet_is_stored_as_columns() -> None:
    found = decode_packet(KEY, HEADERS, read(drs=[None, 12]))
    assert (found.session_key, found.car, found.run_id, found.seq) == ("test_race", "4", 1, 3)
    columns = {name: list(column) for (name, _), column in zip(COLUMNS, found.columns, strict=True)}
    assert columns == {
        "t": [200, 600], "x": [1.0, 2.0], "y": [3.5, 4.0], "speed": [100.25, 101.0], "throttle": [100, 104],
        "brake": [1, 0], "gear": [3, 4], "drs": [UNKNOWN_DRS, 12],
    }  # fmt: skip


def test_a_car_without_drs_has_none() -> None:
    assert list(decode_packet(KEY, HEADERS, read()).columns[-1]) == [UNKNOWN_DRS, UNKNOWN_DRS]


def test_corrupt_car_data_is_clipped_to_a_byte() -> None:
    found = decode_packet(KEY, HEADERS, read(gear=[-1, 300], throttle=[-3.0, 900.0]))
    assert (list(found.columns[6]), list(found.columns[4])) == ([0, 255], [0, 255])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "has an invalid value"),
        (read(x=...), "column 'x' is missing"),
        (read(session_time_ms=[600, 200]), "not in time order"),
        (read(y=[1.0]), "column y has 1 values, session_time_ms has 2"),
        (read(speed=["fast", 1]), "has an invalid value"),
        (read(session_time_ms=[1, 2**40]), "has an invalid value"),
    ],
)
def test_an_invalid_packet_is_refused_with_the_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        decode_packet(KEY, HEADERS, value)


def test_a_lap_is_the_samples_between_two_times_also_across_chunks() -> None:
    telemetry, at = SampleStore(), 0
    for seq in range(30):
        telemetry.append(packet("4", seq, at, 500))
        at += 500 * 200
    total = 30 * 500
    assert total > 3 * CHUNK
    assert telemetry.size == total * SAMPLE_BYTES
    everything = telemetry.lap("4", 0, at)
    assert everything.t.tolist() == list(range(0, at, 200))
    for start, end in ((0, 0), (150, 450), (CHUNK * 200 - 600, CHUNK * 200 + 600), (at - 250, at + 9), (at, at + 9)):
        found = telemetry.lap("4", start, end)
        inside = (everything.t >= start) & (everything.t <= end)
        for column, whole in zip(found, everything, strict=True):
            np.testing.assert_array_equal(column, whole[inside])


def test_repeats_are_dropped_and_samples_out_of_order_refused() -> None:
    telemetry = SampleStore()
    assert telemetry.append(packet("4", 0, 0, 10)) == 10
    assert telemetry.append(packet("4", 0, 0, 10)) == 0
    assert telemetry.append(packet("4", 1, 5_000, 0)) == 0, "a silent car's packet"
    with pytest.raises(BadRecord, match="before the car's last sample at 1800 ms"):
        telemetry.append(packet("4", 2, 1_000, 3))
    assert len(telemetry.lap("4", 0, 9_999).t) == 10


def test_reading_samples_does_not_stop_their_columns_from_growing() -> None:
    telemetry = SampleStore()
    telemetry.append(packet("4", 0, 0, 10))
    seen = telemetry.lap("4", 0, 9_999)
    telemetry.append(packet("4", 1, 2_000, 10))
    assert (len(seen.t), len(telemetry.lap("4", 0, 9_999).t)) == (10, 20)


def test_a_car_that_is_not_known_has_no_samples() -> None:
    telemetry = SampleStore()
    assert "4" not in telemetry
    assert [len(column) for column in telemetry.lap("4", 0, 1)] == [0] * len(COLUMNS)
