"""The scheme of a broker's URL selects the transport, as the wheel's entry points say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from faust import transport as faust_transport
from faust.transport.drivers.aiokafka import server_list

from agents.app import create_app
from agents.faust_patches import embedded, transport
from agents.faust_patches.app import PatchedApp
from agents.faust_patches.consumer import Consumer
from agents.faust_patches.embedded import EmbeddedConsumer, EmbeddedTransport
from agents.faust_patches.producer import IdempotentProducer, Producer
from agents.faust_patches.transport import Transport
from f1stream.settings import Settings


@pytest.mark.parametrize(("scheme", "found"), [(transport.SCHEME, Transport), (embedded.SCHEME, EmbeddedTransport)])
def test_faust_finds_our_transports(scheme: str, found: Any) -> None:
    """If this fails, the environment is older than the entry points: run `make setup`."""
    assert faust_transport.by_url(f"{scheme}://127.0.0.1:9092") is found


@pytest.mark.parametrize(
    ("broker", "consumer", "producer"),
    [("a:9092,b:9093", Consumer, IdempotentProducer), ("", EmbeddedConsumer, Producer)],
)
async def test_a_worker_uses_our_transport(tmp_path: Path, broker: str, consumer: Any, producer: Any) -> None:
    settings = Settings(_env_file=None, broker=broker, home=tmp_path, embedded_broker_port=19092)
    app = create_app("test", settings, 6066, PatchedApp)
    for side in (app.transport, app.producer_transport):
        assert (side.Consumer, side.Producer) == (consumer, producer)
        assert server_list(side.url, 0) == (["a:9092", "b:9093"] if broker else ["127.0.0.1:19092"])
