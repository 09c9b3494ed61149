"""Records that once decoded and stopped the race worker for good: each is a dead letter, and the race continues."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from f1stream import topics
from f1stream.processing.outputs import Output
from f1stream.race.stages.driver_stage import SILENT_S
from tests.race.stages.test_damage import BAD, GOOD, damaged, expected, frames, records, seq_of
from tests.support.harness import MemoryKafka, MemoryWorker

Change = Callable[[dict[str, Any]], None]


def changed(kind: str, text: Callable[[str], str] | None = None, **values: Any) -> list[Output]:
    """A race in which the first record of a kind (or the fifth packet) is replaced."""
    found = list(records(BAD))
    at = next(
        n for n, output in enumerate(found)
        if (output.topic == topics.TELEMETRY and kind == "packet" and seq_of(output) == 5)
        or json.loads(output.value).get("kind") == kind
    )  # fmt: skip
    document = json.loads(found[at].value) | values
    value = json.dumps(document)
    found[at] = replace(found[at], value=(text(value) if text else value).encode())
    return found


def raw(name: str, number: str) -> Callable[[str], str]:
    """Replace a field's marker with a number that Python's json does not write."""
    return lambda text: text.replace(f'"{name} here"', number)


ENTRY = {
    "driver_number": "7", "tla": "AAA", "name": "A", "team": "T", "team_color": "ffffff", "grid_position": 1,
}  # fmt: skip
LARGE = [[0.0, 0.0], [1e7, 0.0], [1e7, 1e7], [0.0, 1e7], *([n, n] for n in range(1, 9))]
"""A track of 4,000 km."""


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (changed("entries", entries=[]), "entries"),
        (changed("entries", entries=[ENTRY, ENTRY]), "7"),
        (changed("track", raw("outline", "[" + "[NaN,1]," * 10 + "[1,1]]"), outline="outline here"), "outline"),
        (changed("track", outline=LARGE), "outline"),
        (changed("weather", raw("air", "NaN"), air_temp="air here"), "air_temp"),
        (changed("weather", raw("air", "1e400"), air_temp="air here"), "air_temp"),
        (changed("packet", raw("x", "[1e400]"), x="x here"), "x"),
        (changed("track_status", message="9" * 200_000), "message"),
        (changed("session_info", start_ms=-(10**12)), "start_ms"),
    ],
)  # fmt: skip
def test_a_record_out_of_bounds_is_a_dead_letter_and_another_session_loses_nothing(
    outputs: list[Output], reason: str
) -> None:
    kafka = MemoryKafka([*records(GOOD), *outputs])
    worker = MemoryWorker(kafka)
    for _ in range(3):
        worker.run_to_the_end(20)
        worker.now += SILENT_S + 1
    worker.start()  # what is stored can be read back
    worker.run_to_the_end(20)
    assert reason in kafka.dead_letters()[0].reason
    assert frames(kafka, GOOD) == expected(GOOD)
    assert kafka.unacknowledged() == {}
    assert damaged(kafka, BAD) == []
    for output in records(BAD, 2):
        kafka.append(output)
    worker.run_to_the_end(20)
    assert frames(kafka, BAD, 2) == expected(BAD, 2)


@pytest.mark.parametrize("digits", [900, 4_300])
def test_a_number_of_many_digits_in_race_control_affects_its_message_only(digits: int) -> None:
    text = f"5 SECOND TIME PENALTY FOR CAR 7 (AAA) - LAP {'9' * digits}"
    outputs = list(records(BAD))
    at = next(n for n, output in enumerate(outputs) if output.topic == topics.MESSAGES and seq_of(output) == 10)
    emitted_ms = int(dict(outputs[at].headers)["emitted_ms"])
    document = {"kind": "race_control", "session_time_ms": emitted_ms, "category": "Other", "message": text}
    outputs[at] = replace(outputs[at], value=json.dumps(document).encode())
    kafka = MemoryKafka(outputs)
    MemoryWorker(kafka).run_to_the_end(20)
    assert frames(kafka, BAD).keys() == expected(BAD).keys()
    assert len(kafka.dead_letters()) == (digits > 1_000)
    assert damaged(kafka, BAD) == []


def test_an_unreadable_record_with_a_huge_key_is_a_small_dead_letter() -> None:
    kafka = MemoryKafka([Output(topics.TELEMETRY, b"k" * 160_000, b"no JSON", [("h" * 10_000, b"v" * 100_000)])])
    MemoryWorker(kafka).run_to_the_end()
    (dead_letter,) = kafka.dead_letters()
    assert "key" in dead_letter.reason or "header" in dead_letter.reason
    written = [record for log in kafka.logs.values() for record in log if record.topic == topics.DEAD_LETTERS]
    sizes = [
        len(record.value or b"") + len(record.key or b"") + sum(len(n) + len(v or b"") for n, v in record.headers)
        for record in written
    ]
    assert max(sizes) < 200_000
