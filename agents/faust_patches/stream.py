"""Takes events from a stream without Faust's iterator."""

from __future__ import annotations

from typing import Any


async def take(app: Any, stream: Any, most: int) -> list[Any] | None:
    """Wait for events of a stream and remove them, at most ``most``; None when the stream has ended.

    Events of an earlier assignment are left out: Kafka redelivers them, here or to another worker. ``stream.ack``
    acknowledges the others, one by one.

    Iterating over the stream runs the event loop once for each event, which costs more than the rules for a short
    packet; ``noack_take`` receives nothing while its events are processed, and then waits for its whole time.
    """
    await stream.maybe_start()
    queue = stream.channel.queue
    try:
        received = [await queue.get()]
        while len(received) < most and not queue.empty():
            received.append(queue.get_nowait())
    except StopAsyncIteration:  # Faust stops the agent
        return None
    if not app.flow_control.is_active():  # partitions are being revoked
        return []
    events = [event for event in received if event.message.generation_id == app.consumer_generation_id]
    for event in events:
        if not event.message.tracked:  # until it is acknowledged, as Faust's iterator does
            event.message.tracked = True
            app.consumer.track_message(event.message)
    return events
