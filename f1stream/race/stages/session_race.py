"""The race of one session: applies joined input at event time and makes its frames.

The frame for session time T contains exactly what was known by T. It is made when the packets of every entered car
reach T and every message they name has been received. Input beyond the last frame is pending: it is not in the
checkpoint, and its records are not acknowledged. Only the checkpoint of a silent run includes it, because its records
would otherwise block the offsets of later records in their partitions.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain, pairwise

import numpy as np

from f1stream.race.car_facts import apply_lap
from f1stream.race.crossings import apply_sample
from f1stream.race.frames import FrameBuilder
from f1stream.race.line import ReferenceLine
from f1stream.race.session_facts import apply_message
from f1stream.race.stages.checkpoint import (
    CHECKPOINT,
    DAMAGED,
    HEADER,
    MAX_BYTES,
    PendingInput,
    SessionCheckpoint,
    StoredHeader,
)
from f1stream.race.stages.roster import merged
from f1stream.race.stages.session_join import CarBuffer, SessionJoin
from f1stream.race.state import Race
from f1stream.topics import RunDamaged
from models import CarUpdate, Entries, Frame, Message, SessionEnd, SessionHeader, SessionInfo, Track
from models.frame import FRAME_MS, Tally

FRAMES_AT_ONCE = 1_500
"""Most frames of one call: five minutes of a session, some 0.3 s of work. Other sessions wait meanwhile."""
COUNTED = 1 << 31
"""Added to the number of pending records in a checkpoint's version. Earlier releases stored a session time (ms)
there, which is smaller: their checkpoint must not replace a newer one of the same frame."""


class SessionRace:
    """One run of a session: its input, its race, and its frames so far."""

    def __init__(self, session_key: str, run_id: int, official: bool = True) -> None:
        """A run without input. ``official``: whether official times correct and count."""
        self.session_key, self.run_id = session_key, run_id
        self.header = StoredHeader()
        self.race: Race | None = None
        """None until the start of the run and its cars are known."""
        self.t: int | None = None
        """Session time (ms) of the last frame."""
        self.ended = False
        self.damaged: str | None = None
        """Why the run cannot be continued; None for a run that can."""
        self.failure: Exception | None = None
        """The exception that ended the last ``advance``."""
        self.has_more = False
        """Whether ``advance`` could make more frames at once."""
        self.header_changed = False
        """Whether the header differs from the stored one."""
        self.tally = Tally(samples=0, laps=0, messages=0)  # all set: frames leave out unset fields
        self.join = SessionJoin()
        self._official = official
        self._frames: FrameBuilder | None = None
        self._line: ReferenceLine | None = None
        self._applied_seq = -1
        self._pending_until_ms = -1
        """Session time up to which records are acknowledged although no frame includes them. Checkpoints include the
        pending input until a frame has passed it."""

    # -- input -----------------------------------------------------------------------------------------

    def admit(self, message: Message) -> None:
        """Raises BadRecord for a message that the run cannot use: see ``SessionJoin.admit``."""
        self.join.admit(message)

    def take_message(self, seq: int, emitted_ms: int, message: Message | None) -> bool:
        """Receive a message: see ``SessionJoin.take_message``. The first info and entries go into the header."""
        if not self.join.take_message(seq, emitted_ms, message):
            return False
        self._note_header(message)
        return True

    def _note_header(self, message: Message | None) -> None:
        if isinstance(message, SessionInfo) and self.header.info is None:
            self.header.info = message
            self.header_changed = True
        elif isinstance(message, Entries) and self.header.entries is None:
            self.header.entries = message
            self.header_changed = True

    def take_update(self, update: CarUpdate) -> bool:
        """Receive a run of a car's packets: see ``SessionJoin.take_update``."""
        return self.join.take_update(update)

    # -- frames ----------------------------------------------------------------------------------------

    def advance(self) -> list[SessionHeader | Frame]:
        """The frames that have become complete; a changed session header precedes the frames it is valid for.

        At most ``FRAMES_AT_ONCE``; call again while ``has_more``. If the rules fail, the exception is in ``failure``,
        and the frames before it are returned.
        """
        out: list[SessionHeader | Frame] = []
        try:
            self._advance(out)
        except Exception as error:
            self.failure = error
        return out

    def _advance(self, out: list[SessionHeader | Frame]) -> None:
        if self.race is None and not self._begin():
            return
        assert self.race is not None and self.t is not None  # noqa: S101
        most = self.t + FRAMES_AT_ONCE * FRAME_MS
        complete = self.join.complete_ms(self.race.cars)
        self.has_more = most < complete
        end = min(most, complete)
        while self.t < end:
            if self._apply_messages(self.t + FRAME_MS):
                out.append(self.header.session_header(self.session_key, self.run_id, self.t + FRAME_MS))
            self._make_frames(min(end, self.join.next_change_ms()), out)
        self.join.leave(self.t)

    def _begin(self) -> bool:
        """Create the race once the start of the run and its cars are known."""
        if self.header.info is None or self.header.entries is None:
            return False
        self.t = -(-self.header.info.start_ms // FRAME_MS) * FRAME_MS - FRAME_MS
        self.join.begin(self.t)
        self.race = Race.of(self.header.entries.entries, self._official)
        self._frames = FrameBuilder(self.race)
        return True

    def _apply_messages(self, t: int) -> bool:
        """Apply the messages known by ``t``. True if the session header has changed."""
        changed = self._applied_seq < 0
        for seq, message in self.join.messages_until(t):
            self._applied_seq = seq
            self._count(messages=message is not None)
            if isinstance(message, Track):
                self.header.tracks.append(message)
                changed = self.header_changed = True
                self._set_track(message)
            elif isinstance(message, Entries):
                changed |= self._enter(message, t)
            elif isinstance(message, SessionEnd):
                self.ended = True
            elif message is not None:
                self._apply(message)
        return changed

    def _apply(self, message: Message) -> None:
        assert self.race is not None  # noqa: S101
        try:
            apply_message(self.race, message)
        except Exception as error:
            raise RunDamaged(
                f"message {self._applied_seq} ({message.kind}) cannot be applied, {type(error).__name__}: {error}",
                self._applied_seq,
            ) from error

    def _enter(self, message: Entries, t: int) -> bool:
        """Apply a list of entries: cars are added or updated, none is removed. True if the list has changed."""
        assert self.race is not None and self._frames is not None and self.header.entries is not None  # noqa: S101
        entries = merged(self.header.entries.entries, message.entries)
        late = [entry for entry in entries if entry.driver_number not in self.race.cars]
        if late:
            self.race.enter(late, t)
            self._frames.keyframe = None  # a delta has the cars of its keyframe
            self.join.enter(late, t)
        if entries == self.header.entries.entries:
            return False
        self.header.entries = message.model_copy(update={"entries": entries})
        self.header_changed = True
        return True

    def _set_track(self, track: Track) -> None:
        assert self.race is not None  # noqa: S101
        self._line = ReferenceLine(track.outline)
        self.race.set_reference_line(self._line.length_m)

    def _make_frames(self, end: int, frames: list[SessionHeader | Frame]) -> None:
        """Add the frames up to ``end``. The messages of the first one were applied."""
        assert self.race is not None and self._frames is not None and self.t is not None  # noqa: S101
        race = self.race
        cars = [self.join.cars[number] for number in race.cars]
        upto = [bisect_right(car.t, end) for car in cars]
        along = _project(self._line, list(zip(cars, upto, strict=True)))
        at = [0] * len(cars)
        self._count(samples=sum(upto))
        while self.t < end:
            self.t += FRAME_MS
            self._apply_messages(self.t)
            for i, (car, state) in enumerate(zip(cars, race.cars.values(), strict=True)):
                while car.laps and car.laps[0].emitted_ms <= self.t:
                    apply_lap(race, state, car.laps.popleft())
                    self._count(laps=1)
                n = at[i]
                while n < upto[i] and car.t[n] <= self.t:
                    apply_sample(race, state, car.t[n], along[i][n], car.x[n], car.y[n], car.speed[n], car.drs[n])
                    n += 1
                at[i] = n
            frames.append(self._frames.frame(self.t, self.tally if self.ended else None))
        for car, n in zip(cars, upto, strict=True):
            car.drop(n)

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self.tally, name) + n for name, n in more.items()}
        self.tally = self.tally.model_copy(update=counted)

    # -- checkpoints -----------------------------------------------------------------------------------

    def checkpoint_pending(self, most: int) -> bool:
        """Include pending input in checkpoints until a frame has passed all of it.

        False if there is nothing to store, or the checkpoint would have more than ``most`` bytes.
        """
        before, self._pending_until_ms = self._pending_until_ms, self.join.pending_ms
        checkpoint = self.checkpoint()
        if checkpoint is None or len(checkpoint) > most:  # the pending input stays unacknowledged
            self._pending_until_ms = before
            return False
        self.header_changed = True  # before the first frame it is not stored yet
        return True

    @property
    def progress(self) -> int:
        """Version of the checkpoint within its run: grows with the frame, then with the pending records."""
        if self.damaged is not None:
            return DAMAGED
        return (1 + self._frame_ms) << 32 | (COUNTED + self.join.received if self._includes_pending else 0)

    def checkpoint(self) -> bytes | None:
        """The state as of the last frame, as a table's value; None if there is no frame and no pending input."""
        if self.damaged is not None:
            checkpoint = SessionCheckpoint(
                self.run_id, self.t, -1, {}, None, self.tally, False, 0, None, damaged=self.damaged
            )
        elif self.begun or self._includes_pending:
            join = self.join
            checkpoint = SessionCheckpoint(
                run_id=self.run_id,
                t=self.t if self.begun else None,
                message_seq=self._applied_seq,
                packet_seq=join.done_seq,
                race=self.race if self.begun else None,
                tally=self.tally,
                ended=self.ended,
                tracks=len(self.header.tracks),
                keyframe=self._frames.keyframe if self._frames else None,
                pending=PendingInput(join.cars, join.messages, join.message_seq) if self._includes_pending else None,
            )
        else:
            return None
        return CHECKPOINT.dump_json(checkpoint, by_alias=True)

    @property
    def begun(self) -> bool:
        """Whether a frame was made."""
        return self._frames is not None and self._frames.keyframe is not None

    @property
    def _frame_ms(self) -> int:
        """The last frame that was made; -1 before the first."""
        return self.t if self.begun and self.t is not None else -1

    @property
    def _includes_pending(self) -> bool:
        return self._pending_until_ms > self._frame_ms

    def damage(self, reason: str) -> None:
        """Give the run up: no frame follows, and its checkpoint says so."""
        self.damaged, self.header_changed, self.has_more = reason, False, False
        self.header, self.race, self._frames, self._line = StoredHeader(), None, None, None
        self.join = SessionJoin()

    def dump_header(self) -> bytes:
        """The header, as a table's value. Raises RunDamaged if it is too large for one."""
        header = HEADER.dump_json(self.header)
        if len(header) > MAX_BYTES:
            raise RunDamaged(f"its header has {len(header)} bytes, more than {MAX_BYTES}")
        return header

    @classmethod
    def restore(cls, session_key: str, checkpoint: bytes, header: bytes | None, official: bool = True) -> SessionRace:
        """The run as of a checkpoint. Raises ValueError if the stored values cannot be decoded."""
        stored = CHECKPOINT.validate_json(checkpoint)
        self = cls(session_key, stored.run_id, official)
        self.t, self.tally = stored.t, stored.tally
        if stored.damaged is not None:
            self.damaged = stored.damaged
            return self
        if header is None:
            raise ValueError("its header is missing")
        self.header = HEADER.validate_json(header)
        del self.header.tracks[stored.tracks :]
        self.race, self.ended, self._applied_seq = stored.race, stored.ended, stored.message_seq
        join = self.join = SessionJoin(
            frame_ms=-1 if stored.t is None else stored.t,
            done_seq=stored.packet_seq,
            message_seq=stored.message_seq,
            tracks=len(self.header.tracks),
        )
        if self.header.entries is not None:
            cars = None if self.race is None else self.race.cars
            self.header.entries = join.roster.restored(self.header.entries, cars)
        if stored.pending is not None:
            join.restore_pending(stored.pending.cars, stored.pending.messages, stored.pending.message_seq)
            self._pending_until_ms = join.pending_ms
            for _, _, message in join.messages:
                self._note_header(message)
        if self.race is not None:
            self._frames = FrameBuilder(self.race, stored.keyframe)
        if self.header.track is not None:
            self._line = ReferenceLine(self.header.track.outline)
        return self


def _project(line: ReferenceLine | None, buffered: list[tuple[CarBuffer, int]]) -> list[list[float]]:
    """Metres along the line of each car's first n buffered samples; one call for all cars, which is faster."""
    if line is None:
        return [[0.0] * n for _, n in buffered]
    x = np.array(list(chain.from_iterable(car.x[:n] for car, n in buffered)), dtype=np.float64)
    y = np.array(list(chain.from_iterable(car.y[:n] for car, n in buffered)), dtype=np.float64)
    along = line.project(x, y).tolist() if len(x) else []
    ends = np.cumsum([0, *(n for _, n in buffered)]).tolist()
    return [along[begin:end] for begin, end in pairwise(ends)]
