"""The dead letter of any record can be published and describes the record."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f1stream import topics
from f1stream.processing.dead_letters import LEFT_OUT, MOST_HEADERS, dead_letter, reject
from f1stream.processing.outputs import Output
from models import DeadLetter
from tests.support.harness import MemoryRecord

LONG_KEY = b"k" * 160_000


def read_back(output: Output) -> DeadLetter:
    return topics.decode_dead_letter(output.value)


def size(output: Output) -> int:
    headers = sum(len(name.encode()) + len(value or b"") for name, value in output.headers)
    return len(output.key or b"") + len(output.value) + headers


def refused(**fields: Any) -> MemoryRecord:
    record = {"topic": topics.LAPS, "partition": 3, "offset": 7, "key": b"s:4", "value": b"a lap", "headers": []}
    return MemoryRecord(**(record | fields))  # type: ignore[arg-type]


def test_a_dead_letter_of_a_long_key_and_many_headers_is_short_with_their_lengths_and_hashes() -> None:
    headers = [("h" * 300, b"v" * 5_000), *[("epoch", b"1")] * 9_999]
    output = dead_letter("race", refused(key=LONG_KEY, value=b"x" * 900_000, headers=headers), "y" * 10_000)
    assert size(output) < 100_000
    found = read_back(output)
    rest = f"(160000 bytes, sha256={hashlib.sha256(LONG_KEY).hexdigest()})"
    assert output.key is not None
    assert found.key == output.key.decode()
    assert found.key.startswith("kkk")
    assert found.key.endswith(rest)
    assert len(found.reason) == 1_000
    assert found.length == 900_000
    first, *others = output.headers
    assert first[0] == "h" * 200
    assert first[1].endswith(b"(5000 bytes, sha256=%s)" % hashlib.sha256(b"v" * 5_000).hexdigest().encode())
    assert len(others) == MOST_HEADERS
    assert others[-1][0] == LEFT_OUT
    assert others[-1][1].startswith(b"9980, sha256=")


def test_short_fields_are_copied_into_the_dead_letter() -> None:
    headers = [("epoch", b"1"), ("source", None)]
    output = dead_letter("race", refused(headers=headers), "of no use")
    assert (output.key, list(output.headers), output.partition) == (b"s:4", headers, 3)
    found = read_back(output)
    assert (found.consumer, found.topic, found.partition, found.offset) == ("race", topics.LAPS, 3, 7)
    assert (found.key, found.reason) == ("s:4", "of no use")


def test_the_log_has_no_long_key_and_no_long_reason(caplog: pytest.LogCaptureFixture) -> None:
    reject("race", refused(key=LONG_KEY), "y" * 10_000)
    (line,) = caplog.records
    assert len(line.getMessage()) < 1_200
    assert len(line.session) == 200  # type: ignore[attr-defined]


@given(
    key=st.none() | st.binary(max_size=400),
    value=st.none() | st.binary(max_size=100),
    headers=st.lists(st.tuples(st.text(max_size=300), st.none() | st.binary(max_size=300)), max_size=30),
    timestamp=st.integers(-(2**63), 2**63 - 1).map(lambda ms: ms / 1000),
    reason=st.text(max_size=1_100),
)
def test_every_record_has_a_dead_letter_that_can_be_decoded(
    key: bytes | None, value: bytes | None, headers: list[Any], timestamp: float, reason: str
) -> None:
    record = refused(key=key, value=value, headers=headers, timestamp=timestamp)
    output = dead_letter("race", record, reason)
    assert topics.encode(read_back(output)) == output.value
    assert size(output) < 50_000
