"""Records that no source of ours publishes: out of bounds, out of order, of strangers, or no records at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from f1stream import topics
from f1stream.processing.outputs import Output
from models import CarUpdate, DamagedRun, LapUpdate, Updates

NUMBERS = [
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "-0", "0", "-1", "1", "0.5", "1e-320",
    str(2**31), str(2**53 + 1), str(2**63 - 1), str(2**63), str(-(2**63) - 1), str(2**64), "9" * 400, "9" * 5_000,
    str(86_400_000), str(86_400_001), str(7 * 86_400_000), "-1000000000000",
]  # fmt: skip
"""As JSON texts; some are none."""
TEXTS = [
    "", "\0", "<b>x</b>", "a" * 1_000, "a" * 1_001, "a" * 200_000, "\ud800", "\u202e" * 50, "1" * 4_301,
    "CAR 4 (NOR) TIME 1:2 DELETED", "5 SECOND TIME PENALTY FOR CAR 4 (NOR) - " + "9" * 4_300, "ABORTED START", "VSC",
    "CAR " + "4" * 4_300 + " (NOR) UNDER INVESTIGATION", "DRS ENABLED", "'; drop table RAW.LAPS; --",
]  # fmt: skip
BYTES = [None, b"", b"null", b"[]", b"{}", b"\xff\x00", b"{", b'"' + b"x" * 1_200_000 + b'"', b"[" * 100_000]
KEYS = [None, b"", b":", b"\xff", b"k" * 160_000, b"stranger", b"stranger:4", b"sim-5:" + b"4" * 300, b"a:b:c"]


def hostile(random: Random, good: Sequence[Output]) -> Output:
    """One of ``good``, changed in one to three ways, or an internal record that no worker publishes."""
    record = random.choice(good)
    if random.random() < 0.15:
        record = _update(random, record)
    for change in random.choices((_value, _header, _key, _json), weights=(2, 4, 1, 8), k=random.randint(1, 3)):
        record = change(random, record)
    return record


def _value(random: Random, record: Output) -> Output:
    value: Any = random.choice([*BYTES, record.value and record.value[: random.randrange(len(record.value) + 1)]])
    return replace(record, value=value)


def _key(random: Random, record: Output) -> Output:
    return replace(record, key=random.choice(KEYS), partition=random.randrange(3))


def _header(random: Random, record: Output) -> Output:
    headers = list(record.headers)
    if not headers or random.random() < 0.1:
        extra: list[tuple[str, Any]] = [("epoch", b"1"), ("x" * 1_000, b"y" * 100_000), *[("many", b"")] * 2_000]
        return replace(record, headers=[*headers, *random.sample(extra, 5)])
    n = random.randrange(len(headers))
    name, value = headers[n]
    small = int(value) if value and value.isdigit() and len(value) < 20 else 0
    near = [b"%d" % (small + by) for by in (-2, -1, 1, 2, 50, 1_001, 100_000)]
    headers[n] = name, random.choice([*near, None, b"", b"x", *(text.encode() for text in NUMBERS)])  # type: ignore[list-item]
    if random.random() < 0.1:
        del headers[n]
    return replace(record, headers=headers)


def _json(random: Random, record: Output) -> Output:
    """One value somewhere in the document is another one."""
    try:
        document = json.loads(record.value or b"")
    except (ValueError, RecursionError):
        return record
    places = list(_places(document))
    if not places:
        return record
    holder, at = random.choice(places)
    kind = random.random()
    if kind < 0.4:
        holder[at] = _Raw(random.choice(NUMBERS))
    elif kind < 0.7:
        holder[at] = random.choice(TEXTS)
    elif kind < 0.8:
        holder[at] = [holder[at]] * random.choice((0, 2, 101, 3_001))
    else:
        holder[at] = random.choice([None, True, {}, [], {"a": 1}, [[]], holder[at]])
    return replace(record, value=_dumped(document))


class _Raw(str):
    """A number as it stands in the text."""


def _dumped(value: Any) -> bytes:
    if isinstance(value, _Raw):
        return str(value).encode()
    if isinstance(value, dict):
        return b"{%s}" % b",".join(json.dumps(name).encode() + b":" + _dumped(each) for name, each in value.items())
    if isinstance(value, list):
        return b"[%s]" % b",".join(map(_dumped, value))
    return json.dumps(value).encode()


def _places(value: Any) -> Any:
    """(holder, key or index) of every value within."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for at, each in items:
        yield value, at
        yield from _places(each)


def _update(random: Random, record: Output) -> Output:
    """A record of the internal topic, for the session of ``record``."""
    session_key, _, number = (record.key or b"").decode(errors="replace").partition(":")
    headers = dict(record.headers)
    n = random.choice((0, 1, 3, 3_000))
    lap = LapUpdate(
        emitted_ms=1, lap_number=1, end_ms=1, lap_time_ms=None, compound=None, tyre_life=None, speed_st=None,
        deleted=False, official=True,
    )  # fmt: skip
    seq, until = random.choice((0, 1, 5)), random.choice((0, 200, 3_600_200, 86_400_000))
    update = CarUpdate.model_construct(
        epoch=int(headers.get("epoch", b"1")), driver_number=number or "4", first_seq=seq, last_seq=seq,
        until_ms=until, messages=random.choice((0, 3, 10**6)), t=[until] * n, x=[1.0] * n, y=[1.0] * n,
        speed=[1.0] * n, laps=[lap] * random.choice((0, 1, 200)),
    )  # fmt: skip
    lost = DamagedRun(epoch=random.choice((update.epoch, update.epoch + 1)), driver_number="4", reason="so it says")
    updates = Updates.model_construct(entries=[update], damaged=[lost] if random.random() < 0.2 else [])
    return Output(topics.UPDATES, session_key.encode(), topics.encode(updates))


def fuzzed(examples: int) -> settings:
    """How often a property is tried; ``make fuzz`` sets more."""
    return settings(
        max_examples=int(os.environ.get("F1STREAM_FUZZ", examples)),
        deadline=None,
        derandomize=os.environ.get("CI") == "true" and "F1STREAM_FUZZ" not in os.environ,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a smaller seed is no smaller story
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
