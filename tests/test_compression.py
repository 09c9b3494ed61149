"""Other producers may compress their records as they like: a codec that is not installed would stop every reader."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@pytest.mark.parametrize("codec", CODECS)
def test_records_are_read_with_any_compression(codec: str) -> None:
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], 0, -1, -1, 0, 100_000)
    builder.append(0, 0, b"key", b"value" * 100, [("name", b"x")])
    (record,) = MemoryRecords(bytes(builder.build())).next_batch()
    assert (record.key, record.value, record.headers) == (b"key", b"value" * 100, [("name", b"x")])
