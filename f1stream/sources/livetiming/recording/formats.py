"""Lines of recordings in every known form. What is not a message of the feed becomes a BadMessage.

``.jsonStream`` files of Formula 1's own archive have an offset and the topic's JSON. A capture has one of:

- ``{"C": …, "M": [message, …]}`` and ``{"R": {topic: state, …}, "I": …}``: frames of classic SignalR as received,
  each with messages, or the answer to subscribing, or neither (they keep the connection alive);
- ``{"type": 1, "target": "feed", "arguments": [topic, data, utc]}`` and ``{"type": 3, "result": {topic: state, …}}``:
  records of SignalR Core;
- ``{"H": "Streaming", "M": "feed", "A": [topic, data, utc]}``: a message of a classic frame on its own;
- ``{"Type": topic, "Json": data, "DateTime": utc}``;
- ``[topic, data, utc]``, as JSON or as Python writes it: FastF1's, and ours. FastF1 writes the answer to subscribing
  with an empty utc and the data as JSON text; we add the word "snapshot".
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from f1stream.sources.livetiming.message import TOPICS, BadMessage, FeedMessage, checked
from f1stream.sources.timestamps import utc_ms

OFFSET = re.compile(rb"(\d\d):([0-5]\d):([0-5]\d)\.(\d{3})")
OFFSET_BYTES = len("HH:MM:SS.mmm")
MAX_LITERAL_BYTES = 1_000_000
"""A longer line as Python writes it is refused: Python's parser takes some hundred times as much memory."""
SNAPSHOT = "snapshot"
"""The fourth part of our lines that contain a topic's whole state."""
UNDATED = -1
"""``sent_ms`` of a snapshot whose line has no time."""
RECORD_END = b"\x1e"
INVOCATION = 1
"""The ``type`` of a record of SignalR Core that contains a message."""
FRAME = {"C", "S", "G", "I", "R", "type", "protocol"}
"""Members of frames without a message: such a frame has one of these, or no member at all."""
NO_MESSAGE = BadMessage("a frame contains something that is not a message of the feed")
MEMBER = re.compile(r'\s*,?\s*"([^"\\]{1,100})"\s*:\s*')
AFTER_MEMBER = re.compile(r"\s*[,}]")
KNOWN_MEMBER = re.compile(rf'"(?:{"|".join(map(re.escape, TOPICS))})"\s*:\s*(?:[{{\[]|"[A-Za-z0-9+/]{{20}})')
"""Where the state of a known topic begins. Some topics' names are also names of short texts within other states."""


def stream_line(topic: str, line: bytes) -> tuple[int, FeedMessage]:
    """A line of ``topic.jsonStream``: its offset (ms), and the message with that as its time. Raises BadMessage."""
    offset = _offset_ms(line)
    if offset is None:
        raise BadMessage("it does not begin with an offset")
    return offset, checked(topic, _json(line[OFFSET_BYTES:]), offset)


def _offset_ms(line: bytes) -> int | None:
    found = OFFSET.match(line)
    if found is None:
        return None
    hours, minutes, seconds, ms = (int(part) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def capture_line(line: bytes) -> Iterator[FeedMessage | BadMessage]:
    """The messages in a line of a capture: one, except in frames."""
    try:
        if line.startswith(b"{"):
            for record in line.split(RECORD_END):
                yield from _object(_json(record)) if record.strip() else ()
        elif line.startswith(b"["):
            yield _message(_list(line))
        else:
            raise BadMessage("it has none of the known forms")
    except BadMessage as bad:
        yield bad


def _object(found: dict[str, Any]) -> Iterator[FeedMessage | BadMessage]:
    if isinstance(found.get("A"), list):
        yield _message(found["A"])
    elif "Type" in found:
        yield _message([found["Type"], found.get("Json"), found.get("DateTime")])
    elif isinstance(found.get("M"), list):
        for each in found["M"]:
            yield _invoked(each.get("M"), each.get("A")) if isinstance(each, dict) else NO_MESSAGE
    elif found.get("type") == INVOCATION:
        yield _invoked(found.get("target"), found.get("arguments"))
    elif isinstance(states := found.get("R", found.get("result")), dict):
        yield from (_state(topic, state) for topic, state in states.items())
    elif found and not found.keys() & FRAME:
        raise BadMessage("it has none of the known forms")


def _invoked(method: Any, arguments: Any) -> FeedMessage | BadMessage:
    """A message of a frame; a damaged one does not affect the frame's others."""
    if method != "feed" or not isinstance(arguments, list):
        return NO_MESSAGE
    try:
        return _message(arguments)
    except BadMessage as bad:
        return bad


def _list(line: bytes) -> list[Any]:
    try:
        parts = orjson.loads(line)
    except ValueError:
        parts = _literal(line)
    if not isinstance(parts, list):
        raise BadMessage("it has none of the known forms")
    return parts


def _message(parts: list[Any]) -> FeedMessage:
    snapshot = len(parts) == 4 and parts[3] == SNAPSHOT
    if len(parts) != 3 and not snapshot:
        raise BadMessage("it does not have three parts: topic, data, time")
    topic, data, utc = parts[:3]
    if utc == "":
        return checked(topic, _json(data.encode()) if isinstance(data, str) else data, UNDATED, snapshot=True)
    sent_ms = utc_ms(utc)
    if sent_ms is None:
        raise BadMessage("its time is not valid")
    return checked(topic, data, sent_ms, snapshot=snapshot)


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        raise BadMessage("it is not JSON: cut off or garbled") from None


def _literal(line: bytes) -> Any:
    """A list as Python writes it; values that JSON does not have are refused. No code is evaluated."""
    if len(line) > MAX_LITERAL_BYTES:
        raise BadMessage(f"longer than {MAX_LITERAL_BYTES:,} bytes, as Python writes it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd escapes
            return orjson.loads(orjson.dumps(ast.literal_eval(line.decode())))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise BadMessage("it is neither JSON nor a list as Python writes it: cut off or garbled") from None


def subscribe_answer(text: str) -> Iterator[FeedMessage | BadMessage]:
    """Every topic's state in a ``subscribe.txt``, without times; of a damaged file, the undamaged topics."""
    decoder = json.JSONDecoder()
    at = text.find("{") + 1
    while member := MEMBER.match(text, at):
        try:
            data, at = decoder.raw_decode(text, member.end())
            is_complete = AFTER_MEMBER.match(text, at) is not None
        except (ValueError, RecursionError):
            is_complete = False
        if not is_complete:
            yield BadMessage("a topic's state is not JSON: cut off or garbled")
            later = KNOWN_MEMBER.search(text, member.end())
            if later is None:
                return
            at = later.start()
            continue
        if member[1] == "R" and isinstance(data, dict):  # classic SignalR's envelope
            yield from (_state(topic, state) for topic, state in data.items())
        elif member[1] != "I":
            yield _state(member[1], data)
    if not text[at:].strip().startswith("}"):
        yield BadMessage("the answer to subscribing is cut off or garbled")


def _state(topic: str, data: Any) -> FeedMessage | BadMessage:
    try:
        return checked(topic, data, UNDATED, snapshot=True)
    except BadMessage as bad:
        return bad


def dated(message: FeedMessage, sent_ms: int) -> FeedMessage:
    """The same message, sent at ``sent_ms``."""
    return replace(message, sent_ms=sent_ms)
