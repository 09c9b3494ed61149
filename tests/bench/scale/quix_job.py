"""The job on Quix Streams, in an environment of its own: a StreamingDataFrame with state.

``PYTHONPATH=. .venv-quix/bin/python -m tests.bench.scale.quix_job``
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State

from f1stream import topics
from f1stream.settings import settings
from tests.bench.scale.job import COMMIT_S, GROUP, OUTPUT, Car, encoded


def car_update(value: bytes, key: bytes, timestamp: int, headers: Any, state: State) -> bytes | None:
    """A packet in, an update out."""
    car = Car.restore(key, state.get_bytes("car"))
    car.take(headers, value)
    update = car.hand_on()
    if update is None:
        return None
    state.set_bytes("car", car.dump())
    return encoded(update)


def main() -> None:
    """Until SIGTERM."""
    app = Application(
        broker_address=",".join(settings().bootstrap),
        consumer_group=GROUP,
        auto_offset_reset="earliest",
        commit_interval=COMMIT_S,
        state_dir=settings().home / "quix",
        # Of each partition it asks where its log begins, behind a fetch that waits so long: with 500 ms, the default,
        # 24 of them take 12 s.
        consumer_extra_config={"fetch.wait.max.ms": 50},
        processing_guarantee="at-least-once",  # as ours; its producer is idempotent too, with all acknowledgements
        producer_extra_config={"linger.ms": 5, "message.max.bytes": 1_000_000},  # ours
    )
    packets = app.topic(topics.TELEMETRY, value_deserializer="bytes")
    updates = app.topic(OUTPUT, value_serializer="bytes")
    frame = app.dataframe(packets).apply(car_update, stateful=True, metadata=True)
    frame = frame.filter(lambda value: value is not None)
    frame.to_topic(updates)
    app.run()


if __name__ == "__main__":
    main()
