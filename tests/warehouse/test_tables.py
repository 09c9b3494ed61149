"""Kafka records become rows, or are refused with a reason."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from f1stream import topics
from f1stream.processing.dead_letters import dead_letter
from f1stream.warehouse.partition_batch import Partition
from f1stream.warehouse.tables import BY_TOPIC, undecoded
from tests.support.archive_harness import MemoryKafka, MemoryWarehouse, Message, Worker
from tests.support.poison import POISON

EACH = pytest.mark.parametrize(
    ("topic", "key", "value", "headers", "reason"), POISON, ids=[f"{n}-{one[4]}" for n, one in enumerate(POISON)]
)


@EACH
def test_a_record_that_cannot_be_loaded_has_a_reason(
    topic: str, key: bytes | None, value: bytes | None, headers: Any, reason: str
) -> None:
    message: Any = Message(topic, 3, 17, value, key, headers)  # type: ignore[arg-type]
    with pytest.raises(topics.BadRecord) as error:
        BY_TOPIC[topic].decode_record(message, 0)
    assert any(part in str(error.value) for part in reason.split("|"))
    stands_in = undecoded(message, 0)
    assert (stands_in.origin.offset, stands_in.rows, stands_in.size) == (17, 0, len(value or b""))


@EACH
async def test_a_bad_record_is_one_dead_letter_and_later_records_are_loaded(
    topic: str, key: bytes | None, value: bytes | None, headers: Any, reason: str
) -> None:
    kafka = MemoryKafka()
    warehouse = MemoryWarehouse(kafka)
    bad, other = Partition(topic, 0), Partition(topics.MESSAGES, 5)
    kafka.logs[bad] = [Message(topic, 0, 0, value, key, headers)]  # type: ignore[arg-type]
    kafka.produce(other, b'{"kind":"session_end","session_time_ms":1}')
    await Worker(kafka, warehouse, partitions=[bad, other]).run()
    (letter,) = kafka.letters()
    assert any(part in letter.reason for part in reason.split("|"))
    assert (letter.consumer, letter.topic, letter.offset, letter.length) == ("archive", topic, 0, len(value or b""))
    assert warehouse.newest()[bad].next_offset == len(kafka.logs[bad])  # a bad dead letter's own letter is after it
    assert (bad, 0, 0) not in [row[:3] for row in warehouse.rows]
    assert len(warehouse.values(other)) == 1


def test_a_packet_of_another_car_than_its_key_says_is_refused() -> None:
    message: Any = Message(topics.TELEMETRY, 0, 0, b"{}", b"9693:99")
    table = replace(BY_TOPIC[topics.TELEMETRY], decode=lambda _: SimpleNamespace(driver_number="4"))
    with pytest.raises(topics.BadRecord, match="driver_number is 4, the key says 99"):
        table.decode_record(message, 0)


def test_a_dead_letter_with_the_headers_of_a_record_that_was_refused_for_them_has_a_row() -> None:
    """Or it would be refused, too, and so would its own dead letter, and that one's, for ever."""
    headers = topics.RecordHeaders(7, 0, 0, 0, 0, 2**62, "test").encode()
    refused: Any = Message(topics.MESSAGES, 0, 0, b"{}", headers=headers)
    letter: Any = dead_letter("archive", refused, f"{2**62} ms is no instant")
    table = BY_TOPIC[topics.DEAD_LETTERS]
    record = table.decode_record(Message(topics.DEAD_LETTERS, 0, 0, letter.value, headers=letter.headers), 0)
    (row,) = table.arrow([record]).to_pylist()
    assert (row["refused_topic"], row["session_date"]) == (topics.MESSAGES, row["published_at"].date())
