"""Made-up messages of the feed, a few lines each."""

from __future__ import annotations

from typing import Any

from f1stream.sources.livetiming.message import FeedMessage

T0_MS = 1_760_000_000_000
"""2025-10-09T08:53:20Z: when the first message is sent."""
DRIVERS = {"4": {"Tla": "NOR", "Line": 1}, "81": {"Tla": "PIA", "Line": 2}}


def sent(topic: str, data: Any, seconds: float, *, snapshot: bool = False) -> FeedMessage:
    """A message of so many seconds after the first."""
    return FeedMessage(topic, data, T0_MS + round(seconds * 1000), snapshot)


def info(key: int, kind: str = "Practice", name: str = "Practice 1") -> dict[str, Any]:
    """A ``SessionInfo``."""
    return {"Key": key, "Type": kind, "Name": name, "Meeting": {"Name": "X"}, "GmtOffset": "00:00:00", "Path": "p/"}


def timing(number: str, **line: Any) -> dict[str, Any]:
    """A ``TimingData`` about one car."""
    return {"Lines": {number: line}}


def run_of_laps(number: str, seconds: float, laps: int = 5) -> list[FeedMessage]:
    """A car leaves the pits and drives so many laps of 90 s, the first without a time."""
    out = sent("TimingData", timing(number, InPit=False, PitOut=True, NumberOfLaps=1), seconds)
    return [out] + [
        sent(
            "TimingData",
            timing(number, NumberOfLaps=2 + nth, LastLapTime={"Value": f"1:2{nth}.000"}),
            seconds + 90 * (1 + nth),
        )
        for nth in range(laps)
    ]
