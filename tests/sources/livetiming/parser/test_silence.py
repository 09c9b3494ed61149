"""Topics that should be sent while a session is on, and are not, have one notice until they are received again."""

from __future__ import annotations

from f1stream.sources.livetiming.parser.silence import Silence

HEARTBEAT = "Heartbeat"


def texts(silence: Silence, topic: str, at_ms: int, on_since_ms: int | None) -> list[tuple[str, str | None]]:
    return [(notice.about, notice.text) for notice in silence.take(topic, at_ms, on_since_ms)]


def test_without_a_subscription_the_notice_has_the_reason_and_comes_once_the_session_is_on() -> None:
    silence = Silence()
    assert texts(silence, HEARTBEAT, 500_000, None) == []
    assert texts(silence, HEARTBEAT, 510_000, 500_000) == []
    assert texts(silence, "TimingData", 516_000, 500_000) == [
        ("CarData.z", "The feed sends no car data: they are for F1TV subscribers."),
        ("Position.z", "The feed sends no positions of the cars: they are for F1TV subscribers."),
    ]
    assert texts(silence, "TimingData", 530_000, 500_000) == []


def test_a_silent_topic_has_a_notice_until_it_is_received_again() -> None:
    silence = Silence()
    for topic in ("CarData.z", "Position.z", "TimingData"):
        assert texts(silence, topic, 500_000, 500_000) == []
    assert texts(silence, "CarData.z", 514_000, 500_000) == []
    assert texts(silence, "CarData.z", 516_000, 500_000) == [
        ("Position.z", "The feed sends no positions of the cars.")
    ]
    assert texts(silence, "Position.z", 517_000, 500_000) == [("Position.z", None)]
    assert texts(silence, "CarData.z", 561_000, 500_000)[-1] == ("TimingData", "The feed sends no timing.")
