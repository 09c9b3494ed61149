"""Topics: names, keys, record headers, encoding and decoding of values, and the errors of records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from models import (
    DamageNotice,
    DeadLetter,
    Frame,
    Lap,
    Marts,
    Message,
    Packet,
    Season,
    SessionHeader,
    SessionResult,
    Updates,
)
from models.bounds import LONGEST_MS, MOST_INT64, MOST_KEY_BYTES, MOST_NUMBER, MOST_SEQ, MOST_SOURCE
from models.frame import FRAME_MS

TELEMETRY = "telemetry"
LAPS = "laps"
MESSAGES = "messages"
UPDATES = "updates"
FRAMES = "frames"
DEAD_LETTERS = "dead-letters"
MARTS = "marts"
ALL = (TELEMETRY, LAPS, MESSAGES, UPDATES, FRAMES, DEAD_LETTERS, MARTS)

MAX_VALUE_BYTES = 1_000_000
"""Largest value that is decoded; a larger one becomes a dead letter."""
MAX_RECORD_BYTES = MAX_VALUE_BYTES + 10_000
"""Largest record that is published: key, value, headers and the batch around them. Kafka's default limit is
1,048,588 bytes."""
COMPRESSION = "zstd"
"""Of what we publish. Brokers store and deliver batches as they get them: a race takes a fifth of the bytes."""

T = TypeVar("T")
Headers = Sequence[tuple[str, bytes]]

AnyFrame = Annotated[SessionHeader | Frame, Field(discriminator="kind")]

_packet: TypeAdapter[Packet] = TypeAdapter(Packet)
_lap: TypeAdapter[Lap] = TypeAdapter(Lap)
_message: TypeAdapter[Message] = TypeAdapter(Message)
_updates: TypeAdapter[Updates] = TypeAdapter(Updates)
_frame: TypeAdapter[AnyFrame] = TypeAdapter(AnyFrame)
_damaged: TypeAdapter[DamageNotice] = TypeAdapter(DamageNotice)
_dead_letter: TypeAdapter[DeadLetter] = TypeAdapter(DeadLetter)
_marts: TypeAdapter[SessionResult | Season] = TypeAdapter(Marts)


class BadRecord(ValueError):
    """A record is unusable; the text says why, as a sentence."""


class SequenceGap(RuntimeError):
    """A record is missing between two others. The process must exit and read again from the acknowledged offset."""


class RunDamaged(Exception):
    """A run cannot be continued; the text says why, as the end of a sentence. Other runs are not affected."""

    def __init__(self, reason: str, message_seq: int | None = None) -> None:
        """``message_seq``: the number of the message that caused it, if one did."""
        super().__init__(reason)
        self.message_seq = message_seq


@dataclass(frozen=True, slots=True)
class RecordHeaders:
    """A record's run and its number in it. They are Kafka headers: readable even if the value is not."""

    run_id: int
    """Header ``epoch``: the source's start time, Unix ms. A greater run id supersedes the smaller."""
    seq: int
    """0, 1, 2, … for each topic and key."""
    emitted_ms: int
    """Session time at which the record became known; never decreases within a run."""
    laps: int = 0
    """Packets only: the number of laps of this car published before."""
    messages: int = 0
    """Packets only: the number of messages of this session published before."""
    t0_utc_ms: int = 0
    """The UTC instant (Unix ms) of session time 0."""
    source: str = ""
    """The source of the run: ``archive:aus2025_race``, ``sim:seed=1``, …"""

    def encode(self) -> list[tuple[str, bytes]]:
        """As Kafka headers; numbers are decimal."""
        numbers = ((name, b"%d" % getattr(self, field)) for name, field in _NUMBERS.items())
        return [*numbers, ("source", self.source.encode())]

    @classmethod
    def decode(cls, headers: Headers | None, published_s: float) -> RecordHeaders:
        """Decode the headers of a record with the Kafka timestamp ``published_s`` (Unix seconds).

        Raises BadRecord if one is missing, duplicated, malformed or out of bounds, and for a run id in the future:
        the run of a source whose clock is ahead would supersede every run until that time.
        """
        given = headers or ()
        found = dict(given)
        try:
            values = [found[name] for name in _NAMES]
        except KeyError as missing:
            raise BadRecord(f"header {missing} is missing") from None
        if len(found) < len(given):
            for name in _NAMES:
                if sum(header[0] == name for header in given) > 1:
                    raise BadRecord(f"header {name!r} appears more than once")
        if None in values:
            raise BadRecord("a header is null")
        numbers = {_NUMBERS[name]: _number(name, found[name]) for name in _NUMBERS}
        try:
            source = values[-1].decode()
        except UnicodeDecodeError:
            raise BadRecord("header 'source' is not text") from None
        if len(source) > MOST_SOURCE:
            raise BadRecord(f"header 'source' has {len(source)} characters, more than {MOST_SOURCE}")
        check_run_id(numbers["run_id"], published_s)
        return cls(**numbers, source=source)


def check_run_id(run_id: int, published_s: float) -> None:
    """Raises BadRecord for a run id more than ``MAX_AHEAD_MS`` after ``published_s`` (Unix seconds)."""
    ahead_ms = run_id - published_s * 1000
    if ahead_ms > MAX_AHEAD_MS:
        raise BadRecord(
            f"run id {run_id} lies {ahead_ms / 3_600_000:.1f} hours after the record was published: "
            "the source's clock is wrong"
        )


MOST = MOST_INT64
"""Greatest number of a record or header; later than any session time."""
MAX_AHEAD_MS = 3_600_000
"""A run id (Unix ms) this long after its record's Kafka timestamp is refused."""
_MOST = {"emitted_ms": LONGEST_MS, "seq": MOST_SEQ, "laps": MOST_SEQ, "messages": MOST_SEQ}
"""Greatest number of a header, where it is less than 2**63 - 1."""
_DIGITS = 20
"""Most digits of a header's number: those of 2**63, and a sign."""


def _number(name: str, value: bytes) -> int:
    most = _MOST.get(name, MOST_INT64)
    if len(value) > _DIGITS:
        raise BadRecord(f"header {name!r} has {len(value)} bytes, more than a number within 0 and {most}")
    try:
        number = int(value)
    except ValueError:
        raise BadRecord(f"header {name!r} is not a number") from None
    if not 0 <= number <= most:
        raise BadRecord(f"header {name!r} is {number}, not within 0 and {most}")
    return number


_NUMBERS = {
    "epoch": "run_id", "seq": "seq", "emitted_ms": "emitted_ms", "laps": "laps", "messages": "messages",
    "t0_utc_ms": "t0_utc_ms",
}  # fmt: skip
"""Field by header, of the headers with a number."""
_NAMES = (*_NUMBERS, "source")


def car_key(session_key: str, driver_number: str) -> bytes:
    """Key of ``telemetry`` and ``laps``."""
    return f"{session_key}:{driver_number}".encode()


def session_key_of(key: bytes | None) -> str:
    """The session key in a session's record key. Raises BadRecord."""
    if not key:
        raise BadRecord(f"the key is {'null' if key is None else 'empty'}")
    if len(key) > MOST_KEY_BYTES:
        raise BadRecord(f"the key has {len(key)} bytes, more than {MOST_KEY_BYTES}")
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise BadRecord("the key is not text") from None


def session_of(key: bytes | None) -> tuple[str, str]:
    """The session key and driver number in a car's record key. Raises BadRecord."""
    session_key, _, driver_number = session_key_of(key).rpartition(":")
    if not session_key or not driver_number:
        raise BadRecord("the key is not session_key:driver_number")
    if len(driver_number) > MOST_NUMBER:
        raise BadRecord(f"the driver number in the key has {len(driver_number)} characters, more than {MOST_NUMBER}")
    return session_key, driver_number


def encode(record: BaseModel) -> bytes:
    """Encode a record as a topic's value."""
    return record.model_dump_json().encode()


def decode_packet(value: bytes | None) -> Packet:
    """Decode a value of ``telemetry``. Raises BadRecord."""
    return _decode(_packet, value)


def decode_lap(value: bytes | None) -> Lap:
    """Decode a value of ``laps``. Raises BadRecord."""
    return _decode(_lap, value)


def decode_message(value: bytes | None) -> Message:
    """Decode a value of ``messages``. Raises BadRecord."""
    return _decode(_message, value)


def decode_updates(value: bytes | None) -> Updates:
    """Decode a value of ``updates``. Raises BadRecord."""
    return _decode(_updates, value)


def decode_dead_letter(value: bytes | None) -> DeadLetter:
    """Decode a value of ``dead-letters``. Raises BadRecord."""
    return _decode(_dead_letter, value)


def marts_key(record: SessionResult | Season) -> bytes:
    """Key of ``marts``."""
    name = record.session_key if isinstance(record, SessionResult) else record.season
    return f"{record.kind}:{name}".encode()


def decode_marts(value: bytes | None) -> SessionResult | Season:
    """Decode a value of ``marts``. Raises BadRecord."""
    return _decode(_marts, value)


def parts(values: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
    """Split values into consecutive groups of at most ``most`` bytes; a larger value is a group of its own."""
    group: list[bytes] = []
    size = 0
    for value in values:
        if group and size + len(value) > most:
            yield group
            group, size = [], 0
        group.append(value)
        size += len(value) + 1
    if group:
        yield group


def encode_frames(frames: Iterable[SessionHeader | Frame]) -> bytes:
    """Encode consecutive frames, or one session header, as a value of ``frames``: one JSON document a line."""
    return b"\n".join(frame.model_dump_json(exclude_unset=isinstance(frame, Frame)).encode() for frame in frames)


def frame_headers(run_id: int, frames: Sequence[Frame]) -> list[tuple[str, bytes]]:
    """Headers of consecutive frames, for readers that do not decode them: their numbers and keyframes."""
    keys = ",".join(str(frame.t // FRAME_MS) for frame in frames if frame.kind == "key")
    return [
        ("kind", b"frames"),
        ("epoch", b"%d" % run_id),
        ("seq", b"%d" % (frames[0].t // FRAME_MS)),
        ("count", b"%d" % len(frames)),
        ("keys", keys.encode()),
    ]


def damaged_headers(run_id: int) -> list[tuple[str, bytes]]:
    """Headers of the notice that a run is damaged."""
    return [("kind", b"damaged"), ("epoch", b"%d" % run_id), ("seq", b"0")]


def decode_damaged(value: bytes) -> DamageNotice:
    """Decode a value of ``frames`` of kind ``damaged``. Raises BadRecord."""
    return _decode(_damaged, value)


def session_headers(run_id: int, header: SessionHeader) -> list[tuple[str, bytes]]:
    """Kafka headers of a session header; ``seq`` is the first frame that it is valid for."""
    return [("kind", b"head"), ("epoch", b"%d" % run_id), ("seq", b"%d" % (header.t // FRAME_MS))]


def decode_frames(value: bytes) -> list[SessionHeader | Frame]:
    """Decode a value of ``frames``. Raises BadRecord."""
    return [_decode(_frame, line) for line in value.split(b"\n")]


def _decode(adapter: TypeAdapter[T], value: bytes | None) -> T:
    if value is None:
        raise BadRecord("the value is null")
    if len(value) > MAX_VALUE_BYTES:
        raise BadRecord(f"the value has {len(value)} bytes, more than {MAX_VALUE_BYTES}")
    try:
        return adapter.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the value"
        raise BadRecord(f"{where}: {first['msg']} ({error.error_count()} in all)") from None
