"""One session at event time: cars and messages come at their own pace, frames leave complete and in order.

The frame for session time T holds exactly what was known by T. It is made when every entered car has told
everything up to T and every message that the cars' packets name has been seen. What lies beyond the last frame
waits in memory: it is not in the checkpoint, and its records are not acknowledged. Only of a run that has fallen
silent a whole checkpoint holds it too: its records would hold up what comes after them.
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
from f1stream.topics import BadRecord
from models import CarUpdate, Entries, Frame, Head, LapUpdate, Message, SessionEnd, SessionInfo, Track
from models.frame import FRAME_MS, Tally


class Hole(RuntimeError):
    """A record is missing between two others. Nothing may go on: re-read from the last acknowledged one."""


@dataclass(slots=True)
class Arrivals:
    """What one car has told that no frame holds yet."""

    seq: int = -1
    """Its last packet that was received."""
    received_ms: int = -1
    """Everything up to here was received."""
    ready_ms: int = -1
    """The same, as far as the messages that its packets name have been seen too."""
    runs: deque[tuple[int, int]] = field(default_factory=deque)
    """(last seq, until) of each run beyond the last frame."""
    naming: deque[tuple[int, int]] = field(default_factory=deque)
    """(messages named, until) of runs that are not ready."""
    t: list[int] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)
    drs: list[int | None] = field(default_factory=list)
    laps: deque[LapUpdate] = field(default_factory=deque)

    def take(self, update: CarUpdate) -> bool:
        """Receive a run of packets. False for one that came before; raises Hole when one is missing."""
        if update.last_seq <= self.seq:
            return False
        if update.first_seq > self.seq + 1:
            raise Hole(f"car {update.driver_number}: packet {update.first_seq} came after {self.seq}")
        first = next((i for i, t in enumerate(update.t) if t > self.received_ms), len(update.t))
        self.t += update.t[first:]
        self.x += update.x[first:]
        self.y += update.y[first:]
        self.speed += update.speed[first:]
        self.drs += update.drs[first:] if update.drs else [None] * (len(update.t) - first)
        self.laps.extend(lap for lap in update.laps if lap.emitted_ms > self.received_ms)
        self.seq, self.received_ms = update.last_seq, update.until_ms
        self.runs.append((update.last_seq, update.until_ms))
        self.naming.append((update.messages, update.until_ms))
        return True

    def promote(self, messages: int) -> int:
        """Up to when this car is complete, now that ``messages`` messages have been seen."""
        while self.naming and self.naming[0][0] <= messages:
            self.ready_ms = self.naming.popleft()[1]
        return self.ready_ms

    def forget(self, samples: int) -> None:
        """Drop the first so many samples."""
        del self.t[:samples], self.x[:samples], self.y[:samples], self.speed[:samples], self.drs[:samples]

    def leave(self, until: int, done: int) -> int:
        """Forget what frames up to ``until`` hold; the last seq that lies wholly before (``done`` so far).

        Of a car that is not raced nothing else has been forgotten yet.
        """
        self.forget(bisect_right(self.t, until))
        while self.laps and self.laps[0].emitted_ms <= until:
            self.laps.popleft()
        while self.runs and self.runs[0][1] <= until:
            done = self.runs.popleft()[0]
        return done


@dataclass(slots=True)
class Beyond:
    """What lies beyond a checkpoint's frame."""

    cars: dict[str, Arrivals]
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
    """How many tracks had been told: what stands is written first, and may hold a newer one."""
    keyframe: Frame | None
    beyond: Beyond | None = None


@dataclass(slots=True)
class Standing:
    """What stands for the whole run: it goes into a table of its own when it changes."""

    info: SessionInfo | None = None
    entries: Entries | None = None
    tracks: list[Track] = field(default_factory=list)
    """All that were told; the last one holds."""

    @property
    def track(self) -> Track | None:
        """The track that holds."""
        return self.tracks[-1] if self.tracks else None


_CHECKPOINT = TypeAdapter(Checkpoint)
_STANDING = TypeAdapter(Standing)


class SessionRace:
    """Joins one session's cars and messages, and makes its frames."""

    def __init__(self, session_key: str, epoch: int, official: bool = True) -> None:
        """A run that has not begun. ``official``: whether official times correct and count."""
        self.session_key, self.epoch = session_key, epoch
        self.standing = Standing()
        self.race: Race | None = None
        self.t: int | None = None
        """The last frame."""
        self.ended = False
        self.standing_changed = False
        """What stands for the run is not in its table yet."""
        self.tally = Tally()
        self._official = official
        self._frames: Frames | None = None
        self._line: ReferenceLine | None = None
        self._cars: dict[str, Arrivals] = {}
        self._done: dict[str, int] = {}
        self._messages: deque[tuple[int, int, Message | None]] = deque()
        """(seq, emitted_ms, message or None for one that could not be read)."""
        self._message_seq = self._applied_seq = -1
        self._aside_ms = -1
        """Up to when records are done though no frame holds them: checkpoints are whole until one is past it."""

    # -- what arrives ----------------------------------------------------------------------------------

    def admit(self, message: Message) -> None:
        """Raises BadRecord for a message about a car that does not take part."""
        number, entries = getattr(message, "driver_number", None), self.standing.entries
        if number and entries and number not in {entry.driver_number for entry in entries.entries}:
            raise BadRecord(f"car {number} is not in the session's list of entries")

    def take_message(self, seq: int, emitted_ms: int, message: Message | None) -> bool:
        """Receive a message (None: it was unreadable, and counts as seen). False for a repeated one."""
        if seq <= self._message_seq:
            return False
        if seq > self._message_seq + 1:
            raise Hole(f"session {self.session_key}: message {seq} came after {self._message_seq}")
        self._message_seq = seq
        self._messages.append((seq, emitted_ms, message))
        if isinstance(message, SessionInfo):
            self.standing.info = self.standing.info or message
        elif isinstance(message, Entries):
            self.standing.entries = self.standing.entries or message
        return True

    def take_update(self, update: CarUpdate) -> bool:
        """Receive a run of a car's packets. False for a repeated one."""
        car = self._cars.get(update.driver_number)
        if car is None:
            car = self._cars[update.driver_number] = self._arrivals(update.driver_number)
        return car.take(update)

    def _arrivals(self, number: str) -> Arrivals:
        until = -1 if self.t is None else self.t
        return Arrivals(seq=self._done.get(number, -1), received_ms=until, ready_ms=until)

    # -- what leaves -----------------------------------------------------------------------------------

    def advance(self) -> list[Head | Frame]:
        """The frames that have become complete, each new head before the frames it holds for."""
        out: list[Head | Frame] = []
        if self.race is None and not self._begin():
            return out
        assert self.race is not None and self.t is not None  # noqa: S101
        end = min(self._promoted(number) for number in self.race.cars) // FRAME_MS * FRAME_MS
        while self.t < end:
            if self._tell(self.t + FRAME_MS):
                out.append(self._head())
            out += self._stretch(min(end, self._next_standing()))
        for number, car in self._cars.items():
            self._done[number] = car.leave(self.t, self._done.get(number, -1))
        return out

    def _promoted(self, number: str) -> int:
        if number not in self._cars:
            self._cars[number] = self._arrivals(number)
        return self._cars[number].promote(self._message_seq + 1)

    def _begin(self) -> bool:
        """Start once it is known when the run starts and who takes part."""
        if self.standing.info is None or self.standing.entries is None:
            return False
        self.t = -(-self.standing.info.start_ms // FRAME_MS) * FRAME_MS - FRAME_MS
        self.race = Race.of(self.standing.entries.entries, self._official)
        self._frames = Frames(self.race)
        return True

    def _tell(self, t: int) -> bool:
        """Apply the messages known by ``t``. True when the head is another one now."""
        assert self.race is not None  # noqa: S101
        standing = self._applied_seq < 0
        self.standing_changed |= standing
        while self._messages and self._messages[0][1] <= t:
            self._applied_seq, _, message = self._messages.popleft()
            self._count(messages=message is not None)
            if isinstance(message, Track):
                self.standing.tracks.append(message)
                standing = self.standing_changed = True
                self._lay(message)
            elif isinstance(message, SessionEnd):
                self.ended = True
            elif message is not None:
                self.race.tell(message)
        return standing

    def _lay(self, track: Track) -> None:
        assert self.race is not None  # noqa: S101
        self._line = ReferenceLine(track.outline)
        self.race.lay_line(Places(self._line.length_m))

    def _next_standing(self) -> int:
        """The last frame before the track changes: positions up to there lie on the present one."""
        changes = (emitted for _, emitted, message in self._messages if isinstance(message, Track))
        return next(((at - 1) // FRAME_MS * FRAME_MS for at in changes), 1 << 62)

    def _head(self) -> Head:
        assert self.standing.info is not None and self.standing.entries is not None and self.t is not None  # noqa: S101
        track = self.standing.track
        return Head(
            session_key=self.session_key,
            epoch=self.epoch,
            t=self.t + FRAME_MS,
            info=self.standing.info,
            cars=self.standing.entries.entries,
            outline=track and [(round(x), round(y)) for x, y in track.outline],
            corners=track.corners if track else (),
            rotation=track.rotation if track else None,
            marshal_sectors=track.marshal_sectors if track else (),
        )

    def _stretch(self, end: int) -> list[Head | Frame]:
        """The frames up to ``end``. The messages of the first one have been told."""
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
            self._tell(self.t)
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
            car.forget(n)
        return frames

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self.tally, name) + n for name, n in more.items()}
        self.tally = self.tally.model_copy(update=counted)

    def _project(self, waiting: list[tuple[Arrivals, int]]) -> list[list[float]]:
        """Metres along the line of each car's first n waiting samples; all cars at once, that is the fast way."""
        if self._line is None:
            return [[0.0] * n for _, n in waiting]
        x = np.array(list(chain.from_iterable(car.x[:n] for car, n in waiting)), dtype=np.float64)
        y = np.array(list(chain.from_iterable(car.y[:n] for car, n in waiting)), dtype=np.float64)
        along = self._line.project(x, y).tolist() if len(x) else []
        ends = np.cumsum([0, *(n for _, n in waiting)]).tolist()
        return [along[begin:end] for begin, end in pairwise(ends)]

    # -- what is kept ----------------------------------------------------------------------------------

    def put_aside(self, most: int) -> bool:
        """From now on checkpoints hold what lies beyond their frame too, until one is past all that is there now.

        False when there is nothing to hold, or more than ``most`` bytes.
        """
        before, self._aside_ms = self._aside_ms, self._told_ms
        kept = self.checkpoint()
        if kept is None or len(kept) > most:
            self._aside_ms = before
            return False
        self.standing_changed = True  # before the first frame it is in no table
        return True

    @property
    def progress(self) -> int:
        """Grows with each checkpoint of a run that holds more."""
        return (1 + self._frame_ms) << 32 | (1 + self._told_ms if self._is_whole else 0)

    def checkpoint(self) -> bytes | None:
        """The session as of the last frame, as a table's value; None before the first, unless it was put aside."""
        begun = self._frame_ms >= 0
        if not (begun or self._is_whole):
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
                tracks=len(self.standing.tracks),
                keyframe=self._frames.keyframe if begun and self._frames else None,
                beyond=Beyond(self._cars, self._messages, self._message_seq) if self._is_whole else None,
            )
        )

    @property
    def _frame_ms(self) -> int:
        """The last frame that was made; -1 before the first."""
        made = self.t is not None and self._frames is not None and self._frames.keyframe is not None
        return self.t if made and self.t is not None else -1

    @property
    def _told_ms(self) -> int:
        """Up to when anything was told that no frame holds; -1 when nothing was."""
        cars = (car.runs[-1][1] for car in self._cars.values() if car.runs)
        return max(chain(cars, (emitted_ms for _, emitted_ms, _ in self._messages)), default=-1)

    @property
    def _is_whole(self) -> bool:
        return self._aside_ms > self._frame_ms

    def dump_standing(self) -> bytes:
        """What stands for the whole run, as a table's value."""
        return _STANDING.dump_json(self.standing)

    @classmethod
    def restore(cls, session_key: str, checkpoint: bytes, standing: bytes, official: bool = True) -> SessionRace:
        """The session as it was at a checkpoint."""
        kept = _CHECKPOINT.validate_json(checkpoint)
        self = cls(session_key, kept.epoch, official)
        self.standing = _STANDING.validate_json(standing)
        del self.standing.tracks[kept.tracks :]
        self.t, self.race, self.tally, self.ended = kept.t, kept.race, kept.tally, kept.ended
        self._message_seq = self._applied_seq = kept.message_seq
        self._done = kept.packet_seq
        if kept.beyond is not None:
            self._cars, self._messages = kept.beyond.cars, kept.beyond.messages
            self._message_seq, self._aside_ms = kept.beyond.message_seq, self._told_ms
        if self.race is not None:
            self._frames = Frames(self.race, kept.keyframe)
        if self.standing.track is not None:
            self._line = ReferenceLine(self.standing.track.outline)
        return self
