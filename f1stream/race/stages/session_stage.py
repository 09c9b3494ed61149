"""The second stage: each session's cars and messages become its race, and the race's frames are published."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from f1stream import topics
from f1stream.logs import about
from f1stream.metrics import FRAMES, GAP_ERROR, LATENESS, MEASURED, SAMPLES, SESSION_TIME
from f1stream.processing.acks import AckTracker, PendingAck
from f1stream.processing.batch import Batch
from f1stream.processing.outputs import Output
from f1stream.processing.records import Event
from f1stream.processing.tables import KeyValueStore
from f1stream.race.stages.driver_stage import SILENT_S
from f1stream.race.stages.session_race import SessionRace
from f1stream.topics import BadRecord, Stamp
from models import Frame, Head

log = logging.getLogger("f1stream")

FRAMES_PER_RECORD = 50
"""Most frames in one record of ``frames``."""
CHECKPOINT_S = 1.0
"""Wall time between two checkpoints of a session; what lies after the last one is processed again after a crash."""
MAX_PENDING_BYTES = 2_000_000
"""Largest checkpoint that may include the pending input of a silent run. With more, it stays unacknowledged."""
SUPERSEDED = 0
"""Checkpoint time for records of a superseded run. They are acknowledged with the new run's first checkpoint:
earlier, a crash could replay the old run from the middle."""


@dataclass(slots=True)
class OpenSession:
    """A session in memory, and the events that wait for its checkpoints."""

    race: SessionRace
    checkpoint_ms: int = -1
    """Session time of the last stored checkpoint; -1 before the first."""
    written_at: float = 0.0
    """Clock at the last checkpoint."""
    counted: int = 0
    """Samples that are in the metrics."""
    pending: list[tuple[int, PendingAck]] = field(default_factory=list)
    """(session time of the last thing in the event, event): done when a checkpoint has reached that time."""
    received_at: float = 0.0
    """Clock at the last record."""


class SessionStage:
    """Follows every session whose partition this worker has.

    Its tables are ``races`` (checkpoints) and ``standing`` (session headers). A checkpoint is read together with the
    header, so the header is stored first.
    """

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
        self._checkpoints, self._headers = checkpoints, headers
        self._silent_s, self._checkpoint_s, self._clock = silent_s, checkpoint_s, clock
        self.sessions: dict[bytes, OpenSession] = {}
        """By key, the sessions in memory."""
        self._changed: dict[bytes, OpenSession] = {}
        self._made_frames = False

    def reset(self) -> None:
        """After a rebalance: everything is read again from the tables and the partitions."""
        self.acks.reset()
        self.sessions.clear()

    def process(self, batch: Batch) -> list[Output]:
        """See ``Stage``. The outputs are the frames that have become complete."""
        self._changed = {}
        for event in batch.events:
            pending = self.acks.take(event)
            try:
                if event.message.topic == topics.MESSAGES:
                    self._take_message(batch, event, pending)
                else:
                    self._take_updates(event, pending)
            except BadRecord as error:
                batch.reject(event, error)
                pending.done = True
        outputs = []
        for key, session in self._changed.items():
            outputs += self.advance(key, session.race)
        self._made_frames = bool(outputs)
        return outputs

    def advance(self, key: bytes, race: SessionRace) -> list[Output]:
        """The frames of a session that have become complete, as records of ``frames``."""
        return _records(key, race.epoch, race.advance())

    def delivered(self, batch: Batch) -> None:
        """See ``Stage``."""
        if self._made_frames and batch.published_s is not None:
            LATENESS.observe(max(time.time() - batch.published_s, 0.0))

    async def write_tables(self) -> None:
        """See ``Stage``."""
        now = self._clock()
        due = {key: session for key, session in self._changed.items() if self._is_due(session, now)}
        silent = {key: session for key, session in self.sessions.items() if self._has_gone_silent(session, now)}
        await self._write(due | silent, now)
        for key, session in silent.items():
            for _, pending in session.pending:
                pending.done = True
            session.pending = []
            log.warning("Run %d has no end and is silent. Its input beyond session time %d ms is in the checkpoint.",
                        session.race.epoch, session.checkpoint_ms, extra=about(key))  # fmt: skip
        for key, session in self._changed.items():
            for until, pending in session.pending:
                pending.done = until <= session.checkpoint_ms
            session.pending = [(until, pending) for until, pending in session.pending if not pending.done]
            if session.race.ended and not session.pending:
                del self.sessions[key]  # it is read from the tables, should anything more come

    # -- receiving -------------------------------------------------------------------------------------

    def _take_message(self, batch: Batch, event: Event, pending: PendingAck) -> None:
        """Give one message to its session. Raises BadRecord when the session or the run is not readable."""
        record = event.message
        stamp = Stamp.read(record.headers)
        session = self._session(record.key, stamp.epoch)
        if stamp.epoch < session.race.epoch:
            session.pending.append((SUPERSEDED, pending))
            return
        message = None
        try:
            message = topics.decode_message(record.value)
            session.race.admit(message)
        except BadRecord as error:
            message = None
            batch.reject(event, error)
        session.race.take_message(stamp.seq, stamp.emitted_ms, message)
        session.pending.append((stamp.emitted_ms, pending))

    def _take_updates(self, event: Event, pending: PendingAck) -> None:
        """Give a record of updates to its session. Raises BadRecord."""
        record = event.message
        topics.session_key_of(record.key)
        entries = topics.decode_updates(record.value).entries
        if not entries:
            raise BadRecord("there are no entries in it")
        until = SUPERSEDED
        for update in entries:
            session = self._session(record.key, update.epoch)
            if update.epoch == session.race.epoch:
                session.race.take_update(update)
                until = max(until, update.until_ms)
        session.pending.append((until, pending))

    def _session(self, record_key: bytes | None, epoch: int) -> OpenSession:
        """The session for a record of run ``epoch``: that run, or the newer one that has superseded it."""
        name = topics.session_key_of(record_key)
        key = record_key or b""
        session = self.sessions.get(key)
        if session is None:
            session = self.sessions[key] = self._opened(key, name, epoch)
        if epoch > session.race.epoch:
            log.info("Run %d supersedes run %d.", epoch, session.race.epoch, extra=about(key))
            superseded = [(SUPERSEDED, pending) for _, pending in session.pending]
            session = self.sessions[key] = OpenSession(SessionRace(name, epoch, self._official), pending=superseded)
        session.received_at = self._clock()
        self._changed[key] = session
        return session

    def _opened(self, key: bytes, name: str, epoch: int) -> OpenSession:
        checkpoint, header = self._checkpoints.read(key), self._headers.read(key)
        race = SessionRace(name, epoch, self._official)
        if checkpoint is not None and header is not None:
            race = SessionRace.restore(name, checkpoint, header, self._official)
        session = OpenSession(race, -1 if race.t is None else race.t, counted=race.tally.samples)
        log.info(
            "Run %d is followed from session time %d ms on.", race.epoch, session.checkpoint_ms, extra=about(key)
        )
        return session

    # -- checkpoints -----------------------------------------------------------------------------------

    def _is_due(self, session: OpenSession, now: float) -> bool:
        race = session.race
        if race.t is None or race.t == session.checkpoint_ms:
            return False
        return race.ended or now - session.written_at >= self._checkpoint_s

    def _has_gone_silent(self, session: OpenSession, now: float) -> bool:
        """Whether a run has pending records, gets no more, and its checkpoint can include them."""
        if not session.pending or now - session.received_at <= self._silent_s:
            return False
        session.received_at = now  # a checkpoint that is too large is not tried again with each batch
        return session.race.checkpoint_pending(MAX_PENDING_BYTES)

    async def _write(self, due: dict[bytes, OpenSession], now: float) -> None:
        """Write headers and checkpoints, each table stored before the next."""
        for key, session in due.items():
            race = session.race
            if race.header_changed:
                self._headers.write(key, race.epoch, race.progress, race.dump_header())
                race.header_changed = False
        await self._headers.flush()
        written = {}
        for key, session in due.items():
            checkpoint = session.race.checkpoint()
            if checkpoint is not None:
                self._checkpoints.write(key, session.race.epoch, session.race.progress, checkpoint)
                written[key] = session
        await self._checkpoints.flush()
        for key, session in written.items():
            race = session.race
            session.written_at = now
            if race.t is not None:
                session.checkpoint_ms = race.t
            _measure(key, session)
            if race.ended:
                log.info("Run %d has ended at session time %d ms.", race.epoch, race.t, extra=about(key))


def _records(key: bytes, epoch: int, made: Iterable[Head | Frame]) -> list[Output]:
    """Headers and frames as records of ``frames``, consecutive frames together."""
    records: list[Output] = []
    frames: list[Frame] = []

    def close() -> None:
        if frames:
            headers = topics.frame_headers(epoch, frames)
            records.append(Output(topics.FRAMES, key, topics.encode_frames(frames), headers))
            FRAMES.inc(len(frames))
            frames.clear()

    for each in made:
        if isinstance(each, Head):
            close()
            records.append(Output(topics.FRAMES, key, topics.encode_frames([each]), topics.head_headers(epoch, each)))
            continue
        frames.append(each)
        if len(frames) == FRAMES_PER_RECORD:
            close()
    close()
    return records


def _measure(key: bytes, session: OpenSession) -> None:
    """Metrics since the last checkpoint."""
    race = session.race
    SAMPLES.inc(race.tally.samples - session.counted)
    session.counted = race.tally.samples
    SESSION_TIME.labels(key.decode()).set((race.t or 0) / 1000)
    if race.race is not None:
        for place in race.race.compared:
            MEASURED.observe(abs(place.official_ms - place.measured_ms) / 1000)
        race.race.compared.clear()
        for error_ms in race.race.gap_errors:
            GAP_ERROR.observe(abs(error_ms) / 1000)
        race.race.gap_errors.clear()
