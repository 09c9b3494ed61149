"""The second stage: joins each session's cars and messages, and publishes the frames of its race."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from f1stream import topics
from f1stream.logs import key_fields
from f1stream.metrics import DAMAGED_RUNS, LATENESS, SESSION_TIME
from f1stream.processing.acks import AckTracker, PendingAck
from f1stream.processing.batch import Batch
from f1stream.processing.ignored import IgnoredRecords
from f1stream.processing.outputs import Output
from f1stream.processing.records import KafkaEvent
from f1stream.processing.tables import KeyValueStore
from f1stream.race.stages.checkpoint import MAX_BYTES
from f1stream.race.stages.damage import report_damage
from f1stream.race.stages.driver_stage import CHECKPOINT_S, GIVE_UP, SILENT_S
from f1stream.race.stages.frame_records import damaged_record, frame_records
from f1stream.race.stages.open_session import SUPERSEDED, OpenSession
from f1stream.race.stages.session_race import SessionRace
from f1stream.race.stages.session_tables import SessionTables
from f1stream.topics import MOST, BadRecord, RecordHeaders, RunDamaged, SequenceGap

log = logging.getLogger("f1stream")

LABELLED = 100
"""Most sessions with their own label in the metrics."""


class SessionStage:
    """Processes every session of this worker's partitions. Its tables are those of ``SessionTables``."""

    def __init__(
        self,
        checkpoints: KeyValueStore,
        headers: KeyValueStore,
        acks: AckTracker,
        silent_s: float = SILENT_S,
        checkpoint_s: float = CHECKPOINT_S,
        clock: Callable[[], float] = time.monotonic,
        official: bool = True,
    ) -> None:
        """``clock``: seconds, monotonic. ``official``: whether official times correct and count."""
        self.acks = acks
        self._official = official
        self._tables = SessionTables(checkpoints, headers, official)
        self._silent_s, self._checkpoint_s, self._clock = silent_s, checkpoint_s, clock
        self.sessions: dict[bytes, OpenSession] = {}
        """Sessions in memory, by key. Others are read from the tables when one of their records is received."""
        self._changed: dict[bytes, OpenSession] = {}
        """Sessions with input in this batch, or with more frames to make."""
        self._outputs: list[Output] = []
        self._ignored = IgnoredRecords("race")

    def reset(self) -> None:
        """See ``Stage``."""
        self.acks.reset()
        for key in list(self.sessions):
            self._leave(key)

    @property
    def is_due(self) -> bool:
        """See ``Stage``: a session has more frames to make, a checkpoint to write, or is silent."""
        now = self._clock()
        return any(
            session.race.has_more
            or session.failure is not None
            or self._is_silent(session, now)
            or self._is_checkpoint_due(session, now)
            for session in self.sessions.values()
        )

    def _is_silent(self, session: OpenSession, now: float) -> bool:
        """Whether a run has made its frames and received nothing for ``silent_s``."""
        return not session.race.has_more and now - max(session.received_at, session.tried_at) > self._silent_s

    def process(self, batch: Batch) -> list[Output]:
        """See ``Stage``. The outputs are the frames that have become complete."""
        self._outputs = []
        self._changed = {key: session for key, session in self.sessions.items() if session.race.has_more}
        for key, session in self.sessions.items():
            if session.failure is not None:
                self._damage(batch, key, session.event_of(session.failure), session.failure)
        for event in batch.events:
            pending = self.acks.take(event)
            try:
                if event.message.topic == topics.MESSAGES:
                    self._take_message(batch, event, pending)
                else:
                    self._take_updates(batch, event, pending)
            except BadRecord as error:
                batch.reject(event, error)
                pending.done = True
            except Exception as error:
                self._failed(batch, event, error)
                self.sessions[event.message.key or b""].add(SUPERSEDED, pending)
        for key in list(self._changed):
            self._advance(batch, key)
        return self._outputs

    def _failed(self, batch: Batch, event: KafkaEvent, error: Exception) -> None:
        """Damage the run of a record that could not be received, after publishing its complete frames."""
        key = event.message.key or b""
        if key not in self.sessions or (isinstance(error, SequenceGap) and not batch.is_reread(event.message)):
            raise error
        self._advance(batch, key)
        self._damage(batch, key, event, error)

    def _advance(self, batch: Batch, key: bytes) -> None:
        """Make a session's complete frames. If that fails, the run is damaged from there on."""
        session = self.sessions[key]
        if session.race.damaged is not None:
            return
        made = session.race.advance()
        try:
            self._outputs.extend(frame_records(key, session.race.run_id, made))
        except RunDamaged as error:
            session.race.failure = error
        if session.race.failure is not None:
            self._damage(batch, key, session.event_of(session.race.failure), session.race.failure)

    def _damage(self, batch: Batch, key: bytes, event: KafkaEvent | None, error: Exception) -> None:
        """Mark a session's run as damaged: a dead letter, a notice for viewers, and a checkpoint that says so."""
        session = self._changed[key] = self.sessions[key]
        race, session.failure = session.race, None
        if race.damaged is None:
            DAMAGED_RUNS.labels(batch.consumer).inc()
            race.damage(report_damage(batch, event, key, race.run_id, error))
            session.pending = [(SUPERSEDED, pending) for _, pending in session.pending]
            self._outputs.append(damaged_record(key, race.session_key, race.run_id, str(race.damaged)))

    def delivered(self, batch: Batch) -> None:
        """See ``Stage``."""
        if self._outputs and batch.published_s is not None:
            LATENESS.observe(max(time.time() - batch.published_s, 0.0))

    async def write_tables(self) -> None:
        """See ``Stage``."""
        now = self._clock()
        due = {key: each for key, each in self.sessions.items() if self._is_checkpoint_due(each, now)}
        silent = {key: each for key, each in self.sessions.items() if self._is_silent(each, now)}
        included = {key: session for key, session in silent.items() if self._includes_pending(session, now)}
        await self._write(due | included, now)
        for key, session in included.items():
            for _, pending in session.pending:
                pending.done = session.failure is None
            log.warning("Run %d is silent and has not ended: its checkpoint includes input after session time %d ms.",
                        session.race.run_id, session.checkpoint_ms, extra=key_fields(key))  # fmt: skip
        for key, session in list(self.sessions.items()):
            if key in due or key in silent or session.has_stored:  # there may be thousands of pending events
                session.release()
            if (session.race.ended or key in silent) and not session.pending and session.failure is None:
                self._leave(key)

    def _leave(self, key: bytes) -> None:
        """Drop a session from memory. If another record arrives, it is read from the tables."""
        del self.sessions[key]
        with suppress(KeyError):
            SESSION_TIME.remove(key.decode())

    # -- input -----------------------------------------------------------------------------------------

    def _take_message(self, batch: Batch, event: KafkaEvent, pending: PendingAck) -> None:
        """Pass a message to its session.

        Raises BadRecord if the session or run cannot be decoded, SequenceGap, and RunDamaged. Any other exception
        damages the run, too.
        """
        record = event.message
        headers = RecordHeaders.decode(record.headers, record.timestamp)
        session = self._session(batch, event, pending, headers.run_id, begins=headers.seq == 0)
        if session is None:
            return
        message = None
        try:
            message = topics.decode_message(record.value)
            session.race.admit(message)
        except BadRecord as error:
            message = None
            batch.reject(event, error)
        session.race.take_message(headers.seq, headers.emitted_ms, message)
        session.add(headers.emitted_ms, pending)

    def _take_updates(self, batch: Batch, event: KafkaEvent, pending: PendingAck) -> None:
        """Pass a record of updates to its session. Raises as ``_take_message`` does."""
        record = event.message
        topics.session_key_of(record.key)
        updates = topics.decode_updates(record.value)
        if not updates.entries and not updates.damaged:
            raise BadRecord("there are no entries in it")
        newest = max([*(each.epoch for each in updates.entries), *(each.epoch for each in updates.damaged)])
        topics.check_run_id(newest, record.timestamp)
        until: dict[int, int] = {}
        for update in updates.entries:
            try:
                session = self._session(batch, event, None, update.epoch, begins=update.first_seq == 0)
                if session is not None:
                    session.race.take_update(update)
                    until[update.epoch] = max(until.get(update.epoch, SUPERSEDED), update.until_ms)
            except Exception as error:  # other entries may belong to the next run
                self._failed(batch, event, error)
        key = record.key or b""
        for lost in updates.damaged:
            known = self.sessions.get(key) or self._tables.read(key, key.decode(), lost.epoch)
            if lost.refused and (known is None or known.race.run_id != lost.epoch):
                continue
            if self._session(batch, event, None, lost.epoch, begins=True) is not None:
                self._advance(batch, key)
                self._damage(batch, key, None, RunDamaged(lost.reason))
        session = self.sessions.get(key)
        if session is None:
            pending.done = True
            return
        session.add(until.get(session.race.run_id, SUPERSEDED), pending)

    def _session(
        self, batch: Batch, event: KafkaEvent, pending: PendingAck | None, run_id: int, *, begins: bool
    ) -> OpenSession | None:
        """The session of a record of run ``run_id``. If the record ``begins`` the run, it supersedes an older run.

        None if the record is ignored; then ``pending`` is done, at once or with the session's next checkpoint.
        """
        name, key = topics.session_key_of(event.message.key), event.message.key or b""
        session = self.sessions.get(key) or self._tables.read(key, name, run_id - 1 if begins else run_id)
        known = session is not None and session.race.run_id >= run_id
        if not known and not begins:
            if self._ignored.add(key, run_id, "refused run", "its first record is not number 0"):
                batch.reject(event, BadRecord(f"the first record of run {run_id} that came is not number 0"))
            if pending is not None:
                pending.done = True
            return None
        if session is None:
            session = OpenSession(SessionRace(name, run_id, self._official))
        elif not known:
            log.info("Run %d supersedes run %d.", run_id, session.race.run_id, extra=key_fields(key))
            superseded = [(SUPERSEDED, pending) for _, pending in session.pending]
            session = OpenSession(SessionRace(name, run_id, self._official), pending=superseded)
        session.received_at = self._clock()
        self.sessions[key] = self._changed[key] = session
        if session.failure is not None:
            raise session.failure
        if run_id == session.race.run_id and session.race.damaged is None:
            return session
        if run_id < session.race.run_id:
            self._ignored.add(key, run_id, "older run", f"run {session.race.run_id} is newer")
        else:
            self._ignored.add(key, run_id, "damaged run", str(session.race.damaged))
        if pending is not None:
            session.add(SUPERSEDED, pending)
        return None

    # -- checkpoints -----------------------------------------------------------------------------------

    def _is_checkpoint_due(self, session: OpenSession, now: float) -> bool:
        race = session.race
        if race.damaged is not None:
            return session.checkpoint_ms != MOST
        if not race.begun or race.t == session.checkpoint_ms:
            return False
        return race.ended or now - session.written_at >= self._checkpoint_s

    def _includes_pending(self, session: OpenSession, now: float) -> bool:
        """Include a silent run's pending records in its checkpoint. False if there are none, or they do not fit."""
        tried_before = session.tried_at > session.received_at
        session.tried_at = now  # do not retry with each batch
        if not session.pending or session.race.damaged is not None or session.failure is not None:
            return False
        try:
            if session.race.checkpoint_pending(MAX_BYTES):
                return True
            if tried_before and now - session.received_at > GIVE_UP * self._silent_s:
                raise RunDamaged("nothing more comes, and its pending records fit no checkpoint")
        except Exception as error:
            session.failure = error
        return False

    async def _write(self, due: dict[bytes, OpenSession], now: float) -> None:
        """Store sessions. Records are not done if their session cannot be stored: it has a ``failure`` then."""
        for key in await self._tables.write(due):
            session = due[key]
            session.written_at = now
            session.checkpoint_ms = session.stored_ms
            session.observe()
            if len(self.sessions) <= LABELLED:
                SESSION_TIME.labels(key.decode()).set((session.race.t or 0) / 1000)
            if session.race.ended and session.race.damaged is None:
                log.info("Run %d has ended at session time %d ms.", session.race.run_id, session.race.t,
                         extra=key_fields(key))  # fmt: skip
