"""A producer uses a topic only when it knows its partitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver

from agents.faust_patches.producer import IdempotentProducer, Producer

TOPIC = "frames"


class Client:
    """An aiokafka producer whose client knows the topic after some metadata requests."""

    def __init__(self, requests: int) -> None:
        self.client = self.cluster = self
        self.missing = requests
        self.followed: list[str] = []

    def partitions_for_topic(self, _: str) -> set[int] | None:
        return None if self.missing else {0}

    async def partitions_for(self, _: str) -> None:
        self.missing -= 1

    async def add_topic(self, topic: str) -> None:
        self.followed.append(topic)


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Client], Any]:
    """A producer with that client; ``done`` has the calls of Faust's producer, with the topics unknown then."""

    def make(client: Client) -> Any:
        made: Any = Producer.__new__(Producer)
        made.done = []

        async def send(_: Any, topic: str, *args: Any, **kwargs: Any) -> str:
            made.done.append(("send", topic, args, kwargs, client.missing))
            return "sent"

        async def create_topic(_: Any, topic: str, *args: Any, **kwargs: Any) -> None:
            made.done.append(("create", topic, args, kwargs, client.missing))

        monkeypatch.setattr(driver.Producer, "send", send)
        monkeypatch.setattr(driver.Producer, "create_topic", create_topic)
        monkeypatch.setattr(driver.Producer, "_ensure_producer", lambda _: client)
        return made

    return make


async def test_a_record_is_sent_when_the_partitions_are_known(producer: Callable[[Client], Any]) -> None:
    sender = producer(Client(requests=2))
    assert await sender.send(TOPIC, b"key", b"value", partition=3) == "sent"
    assert sender.done == [("send", TOPIC, (b"key", b"value"), {"partition": 3}, 0)]


async def test_a_created_topic_stays_known_to_the_client(producer: Callable[[Client], Any]) -> None:
    client = Client(requests=2)
    creator = producer(client)
    await creator.create_topic(TOPIC, 6, 1, compacting=True)
    assert creator.done == [("create", TOPIC, (6, 1), {"compacting": True}, 2)]
    assert client.missing == 0
    assert client.followed == [TOPIC]


def test_on_kafka_a_retried_batch_is_written_once() -> None:
    idempotent: Any = IdempotentProducer.__new__(IdempotentProducer)
    assert idempotent._settings_extra() == {"acks": "all", "enable_idempotence": True}
