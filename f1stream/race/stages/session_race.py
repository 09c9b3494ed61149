"""One session at event time: cars and messages come at their own pace, frames leave complete and in order.

The frame for session time T holds exactly what was known by T. It is made when the packets of every entered car reach
T and every message that they name has been received. What lies beyond the last frame is pending: it is not in the
checkpoint, and its records are not acknowledged. Only the checkpoint of a run that has gone silent includes it:
otherwise its records would block the offsets of what comes after them in their partitions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
from pydantic import TypeAdapter

from f1stream.race.frames import Frames
from f1stream.race.line import ReferenceLine
from f1stream.race.places import Places
from f1stream.race.race import Race
from f1stream.race.stages.car_buffer import CarBuffer
from f1stream.topics import BadRecord, SequenceGap
from models import CarUpdate, Entries, Frame, Head, Message, SessionEnd, SessionInfo, Track
from models.frame import FRAME_MS, Tally


@dataclass(slots=True)
class PendingInput:
    """What was received beyond a checkpoint's frame."""

    cars: dict[str, CarBuffer]
    messages: deque[tuple[int, int, Message | None]]
    message_seq: int
    """The last message that was received."""


@dataclass(slots=True)
class Checkpoint:
    """What goes into the table: the session as of one frame, or before the first (``t`` and ``race`` are None)."""

    epoch: int
    t: int | None
    message_seq: int
    """The last message that is applied."""
    packet_seq: dict[str, int]
    """By car, the last packet that lies wholly at or before ``t``."""
    race: Race | None
    tally: Tally
    ended: bool
    tracks: int
    """How many tracks had been received: the header is written first, and may hold a newer one."""
    keyframe: Frame | None
    beyond: PendingInput | None = None
    """Pending input, only of a run that has gone silent. Named so in stored checkpoints."""


@dataclass(slots=True)
class HeaderState:
    """Facts that hold for the whole run, in a table of their own: they are large and seldom change."""

    info: SessionInfo | None = None
    entries: Entries | None = None
    tracks: list[Track] = field(default_factory=list)
    """All that were received; the last one counts."""

    @property
    def track(self) -> Track | None:
        """The track that counts."""
        return self.tracks[-1] if self.tracks else None


_CHECKPOINT = TypeAdapter(Checkpoint)
_HEADER = TypeAdapter(HeaderState)


COUNTED = 1 << 31
"""Added to the number of pending records in a checkpoint's version. Earlier releases stored a session time (ms)
there, which is smaller: their checkpoint must not win over a newer one of the same frame."""


class SessionRace:
    """Joins one session's cars and messages, and makes its frames."""

    def __init__(self, session_key: str, epoch: int, official: bool = True) -> None:
        """A run that has not begun. ``official``: whether official times correct and count."""
        self.session_key, self.epoch = session_key, epoch
        self.header = HeaderState()
        self.race: Race | None = None
        self.t: int | None = None
        """The last frame."""
        self.ended = False
        self.header_changed = False
        """The header differs from what is in its table."""
        self.tally = Tally()
        self._official = official
        self._frames: Frames | None = None
        self._line: ReferenceLine | None = None
        self._cars: dict[str, CarBuffer] = {}
        self._done: dict[str, int] = {}
        self._messages: deque[tuple[int, int, Message | None]] = deque()
        """(seq, emitted_ms, message or None for one that could not be read)."""
        self._message_seq = self._applied_seq = -1
        self._pending_until_ms = -1
        """Session time up to which records are acknowledged though no frame holds them: checkpoints include pending
        input until a frame is past it."""

    # -- what arrives ----------------------------------------------------------------------------------

    def admit(self, message: Message) -> None:
        """Raises BadRecord for a message about a car that does not take part."""
        number, entries = getattr(message, "driver_number", None), self.header.entries
        if number and entries and number not in {entry.driver_number for entry in entries.entries}:
            raise BadRecord(f"car {number} is not in the session's list of entries")

    def take_message(self, seq: int, emitted_ms: int, message: Message | None) -> bool:
        """Receive a message (None: it was unreadable, and counts as seen). False for a repeated one."""
        if seq <= self._message_seq:
            return False
        if seq > self._message_seq + 1:
            raise SequenceGap(f"session {self.session_key}: message {seq} came after {self._message_seq}")
        self._message_seq = seq
        self._messages.append((seq, emitted_ms, message))
        if isinstance(message, SessionInfo) and self.header.info is None:
            self.header.info = message
            self.header_changed = True
        elif isinstance(message, Entries) and self.header.entries is None:
            self.header.entries = message
            self.header_changed = True
        return True

    def take_update(self, update: CarUpdate) -> bool:
        """Receive a run of a car's packets. False for a repeated one."""
        car = self._cars.get(update.driver_number)
        if car is None:
            car = self._cars[update.driver_number] = self._buffer(update.driver_number)
        return car.take(update)

    def _buffer(self, number: str) -> CarBuffer:
        until = -1 if self.t is None else self.t
        return CarBuffer(seq=self._done.get(number, -1), received_ms=until, ready_ms=until)

    # -- what leaves -----------------------------------------------------------------------------------

    def advance(self) -> list[Head | Frame]:
        """The frames that have become complete, each new head before the frames it holds for."""
        out: list[Head | Frame] = []
        if self.race is None and not self._begin():
            return out
        assert self.race is not None and self.t is not None  # noqa: S101
        end = min(self._promoted(number) for number in self.race.cars) // FRAME_MS * FRAME_MS
        while self.t < end:
            if self._apply_messages(self.t + FRAME_MS):
                out.append(self._head())
            out += self._stretch(min(end, self._next_track()))
        for number, car in self._cars.items():
            self._done[number] = car.leave(self.t, self._done.get(number, -1))
        return out

    def _promoted(self, number: str) -> int:
        if number not in self._cars:
            self._cars[number] = self._buffer(number)
        return self._cars[number].promote(self._message_seq + 1)

    def _begin(self) -> bool:
        """Start once it is known when the run starts and who takes part."""
        if self.header.info is None or self.header.entries is None:
            return False
        self.t = -(-self.header.info.start_ms // FRAME_MS) * FRAME_MS - FRAME_MS
        self.race = Race.of(self.header.entries.entries, self._official)
        self._frames = Frames(self.race)
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
            elif isinstance(message, SessionEnd):
                self.ended = True
            elif message is not None:
                self.race.tell(message)
        return changed

    def _lay(self, track: Track) -> None:
        assert self.race is not None  # noqa: S101
        self._line = ReferenceLine(track.outline)
        self.race.lay_line(Places(self._line.length_m))

    def _next_track(self) -> int:
        """The last frame before the track changes: positions up to there lie on the present one."""
        changes = (emitted for _, emitted, message in self._messages if isinstance(message, Track))
        return next(((at - 1) // FRAME_MS * FRAME_MS for at in changes), 1 << 62)

    def _head(self) -> Head:
        assert self.header.info is not None and self.header.entries is not None and self.t is not None  # noqa: S101
        track = self.header.track
        return Head(
            session_key=self.session_key,
            epoch=self.epoch,
            t=self.t + FRAME_MS,
            info=self.header.info,
            cars=self.header.entries.entries,
            outline=track and [(round(x), round(y)) for x, y in track.outline],
            corners=track.corners if track else (),
            rotation=track.rotation if track else None,
            marshal_sectors=track.marshal_sectors if track else (),
        )

    def _stretch(self, end: int) -> list[Head | Frame]:
        """The frames up to ``end``. The messages of the first one have been applied."""
        assert self.race is not None and self._frames is not None and self.t is not None  # noqa: S101
        race = self.race
        frames: list[Head | Frame] = []
        cars = [self._cars[number] for number in race.cars]
        upto = [bisect_right(car.t, end) for car in cars]
        along = self._project([(car, n) for car, n in zip(cars, upto, strict=True)])
        at = [0] * len(cars)
        self._count(samples=sum(upto))
        while self.t < end:
            self.t += FRAME_MS
            self._apply_messages(self.t)
            for i, (car, state) in enumerate(zip(cars, race.cars.values(), strict=True)):
                while car.laps and car.laps[0].emitted_ms <= self.t:
                    race.complete(state, car.laps.popleft())
                    self._count(laps=1)
                n = at[i]
                while n < upto[i] and car.t[n] <= self.t:
                    race.sample(state, car.t[n], along[i][n], car.x[n], car.y[n], car.speed[n], car.drs[n])
                    n += 1
                at[i] = n
            frames.append(self._frames.frame(self.t, self.tally if self.ended else None))
        for car, n in zip(cars, upto, strict=True):
            car.drop(n)
        return frames

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self.tally, name) + n for name, n in more.items()}
        self.tally = self.tally.model_copy(update=counted)

    def _project(self, waiting: list[tuple[CarBuffer, int]]) -> list[list[float]]:
        """Metres along the line of each car's first n waiting samples; all cars at once, that is the fast way."""
        if self._line is None:
            return [[0.0] * n for _, n in waiting]
        x = np.array(list(chain.from_iterable(car.x[:n] for car, n in waiting)), dtype=np.float64)
        y = np.array(list(chain.from_iterable(car.y[:n] for car, n in waiting)), dtype=np.float64)
        along = self._line.project(x, y).tolist() if len(x) else []
        ends = np.cumsum([0, *(n for _, n in waiting)]).tolist()
        return [along[begin:end] for begin, end in pairwise(ends)]

    # -- what is kept ----------------------------------------------------------------------------------

    def checkpoint_pending(self, most: int) -> bool:
        """Include pending input in checkpoints until a frame has passed all of it.

        False when there is nothing to include, or the checkpoint would have more than ``most`` bytes.
        """
        before, self._pending_until_ms = self._pending_until_ms, self._received_ms
        kept = self.checkpoint()
        if kept is None or len(kept) > most:
            self._pending_until_ms = before
            return False
        self.header_changed = True  # before the first frame it is in no table yet
        return True

    @property
    def progress(self) -> int:
        """Grows with each checkpoint of a run that holds more: by the frame, then by the pending records."""
        pending = 1 + self._message_seq + sum(1 + car.seq for car in self._cars.values())
        return (1 + self._frame_ms) << 32 | (COUNTED + pending if self._holds_pending else 0)

    def checkpoint(self) -> bytes | None:
        """The session as of the last frame, as a table's value; None before the first without pending input."""
        begun = self._frame_ms >= 0
        if not (begun or self._holds_pending):
            return None
        return _CHECKPOINT.dump_json(
            Checkpoint(
                epoch=self.epoch,
                t=self.t if begun else None,
                message_seq=self._applied_seq,
                packet_seq=self._done,
                race=self.race if begun else None,
                tally=self.tally,
                ended=self.ended,
                tracks=len(self.header.tracks),
                keyframe=self._frames.keyframe if begun and self._frames else None,
                beyond=PendingInput(self._cars, self._messages, self._message_seq) if self._holds_pending else None,
            )
        )

    @property
    def _frame_ms(self) -> int:
        """The last frame that was made; -1 before the first."""
        made = self.t is not None and self._frames is not None and self._frames.keyframe is not None
        return self.t if made and self.t is not None else -1

    @property
    def _received_ms(self) -> int:
        """Session time of the last record that no frame holds; -1 when there is none."""
        cars = (car.runs[-1][1] for car in self._cars.values() if car.runs)
        return max(chain(cars, (emitted_ms for _, emitted_ms, _ in self._messages)), default=-1)

    @property
    def _holds_pending(self) -> bool:
        return self._pending_until_ms > self._frame_ms

    def dump_header(self) -> bytes:
        """The session header, as a table's value."""
        return _HEADER.dump_json(self.header)

    @classmethod
    def restore(cls, session_key: str, checkpoint: bytes, header: bytes, official: bool = True) -> SessionRace:
        """The session as it was at a checkpoint."""
        kept = _CHECKPOINT.validate_json(checkpoint)
        self = cls(session_key, kept.epoch, official)
        self.header = _HEADER.validate_json(header)
        del self.header.tracks[kept.tracks :]
        self.t, self.race, self.tally, self.ended = kept.t, kept.race, kept.tally, kept.ended
        self._message_seq = self._applied_seq = kept.message_seq
        self._done = kept.packet_seq
        if kept.beyond is not None:
            self._cars, self._messages = kept.beyond.cars, kept.beyond.messages
            self._message_seq, self._pending_until_ms = kept.beyond.message_seq, self._received_ms
        if self.race is not None:
            self._frames = Frames(self.race, kept.keyframe)
        if self.header.track is not None:
            self._line = ReferenceLine(self.header.track.outline)
        return self
