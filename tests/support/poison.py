"""Records that cannot be loaded: topic, key, value, headers, and (one of) what the reason says."""

from __future__ import annotations

from f1stream import topics
from f1stream.topics import RecordHeaders

HEADERS = RecordHeaders(7, 0, 0, 0, 0, 1_700_000_000_000, "stranger").encode()
NULL_HEADER = [(name, None if name == "epoch" else value) for name, value in HEADERS]
END = b'{"kind":"session_end","session_time_ms":1}'
POISON = [
    (topics.TELEMETRY, b"9693:4", b"\xff\x00 no JSON", HEADERS, "the value"),
    (topics.TELEMETRY, b"9693:4", b'{"driver_number":"4"}', HEADERS, "until_ms"),
    (topics.TELEMETRY, b"9693:4", b'"' + b"x" * 1_040_000 + b'"', HEADERS, "1040002 bytes"),
    (topics.TELEMETRY, b"9693:4", None, HEADERS, "null"),
    (topics.TELEMETRY, b"9693:4", b"{}", [], "until_ms|driver_number"),
    (topics.LAPS, b"no car", b"[]", HEADERS, "the value"),
    (topics.LAPS, b"9693:4", None, HEADERS, "null"),
    (topics.MESSAGES, b"9693", b'{"kind":"gossip"}', HEADERS, "gossip|kind"),
    (topics.MESSAGES, None, END, HEADERS, "the key is null"),
    (topics.MESSAGES, b"\xff9693", END, HEADERS, "the key is not text"),
    (topics.MESSAGES, b"9693", END + b" ", NULL_HEADER, "a header is null"),
    (topics.MESSAGES, b"9693", END + b"  ", RecordHeaders(-1, 0, 0).encode(), "header 'epoch' is -1"),
    (topics.MESSAGES, b"9693", END + b"   ", RecordHeaders(2**64, 0, 0).encode(), "header 'epoch'"),
    (topics.MESSAGES, b"9693", END + b"    ", RecordHeaders(1, 0, 2**40).encode(), "header 'emitted_ms'"),
    (topics.DEAD_LETTERS, b"9693", b"not a letter", [], "the value"),
]
