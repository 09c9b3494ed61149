"""From one connection to the next: nothing lost, nothing twice, in order, however the two are interleaved."""

from __future__ import annotations

import random

import pytest

from f1stream.sources.livetiming.connection.handover import FORGET_MS, Handover
from f1stream.sources.livetiming.message import FeedMessage


def sent(numbers: list[int]) -> list[FeedMessage]:
    return [FeedMessage("LapCount", {"n": n}, 1_741_000_000_000 + 1_000 * n) for n in numbers]


def numbers(messages: list[FeedMessage]) -> list[int]:
    return [message.data["n"] for message in messages]


@pytest.mark.parametrize("seed", range(200))
def test_any_interleaving_of_two_connections_delivers_every_message_once_and_in_order(seed: int) -> None:
    """Some messages are sent twice in a row, as a feed may."""
    dice = random.Random(seed)
    feed = sent(sorted(n for n in range(40) for _ in range(dice.choice([1, 1, 2]))))
    begun, subscribed = sorted((dice.randrange(10), dice.randrange(10, 20)))
    given, handover = feed[:begun], Handover()
    handover.start()
    old, new = begun, subscribed
    while not handover.aligned.is_set():
        if new == len(feed) or (old < len(feed) and dice.random() < 0.5):
            if old == len(feed):
                break  # it took too long
            given.append(feed[old])
            handover.deliver(feed[old])
            old += 1
        else:
            handover.buffer(feed[new])
            new += 1
    rest = handover.remainder()
    given += [*rest.buffered(), *(message for message in feed[new:] if rest.is_new(message))]
    assert numbers(given) == numbers(feed)


def test_a_message_that_is_sent_twice_does_not_align_connections() -> None:
    handover = Handover()
    for message in sent([1, 1]):
        handover.deliver(message)
    for message in sent([1, 2, 3]):
        handover.buffer(message)
    assert not handover.aligned.is_set()
    for message in sent([2, 3]):
        handover.deliver(message)
    assert handover.aligned.is_set()
    assert numbers([*handover.remainder().buffered()]) == []


def test_connections_overlap_if_the_old_one_delivered_the_new_one_s_first_message() -> None:
    handover = Handover()
    assert not handover.overlaps
    handover.buffer(sent([5])[0])
    assert not handover.overlaps
    handover.deliver(sent([5])[0])
    assert handover.overlaps
    assert not handover.aligned.is_set()


def test_delivered_messages_are_forgotten_when_the_feed_is_far_ahead() -> None:
    handover = Handover()
    handover.deliver(sent([1])[0])
    rest = handover.remainder()
    assert rest.is_new(sent([FORGET_MS // 1000 + 2])[0])
    assert rest.is_new(sent([1])[0])
