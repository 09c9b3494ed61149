"""The job that Faust and Quix Streams both do: each car's packets, numbered, trimmed, counted and integrated.

For each packet of ``telemetry``: read it, give it to the project's own ``DriverJoin`` (which ignores repeats and
raises ``SequenceGap``), add to the car's samples and distance, keep its state, and send what the driver returns.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from f1stream import topics
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.topics import RecordHeaders
from models import CarUpdate, Updates

GROUP = os.environ.get("SCALE_GROUP", "scale")
OUTPUT = os.environ.get("SCALE_OUTPUT", "scale-updates")
COMMIT_S = 1.0
"""Both commit so often; it is what our workers do."""


@dataclass(slots=True)
class Car:
    """One car, as far as its packets have been handed on."""

    driver: DriverJoin
    samples: int = 0
    distance_m: float = 0.0
    t: int = -1
    """Session time (ms) of the last sample, and its speed."""
    speed: float = 0.0

    @classmethod
    def restore(cls, key: bytes, kept: bytes | None) -> Car:
        """From the value of ``dump``; None for a new driver."""
        number = topics.session_of(key)[1]
        if kept is None:
            return cls(DriverJoin(number))
        cursor, *rest = orjson.loads(kept)
        return cls(DriverJoin.restore(number, cursor.encode()), *rest)

    def dump(self) -> bytes:
        """All that must survive a restart."""
        return orjson.dumps([self.driver.dump().decode(), self.samples, self.distance_m, self.t, self.speed])

    @property
    def progress(self) -> tuple[int, int]:
        """Run and packet."""
        return self.driver.checkpoint.run_id, self.driver.checkpoint.packet_seq

    def take(self, headers: Sequence[tuple[str, bytes]], value: bytes | None) -> None:
        """Receive a packet. Raises BadRecord, or SequenceGap."""
        own = RecordHeaders.decode(headers, time.time())
        if own.run_id > self.driver.checkpoint.run_id:
            self.samples, self.distance_m, self.t, self.speed = 0, 0.0, -1, 0.0
        if self.driver.begins(own.run_id, None):
            # Laps are another topic: no packet waits for them here.
            self.driver.take_packet(own.seq, own.emitted_ms, 0, own.messages, topics.decode_packet(value), None)

    def hand_on(self) -> CarUpdate | None:
        """What is new, counted and integrated; None for repeats."""
        update, _ = self.driver.join()
        if update is not None:
            self.samples += len(update.t)
            for t, speed in zip(update.t, update.speed, strict=True):  # one by one: however packets come together
                if self.t >= 0:
                    self.distance_m += (t - self.t) * (speed + self.speed) / 7_200  # km/h over ms, in metres
                self.t, self.speed = t, speed
        return update


def encoded(*updates: CarUpdate) -> bytes:
    """As in topic ``updates``."""
    return topics.encode(Updates.model_construct(entries=list(updates)))
