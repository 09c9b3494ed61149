"""One session at event time: cars and messages come at their own pace, frames leave complete and in order.

The frame for session time T holds exactly what was known by T. It is made when the packets of every entered car reach
T and every message that they name has been received. What lies beyond the last frame is pending: it is not in the
checkpoint, and its records are not acknowledged. Only the checkpoint of a run that has gone silent includes it:
otherwise its records would block the offsets of what comes after them in their partitions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import chain

from f1stream.race.car_facts import apply_lap
from f1stream.race.crossings import apply_sample
from f1stream.race.frames import FrameBuilder
from f1stream.race.line import ReferenceLine
from f1stream.race.session_facts import apply_message
from f1stream.race.stages.car_buffer import CarBuffer, project
from f1stream.race.stages.checkpoint import (
    CHECKPOINT,
    DAMAGED,
    HEADER,
    MAX_BYTES,
    PendingInput,
    SessionCheckpoint,
    StoredHeader,
)
from f1stream.race.stages.roster import Roster, merged
from f1stream.race.state import Race
from f1stream.topics import BadRecord, RunDamaged, SequenceGap
from models import CarUpdate, Entries, Frame, Message, SessionEnd, SessionHeader, SessionInfo, Track
from models.bounds import MOST_CARS
from models.frame import FRAME_MS, Tally

FRAMES_AT_ONCE = 1_500
"""Most frames that one call makes: five minutes of a session, some 0.3 s of work. Other sessions wait meanwhile."""
MAX_TRACKS = 20
"""Most tracks in a run. Of each the reference line takes time to prepare, and all are in the header."""
MAX_BUFFERED_SAMPLES = 4_000_000
"""Samples of all cars that may wait for a car or a message: three times those of a Grand Prix."""
MAX_BUFFERED_MESSAGES = 100_000
"""Messages that may wait for the cars: some ten times those of a Grand Prix."""
COUNTED = 1 << 31
"""Added to the number of pending records in a checkpoint's version. Earlier releases stored a session time (ms)
there, which is smaller: their checkpoint must not win over a newer one of the same frame."""


class SessionRace:
    """Joins one session's cars and messages, and makes its frames."""

    def __init__(self, session_key: str, run_id: int, official: bool = True) -> None:
        """A run that has not begun. ``official``: whether official times correct and count."""
        self.session_key, self.run_id = session_key, run_id
        self.header = StoredHeader()
        self.race: Race | None = None
        self.t: int | None = None
        """The last frame."""
        self.ended = False
        self.damaged: str | None = None
        """Why the run cannot be continued; None for a run that can."""
        self.failure: Exception | None = None
        """What ``advance`` failed with."""
        self.has_more = False
        """Whether ``advance`` could make more frames at once."""
        self.header_changed = False
        """The header differs from what is in its table."""
        self.tally = Tally(samples=0, laps=0, messages=0)  # each is set: frames leave out what is not
        self._official = official
        self._frames: FrameBuilder | None = None
        self._line: ReferenceLine | None = None
        self._cars: dict[str, CarBuffer] = {}
        self._done: dict[str, int] = {}
        self._messages: deque[tuple[int, int, Message | None]] = deque()
        """(seq, emitted_ms, message or None for one that could not be read)."""
        self._message_seq = self._applied_seq = -1
        self._tracks = 0
        """Received, applied or not."""
        self._roster = Roster()
        self._pending_until_ms = -1
        """Session time up to which records are acknowledged though no frame holds them: checkpoints include pending
        input until a frame is past it."""

    # -- what arrives ----------------------------------------------------------------------------------

    def admit(self, message: Message) -> None:
        """Raises BadRecord for a message about a car that does not take part, and for one track too many."""
        if isinstance(message, Track):
            if self._tracks >= MAX_TRACKS:
                raise BadRecord(f"the run has {MAX_TRACKS} tracks already")
            return
        if isinstance(message, Entries):
            self._roster.admit(message)
            return
        number = getattr(message, "driver_number", None)
        if number and self._roster.entered and number not in self._roster.entered:
            raise BadRecord(f"car {number} is not in the session's list of entries")

    def take_message(self, seq: int, emitted_ms: int, message: Message | None) -> bool:
        """Receive a message (None: it was unreadable, and counts as seen). False for a repeated one.

        Raises SequenceGap when one is missing, and RunDamaged when it is the run's first or too many wait.
        """
        if seq <= self._message_seq:
            return False
        if seq > self._message_seq + 1:
            if self._message_seq < 0:
                raise RunDamaged(f"its first message is number {seq}, not 0")
            raise SequenceGap(f"message {seq} came after {self._message_seq}")
        if len(self._messages) >= MAX_BUFFERED_MESSAGES:
            raise RunDamaged(f"{len(self._messages)} messages wait for a car that does not come")
        self._message_seq = seq
        self._tracks += isinstance(message, Track)
        self._messages.append((seq, emitted_ms, message))
        if isinstance(message, SessionInfo) and self.header.info is None:
            self.header.info = message
            self.header_changed = True
        elif isinstance(message, Entries):
            self._take_entries(emitted_ms, message)
        return True

    def _take_entries(self, emitted_ms: int, message: Entries) -> None:
        is_first = self.header.entries is None
        self._roster.take(emitted_ms, message, is_first=is_first)
        if is_first:
            self.header.entries = message
            self.header_changed = True

    def take_update(self, update: CarUpdate) -> bool:
        """Receive a run of a car's packets. Raises SequenceGap, and RunDamaged.

        False for a repeated one, and for a car that takes no part.
        """
        is_ahead = update.messages > self._message_seq + 1  # of a message that may enter the car
        if not self._takes_part(update.driver_number, is_ahead=is_ahead):
            return False
        car = self._cars.get(update.driver_number)
        if car is None:
            car = self._cars[update.driver_number] = self._buffer(update.driver_number)
        taken = car.take(update)
        if len(update.t) + sum(len(each.t) for each in self._cars.values()) > MAX_BUFFERED_SAMPLES:
            raise RunDamaged(
                f"more than {MAX_BUFFERED_SAMPLES} samples wait for a car or a message that does not come"
            )
        return taken

    def _takes_part(self, number: str, *, is_ahead: bool = False) -> bool:
        """Whether a car is entered; as long as it may be by messages that have not come, so many cars may be."""
        if self.header.entries is None or is_ahead:
            return number in self._cars or len(self._cars) < MOST_CARS
        return number in self._roster.entered

    def _buffer(self, number: str) -> CarBuffer:
        until = -1 if self.t is None else self.t
        return CarBuffer(seq=self._done.get(number, -1), received_ms=until, ready_ms=until)

    # -- what leaves -----------------------------------------------------------------------------------

    def advance(self) -> list[SessionHeader | Frame]:
        """The frames that have become complete, each new head before the frames it holds for.

        At most ``FRAMES_AT_ONCE``: call again while there are more (``has_more``). A failure of the rules is in
        ``failure``; the frames before it are returned.
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
        complete = self._complete()
        self.has_more = most < complete
        end = min(most, complete)
        while self.t < end:
            if self._apply_messages(self.t + FRAME_MS):
                out.append(self.header.head(self.session_key, self.run_id, self.t + FRAME_MS))
            self._stretch(min(end, self._next_change()), out)
        for number in self._cars:
            self._leave(number, self.t)

    def _leave(self, number: str, until: int) -> None:
        self._done[number] = self._cars[number].leave(until, self._done.get(number, -1))

    def _complete(self) -> int:
        assert self.race is not None  # noqa: S101
        complete = min(self._promoted(number) for number in self.race.cars)
        return self._roster.complete(complete, self._promoted)

    def _promoted(self, number: str) -> int:
        if number not in self._cars:
            self._cars[number] = self._buffer(number)
        return self._cars[number].promote(self._message_seq + 1)

    def _begin(self) -> bool:
        """Start once it is known when the run starts and who takes part."""
        if self.header.info is None or self.header.entries is None:
            return False
        self.t = -(-self.header.info.start_ms // FRAME_MS) * FRAME_MS - FRAME_MS
        self._cars = {number: car for number, car in self._cars.items() if self._takes_part(number)}
        self.race = Race.of(self.header.entries.entries, self._official)
        self._frames = FrameBuilder(self.race)
        return True

    def _apply_messages(self, t: int) -> bool:
        """Apply the messages known by ``t``. True when the head is another one now."""
        assert self.race is not None  # noqa: S101
        changed = self._applied_seq < 0
        while self._messages and self._messages[0][1] <= t:
            self._applied_seq, _, message = self._messages.popleft()
            self._count(messages=message is not None)
            if isinstance(message, Track):
                self.header.tracks.append(message)
                changed = self.header_changed = True
                self._lay(message)
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
        """Apply a list of entries: cars are added, and said more of; none is taken away. Whether it changed any."""
        assert self.race is not None and self._frames is not None and self.header.entries is not None  # noqa: S101
        entries = merged(self.header.entries.entries, message.entries)
        late = [entry for entry in entries if entry.driver_number not in self.race.cars]
        if late:
            self.race.enter(late, t)
            self._frames.keyframe = None  # a delta has the cars of its keyframe
            self._roster.apply(late)
            for entry in late:  # its first packet begins earlier; batches that end in between have dropped that part
                self._leave(entry.driver_number, t - FRAME_MS)
        if entries == self.header.entries.entries:
            return False
        self.header.entries = message.model_copy(update={"entries": entries})
        self.header_changed = True
        return True

    def _lay(self, track: Track) -> None:
        assert self.race is not None  # noqa: S101
        self._line = ReferenceLine(track.outline)
        self.race.set_reference_line(self._line.length_m)

    def _next_change(self) -> int:
        """The last frame before the track or the list of cars changes: up to there the present ones hold."""
        at = 0
        for _, emitted_ms, message in self._messages:
            at = max(at, emitted_ms)  # one that is stamped earlier waits for those before it
            if isinstance(message, Track | Entries):
                return (at - 1) // FRAME_MS * FRAME_MS
        return 1 << 62

    def _stretch(self, end: int, frames: list[SessionHeader | Frame]) -> None:
        """Add the frames up to ``end``. The messages of the first one have been applied."""
        assert self.race is not None and self._frames is not None and self.t is not None  # noqa: S101
        race = self.race
        cars = [self._cars[number] for number in race.cars]
        upto = [bisect_right(car.t, end) for car in cars]
        along = project(self._line, list(zip(cars, upto, strict=True)))
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

    # -- what is kept ----------------------------------------------------------------------------------

    def checkpoint_pending(self, most: int) -> bool:
        """Include pending input in checkpoints until a frame has passed all of it.

        False when there is nothing to include, or the checkpoint would have more than ``most`` bytes.
        """
        before, self._pending_until_ms = self._pending_until_ms, self._received_ms
        kept = self.checkpoint()
        if kept is None or len(kept) > most:  # with more, it stays unacknowledged
            self._pending_until_ms = before
            return False
        self.header_changed = True  # before the first frame it is in no table yet
        return True

    @property
    def progress(self) -> int:
        """Grows with each checkpoint of a run that holds more: by the frame, then by the pending records."""
        if self.damaged is not None:
            return DAMAGED
        pending = 1 + self._message_seq + sum(1 + car.seq for car in self._cars.values())
        return (1 + self._frame_ms) << 32 | (COUNTED + pending if self._holds_pending else 0)

    def checkpoint(self) -> bytes | None:
        """The session as of the last frame, as a table's value; None before the first without pending input."""
        if self.damaged is not None:
            lost = SessionCheckpoint(
                self.run_id, self.t, -1, {}, None, self.tally, False, 0, None, damaged=self.damaged
            )
            return CHECKPOINT.dump_json(lost, by_alias=True)
        begun = self.begun
        if not (begun or self._holds_pending):
            return None
        return CHECKPOINT.dump_json(
            SessionCheckpoint(
                run_id=self.run_id,
                t=self.t if begun else None,
                message_seq=self._applied_seq,
                packet_seq=self._done,
                race=self.race if begun else None,
                tally=self.tally,
                ended=self.ended,
                tracks=len(self.header.tracks),
                keyframe=self._frames.keyframe if begun and self._frames else None,
                pending=PendingInput(self._cars, self._messages, self._message_seq) if self._holds_pending else None,
            ),
            by_alias=True,
        )

    @property
    def begun(self) -> bool:
        """Whether a frame was made."""
        return self._frames is not None and self._frames.keyframe is not None

    @property
    def _frame_ms(self) -> int:
        """The last frame that was made; -1 before the first."""
        return self.t if self.begun and self.t is not None else -1

    @property
    def _received_ms(self) -> int:
        """Session time of the last record that no frame holds; -1 when there is none."""
        cars = (car.runs[-1][1] for car in self._cars.values() if car.runs)
        return max(chain(cars, (emitted_ms for _, emitted_ms, _ in self._messages)), default=-1)

    @property
    def _holds_pending(self) -> bool:
        return self._pending_until_ms > self._frame_ms

    def damage(self, reason: str) -> None:
        """Give the run up: no frame follows, and its checkpoint says so."""
        self.damaged, self.header_changed, self.has_more = reason, False, False
        self.header, self.race, self._frames, self._line = StoredHeader(), None, None, None
        self._cars, self._messages = {}, deque()

    def dump_header(self) -> bytes:
        """The session header, as a table's value. Raises RunDamaged when it is too large for one."""
        header = HEADER.dump_json(self.header)
        if len(header) > MAX_BYTES:
            raise RunDamaged(f"its header has {len(header)} bytes, more than {MAX_BYTES}")
        return header

    @classmethod
    def restore(cls, session_key: str, checkpoint: bytes, header: bytes | None, official: bool = True) -> SessionRace:
        """The session as it was at a checkpoint. Raises ValueError when it cannot be read back."""
        kept = CHECKPOINT.validate_json(checkpoint)
        self = cls(session_key, kept.run_id, official)
        if kept.damaged is not None:
            self.damaged, self.t, self.tally = kept.damaged, kept.t, kept.tally
            return self
        if header is None:
            raise ValueError("its header is missing")
        self.header = HEADER.validate_json(header)
        del self.header.tracks[kept.tracks :]
        self.t, self.race, self.tally, self.ended = kept.t, kept.race, kept.tally, kept.ended
        self._tracks = len(self.header.tracks)
        self._message_seq = self._applied_seq = kept.message_seq
        self._done = kept.packet_seq
        if self.header.entries is not None:
            self.header.entries = self._roster.restored(
                self.header.entries, None if self.race is None else self.race.cars
            )
        if kept.pending is not None:
            self._cars, self._messages = kept.pending.cars, kept.pending.messages
            self._tracks += sum(isinstance(message, Track) for _, _, message in self._messages)
            self._message_seq, self._pending_until_ms = kept.pending.message_seq, self._received_ms
            for _, emitted_ms, message in self._messages:
                if isinstance(message, Entries):
                    self._take_entries(emitted_ms, message)
        if self.race is not None:
            self._frames = FrameBuilder(self.race, kept.keyframe)
        if self.header.track is not None:
            self._line = ReferenceLine(self.header.track.outline)
        return self
