"""Values and headers survive encoding and decoding; unusable ones have a reason."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream import topics
from f1stream.settings import Settings
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.topics import BadRecord, RecordHeaders
from models import Lap, Packet
from tests.support.pipeline import run

PACKET = (
    b'{"driver_number":"4","until_ms":1000,"session_time_ms":[900],"x":[1.5],"y":[2],"z":[0],'
    b'"speed":[280],"rpm":[11000],"throttle":[104],"brake":[false],"gear":[128]}'
)


def test_every_record_of_a_session_is_decoded_as_it_was_encoded() -> None:
    decoders = {
        topics.TELEMETRY: topics.decode_packet,
        topics.LAPS: topics.decode_lap,
        topics.MESSAGES: topics.decode_message,
    }
    seen = set()
    for item in pack(simulate(2, cars=4, laps=2), 1, 3_000):
        seen.add(type(item.record))
        assert decoders[item.topic](topics.encode(item.record)) == item.record
    assert {Packet, Lap} < seen
    assert len(seen) > 10


def test_frames_are_decoded_with_only_the_fields_that_were_set() -> None:
    made = run(simulate(2, cars=4, laps=2)).made
    value = topics.encode_frames(made[:200])
    assert topics.encode_frames(topics.decode_frames(value)) == value


def test_record_headers_survive_the_round_trip() -> None:
    headers = RecordHeaders(1_700_000_000_000, 7, 4_260_355, 3, 99, 1_742_097_600_000, "archive:aus2025_race")
    assert RecordHeaders.decode(headers.encode(), headers.run_id / 1000) == headers


def given(name: str, value: Any) -> list[tuple[str, Any]]:
    """Valid headers but for one."""
    return [(each, value if each == name else own) for each, own in RecordHeaders(1, 1, 1).encode()]


def test_unknown_headers_are_ignored() -> None:
    headers = RecordHeaders(1, 2, 3)
    assert RecordHeaders.decode([("trace", b"1"), ("trace", b"2"), *headers.encode()], 1.0) == headers


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (None, "epoch"),
        ([("epoch", b"x")], "seq"),
        ([(name, b"x") for name, _ in RecordHeaders(1, 1, 1).encode()], "'epoch' is not a number"),
        (given("seq", b"9" * 900), "'seq' has 900 bytes"),
        (given("laps", b"9" * 4_300), "'laps' has 4300 bytes"),
        (given("t0_utc_ms", b"9" * 5_000), "'t0_utc_ms' has 5000 bytes"),
        (given("source", b"x" * 201), "'source' has 201 characters"),
        (given("source", b"\xff"), "'source' is not text"),
        ([*RecordHeaders(1, 1, 1).encode(), ("epoch", b"2")], "'epoch' appears more than once"),
        (
            [*RecordHeaders(1, 1, 1).encode(), *[("other", b"")] * 10_000, ("source", b"me")],
            "'source' appears more than",
        ),
        (RecordHeaders(1, 2**31, 1).encode(), "'seq' is 2147483648"),
        (RecordHeaders(1, 1, 86_400_001).encode(), "'emitted_ms' is 86400001"),
        ([(name, None) for name, _ in RecordHeaders(1, 1, 1).encode()], "null"),
        (given("source", None), "null"),
        (RecordHeaders(-1, 1, 1).encode(), "'epoch' is -1"),
        (RecordHeaders(2**63, 1, 1).encode(), "'epoch' is 9223372036854775808"),
        (RecordHeaders(1, 1, 8 * 86_400_000).encode(), "'emitted_ms'"),
    ],
)
def test_bad_headers_are_named(headers: Any, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        RecordHeaders.decode(headers, 2**60)


@pytest.mark.parametrize(
    "key", [None, b"", b"9693", b"9693:", b":4", b"\xff:4", b"9693:" + b"4" * 11, b"9" * 200 + b":4"]
)
def test_a_key_that_names_no_car_is_refused(key: bytes | None) -> None:
    with pytest.raises(BadRecord, match="key"):
        topics.session_of(key)


def test_corrupt_but_recorded_values_are_accepted() -> None:
    assert topics.decode_packet(PACKET).gear == [128]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"),
        (b"\xff\x00", "the value"),
        (b"[]", "the value"),
        (b"x" * (topics.MAX_VALUE_BYTES + 1), "bytes"),
        (PACKET.replace(b'"x":[1.5]', b'"x":[1.5,2]'), "column x"),
        (PACKET.replace(b"[900]", b"[1001]"), "after until_ms"),
        (PACKET.replace(b'"x":', b'"w":'), "w|x"),
        (PACKET.replace(b"[900]", b"[900,800]"), "column"),
    ],
)
def test_an_unusable_packet_has_a_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        topics.decode_packet(value)


def test_unknown_kind_of_message_is_refused() -> None:
    with pytest.raises(BadRecord, match="kind"):
        topics.decode_message(b'{"kind":"gossip","session_time_ms":1}')


def test_sasl_over_tls_reaches_the_client_and_the_password_is_never_shown() -> None:
    settings = Settings(
        _env_file=None, broker="a:9094,b:9094", broker_security="SASL_SSL", broker_user="me", broker_password="secret"
    )
    client = settings.kafka_client()
    assert client["bootstrap_servers"] == ["a:9094", "b:9094"]
    assert client["ssl_context"] is not None
    assert client["sasl_plain_password"] == "secret"
    assert "secret" not in repr(settings)
