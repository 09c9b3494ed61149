"""Event-time join of a session: buffers updates of cars and messages, and knows up to when they are complete."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from f1stream.race.stages.roster import Roster
from f1stream.topics import BadRecord, RunDamaged, SequenceGap
from models import CarUpdate, Entries, Entry, LapUpdate, Message, Track
from models.bounds import MOST_CARS
from models.frame import FRAME_MS

MAX_TRACKS = 20
"""Most tracks in a run; further ones are refused. Preparing a reference line takes time, and the header has all."""
MAX_BUFFERED_SAMPLES = 4_000_000
"""Most buffered samples of all cars, three times those of a Grand Prix. With more, the run is damaged."""
MAX_BUFFERED_MESSAGES = 100_000
"""Most buffered messages, some ten times those of a Grand Prix. With more, the run is damaged."""


@dataclass(slots=True)
class CarBuffer:
    """Updates of one car that no frame includes yet. Session times in ms."""

    seq: int = -1
    """The last received packet."""
    received_ms: int = -1
    """Everything up to here was received."""
    ready_ms: int = -1
    """Everything up to here was received, including the messages that the packets name."""
    runs: deque[tuple[int, int]] = field(default_factory=deque)
    """(last seq, until) of each run of packets that reaches beyond the last frame."""
    naming: deque[tuple[int, int]] = field(default_factory=deque)
    """(messages named, until) of each run of packets that is not ready."""
    t: list[int] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    speed: list[float] = field(default_factory=list)
    drs: list[int | None] = field(default_factory=list)
    laps: deque[LapUpdate] = field(default_factory=deque)

    def take(self, update: CarUpdate) -> bool:
        """Receive a run of packets. False for a duplicate.

        Raises SequenceGap if a packet is missing, and RunDamaged if it is the run's first.
        """
        if update.last_seq <= self.seq:
            return False
        if update.first_seq > self.seq + 1:
            if self.seq < 0:
                raise RunDamaged(f"car {update.driver_number}: its first packet is {update.first_seq}, not 0")
            raise SequenceGap(f"car {update.driver_number}: packet {update.first_seq} came after {self.seq}")
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
        """Update ``ready_ms`` after ``messages`` messages were received; returns it."""
        while self.naming and self.naming[0][0] <= messages:
            self.ready_ms = self.naming.popleft()[1]
        return self.ready_ms

    def drop(self, samples: int) -> None:
        """Drop the first ``samples`` samples."""
        del self.t[:samples], self.x[:samples], self.y[:samples], self.speed[:samples], self.drs[:samples]

    def leave(self, until: int, done: int) -> int:
        """Drop everything up to frame ``until``; returns the last packet that lies wholly before it, or ``done``.

        The samples of a car in the race were dropped before; those of other cars were not.
        """
        self.drop(bisect_right(self.t, until))
        while self.laps and self.laps[0].emitted_ms <= until:
            self.laps.popleft()
        while self.runs and self.runs[0][1] <= until:
            done = self.runs.popleft()[0]
        return done


@dataclass(slots=True)
class SessionJoin:
    """Buffers the cars' updates and the messages of one run. Session times in ms."""

    frame_ms: int = -1
    """The last frame. Input beyond it is pending."""
    cars: dict[str, CarBuffer] = field(default_factory=dict)
    done_seq: dict[str, int] = field(default_factory=dict)
    """By car, the last packet that lies wholly at or before the last frame."""
    messages: deque[tuple[int, int, Message | None]] = field(default_factory=deque)
    """(seq, emitted_ms, message or None for an unreadable one)."""
    message_seq: int = -1
    """The last received message."""
    tracks: int = 0
    """Received, applied or not."""
    roster: Roster = field(default_factory=Roster)

    def admit(self, message: Message) -> None:
        """Raises BadRecord for a message about a car that is not entered, and for one track or list too many."""
        if isinstance(message, Track):
            if self.tracks >= MAX_TRACKS:
                raise BadRecord(f"the run has {MAX_TRACKS} tracks already")
            return
        if isinstance(message, Entries):
            self.roster.admit(message)
            return
        number = getattr(message, "driver_number", None)
        if number and self.roster.entered and number not in self.roster.entered:
            raise BadRecord(f"car {number} is not in the session's list of entries")

    def take_message(self, seq: int, emitted_ms: int, message: Message | None) -> bool:
        """Receive a message (None: an unreadable one, which counts as seen). False for a duplicate.

        Raises SequenceGap if one is missing, and RunDamaged if it is the run's first or too many are buffered.
        """
        if seq <= self.message_seq:
            return False
        if seq > self.message_seq + 1:
            if self.message_seq < 0:
                raise RunDamaged(f"its first message is number {seq}, not 0")
            raise SequenceGap(f"message {seq} came after {self.message_seq}")
        if len(self.messages) >= MAX_BUFFERED_MESSAGES:
            raise RunDamaged(f"{len(self.messages)} messages wait for a car that does not come")
        self.message_seq = seq
        self.messages.append((seq, emitted_ms, message))
        self._note(emitted_ms, message)
        return True

    def _note(self, emitted_ms: int, message: Message | None) -> None:
        if isinstance(message, Track):
            self.tracks += 1
        elif isinstance(message, Entries):
            self.roster.take(emitted_ms, message)

    def take_update(self, update: CarUpdate) -> bool:
        """Receive a run of a car's packets. False for a duplicate, and for a car that does not take part.

        Raises SequenceGap, and RunDamaged.
        """
        number = update.driver_number
        is_ahead = update.messages > self.message_seq + 1  # of a message that may enter the car
        if not self._takes_part(number, is_ahead=is_ahead):
            return False
        taken = self._buffer(number).take(update)
        if len(update.t) + sum(len(car.t) for car in self.cars.values()) > MAX_BUFFERED_SAMPLES:
            raise RunDamaged(
                f"more than {MAX_BUFFERED_SAMPLES} samples wait for a car or a message that does not come"
            )
        return taken

    def _takes_part(self, number: str, *, is_ahead: bool = False) -> bool:
        """Whether a car is entered. While a pending message may enter it, up to ``MOST_CARS`` cars are accepted."""
        if not self.roster.is_known or is_ahead:
            return number in self.cars or len(self.cars) < MOST_CARS
        return number in self.roster.entered

    def _buffer(self, number: str) -> CarBuffer:
        if number not in self.cars:
            seq = self.done_seq.get(number, -1)
            self.cars[number] = CarBuffer(seq=seq, received_ms=self.frame_ms, ready_ms=self.frame_ms)
        return self.cars[number]

    def begin(self, frame_ms: int) -> None:
        """Set the frame before the first, and drop cars that are not entered."""
        self.frame_ms = frame_ms
        self.cars = {number: car for number, car in self.cars.items() if self._takes_part(number)}

    def complete_ms(self, numbers: Iterable[str]) -> int:
        """The last frame for which nothing is missing, given the cars of the race."""
        return self.roster.complete(min(map(self._ready, numbers)), self._ready)

    def _ready(self, number: str) -> int:
        return self._buffer(number).promote(self.message_seq + 1)

    def next_change_ms(self) -> int:
        """The last frame before a buffered message changes the track or the list of cars."""
        at = 0
        for _, emitted_ms, message in self.messages:
            at = max(at, emitted_ms)  # a message with an earlier time waits for those before it
            if isinstance(message, Track | Entries):
                return (at - 1) // FRAME_MS * FRAME_MS
        return 1 << 62

    def messages_until(self, t: int) -> Iterator[tuple[int, Message | None]]:
        """Remove the messages that are known by ``t``; each with its seq."""
        while self.messages and self.messages[0][1] <= t:
            seq, _, message = self.messages.popleft()
            yield seq, message

    def enter(self, late: list[Entry], t: int) -> None:
        """Cars join the race in frame ``t``. The parts of their packets that lie before it are dropped."""
        self.roster.apply(late)
        for entry in late:
            self._leave(entry.driver_number, t - FRAME_MS)

    def leave(self, frame_ms: int) -> None:
        """Drop everything up to ``frame_ms``, which is the last frame now."""
        self.frame_ms = frame_ms
        for number in self.cars:
            self._leave(number, frame_ms)

    def _leave(self, number: str, until: int) -> None:
        self.done_seq[number] = self.cars[number].leave(until, self.done_seq.get(number, -1))

    @property
    def pending_ms(self) -> int:
        """Session time of the last pending record; -1 if there is none."""
        cars = (car.runs[-1][1] for car in self.cars.values() if car.runs)
        return max(chain(cars, (emitted_ms for _, emitted_ms, _ in self.messages)), default=-1)

    @property
    def received(self) -> int:
        """The number of received messages and packets. Never decreases."""
        return 1 + self.message_seq + sum(1 + car.seq for car in self.cars.values())

    def restore_pending(
        self, cars: dict[str, CarBuffer], messages: deque[tuple[int, int, Message | None]], message_seq: int
    ) -> None:
        """Add the pending input of a checkpoint."""
        self.cars, self.messages, self.message_seq = cars, messages, message_seq
        for _, emitted_ms, message in messages:
            self._note(emitted_ms, message)
