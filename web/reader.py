"""The page's feed from Kafka: every record of its topics, decoded and routed to the store that holds it.

Two connections read the topics, so that the bulk of laps, messages and samples does not delay frames.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

from aiokafka import TopicPartition

from f1stream import topics
from f1stream.logs import key_fields
from f1stream.settings import Settings
from web.feed import Feed
from web.records import decode_fact, decode_frames_record, decode_marts_record
from web.sample_store import decode_packet
from web.tape_store import TapeStore
from web.topic_tail import Batches, TopicTail

log = logging.getLogger(__name__)

PICTURE_TOPICS = (topics.FRAMES, topics.MARTS)
"""Topics needed to draw: the server has caught up once these are read."""
DETAIL_TOPICS = (topics.LAPS, topics.MESSAGES, topics.TELEMETRY)
"""Topics that may lag."""
PICTURE_BUSY_MS = 50
"""How long the broker may hold a fetch of ``PICTURE_TOPICS`` while records arrive."""
DETAIL_BUSY_MS = 1000
"""The same for ``DETAIL_TOPICS``: each fetch names all their partitions, the embedded broker's greatest cost."""
LOGGED_SESSIONS = 200
"""Pairs of topic and session whose bad records are logged separately; further sessions share one count a topic."""


class StreamReader(Feed):
    """A feed that is filled from Kafka."""

    def __init__(self, tapes: TapeStore, settings: Settings) -> None:
        super().__init__(tapes)
        self._bad_by_session: Counter[tuple[str, str]] = Counter()
        self._picture = TopicTail(PICTURE_TOPICS, PICTURE_BUSY_MS, settings, self._receive, self._picture_changed)
        self._detail = TopicTail(DETAIL_TOPICS, DETAIL_BUSY_MS, settings, self._receive, self._detail_changed)

    async def start(self) -> None:
        """Start reading in the background; a broker that is away is tried again with backoff."""
        self._picture.start()
        self._detail.start()

    async def stop(self) -> None:
        """Stop reading and close the connections."""
        await asyncio.gather(self._picture.stop(), self._detail.stop())

    def _picture_changed(self) -> None:
        self.connected, self.caught_up = self._picture.connected, self._picture.caught_up
        self._detail_changed()
        self.notify()

    def _detail_changed(self) -> None:
        self.lags = {**self._detail.lags, **self._picture.lags}
        self.stuck = self._picture.stuck or self._detail.stuck

    def _receive(self, batches: Batches) -> None:
        now_ms = int(time.time() * 1000)
        # Frames last: the results that a frame refers to are stored before it is shown.
        for partition, batch in sorted(batches.items(), key=lambda item: item[0].topic == topics.FRAMES):
            for message in batch:
                # Records from before this server's start are as old as Kafka's timestamp.
                arrived_ms = now_ms if self.caught_up else min(now_ms, message.timestamp)
                try:
                    self._store(partition.topic, message, arrived_ms)
                except Exception as error:
                    self._count_bad(partition, message, error)
        self.tapes.make_room()  # laps and samples take memory even if no frame comes

    def _store(self, topic: str, message: Any, arrived_ms: int) -> None:
        """Decode one record and add it to its store. Raises BadRecord when it cannot be shown."""
        if topic == topics.MARTS:
            self.add_marts([decode_marts_record(message.key, message.value)])
        elif topic == topics.FRAMES:
            record = decode_frames_record(message.key, message.headers, message.value, arrived_ms)
            topics.check_run_id(record.run_id, message.timestamp / 1000)
            self.add_frames([record])
        elif topic == topics.TELEMETRY:
            headers = topics.RecordHeaders.decode(message.headers, message.timestamp / 1000)
            self.add_packet(decode_packet(message.key or b"", headers, message.value))
        else:
            self.add_facts([decode_fact(topic, message)])

    def _count_bad(self, partition: TopicPartition, message: Any, error: Exception) -> None:
        """Count a record that cannot be shown; the 1st, 10th, 100th … of each topic and session is logged."""
        self.bad_records += 1
        named = key_fields(message.key)
        which = (partition.topic, named.get("session", ""))
        if which not in self._bad_by_session and len(self._bad_by_session) >= LOGGED_SESSIONS:
            which = (partition.topic, "")
        self._bad_by_session[which] += 1
        times = self._bad_by_session[which]
        if str(times).strip("0") == "1":
            log.warning(
                "%s partition %d offset %d cannot be shown: %s%s",
                partition.topic,
                partition.partition,
                message.offset,
                error,
                "" if times == 1 else f" (the {times}th of this session)",
                extra=named,
                # A BadRecord is a sentence; any other error is ours and needs its traceback.
                exc_info=None if isinstance(error, topics.BadRecord) else error,
            )
