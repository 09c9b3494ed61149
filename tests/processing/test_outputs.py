"""Publishing awaits every delivery; only dead letters may be refused."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from f1stream import topics
from f1stream.metrics import LOST_DEAD_LETTERS
from f1stream.processing.outputs import Output, RecordRefused, deliver
from tests.support.harness import run


@dataclass
class Producer:
    """Refuses marked values, when they are sent or when the broker answers."""

    delivered: list[bytes] = field(default_factory=list)

    async def send(self, output: Output) -> Any:
        if output.value == b"refused at once":
            raise RecordRefused("2 MB")
        return Waits(self, output.value)


@dataclass
class Waits:
    producer: Producer
    value: bytes

    def __await__(self) -> Generator[None, None, None]:
        if self.value == b"refused by the broker":
            raise RecordRefused("2 MB")
        self.producer.delivered.append(self.value)
        return
        yield


REFUSED = [b"refused at once", b"refused by the broker"]


@pytest.mark.parametrize("refused", REFUSED)
def test_a_refused_dead_letter_is_counted_and_logged_and_the_rest_is_delivered(
    refused: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    producer = Producer()
    before = LOST_DEAD_LETTERS._value.get()
    dead_letters = [Output(topics.DEAD_LETTERS, b"s", value) for value in (b"1", refused, b"2")]
    run(deliver(producer, [*dead_letters, Output(topics.FRAMES, b"s", b"3")]))
    assert producer.delivered == [b"1", b"2", b"3"]
    assert LOST_DEAD_LETTERS._value.get() == before + 1
    assert caplog.messages == ["A dead letter cannot be published."]


@pytest.mark.parametrize("refused", REFUSED)
def test_any_other_record_that_is_refused_is_an_error(refused: bytes) -> None:
    with pytest.raises(RecordRefused):
        run(deliver(Producer(), [Output(topics.FRAMES, b"s", refused)]))
