"""Joins one driver's packets and laps in the order in which they were published."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter

from f1stream.race.stages.checkpoint import DAMAGED, MAX_BYTES
from f1stream.topics import RunDamaged, SequenceGap
from models import CarUpdate, Lap, LapUpdate, Packet
from models.packet import OPEN_DRS

T = TypeVar("T")


MAX_PENDING = 200
"""Most pending records in the checkpoint of a silent run. With more, they stay unacknowledged."""
MAX_WAITING = 100_000
"""Most pending records of one car: a day of packets of one second. With more, the run is damaged."""
UPDATE_SAMPLES = 3_000
"""Most samples in one update, some 250 kB; further ones go into the next."""
UPDATE_LAPS = 1_000
"""Most laps that a packet may name after the previous packet; with more, the run is damaged. A live client that
joins late sends the laps of a whole race at once."""


@dataclass(slots=True)
class _Pending(Generic[T]):
    seq: int
    emitted_ms: int
    names_laps: int
    names_messages: int
    record: T | None
    """None for a duplicate or unreadable one."""
    repeated: bool
    token: Any
    """Of the caller; None once the record is stored and may be acknowledged."""


@dataclass(slots=True)
class DriverCheckpoint:
    """How far a driver's packets and laps are joined and published: the state that survives a restart."""

    run_id: Annotated[int, Field(alias="epoch")] = -1
    packet_seq: int = -1
    lap_seq: int = -1
    packets: list[_Pending[Packet]] = field(default_factory=list)
    """Pending records, only of a silent run."""
    laps: list[_Pending[Lap]] = field(default_factory=list)
    damaged: str | None = None
    """Why the run cannot be continued; None for a run that can."""


CHECKPOINT = TypeAdapter(DriverCheckpoint)


@dataclass(slots=True)
class DriverJoin:
    """Joins the packets and laps of one car of one session.

    A packet is pending until the laps it names are received, a lap until the packet that names it. Every record comes
    with a token; ``join`` returns the tokens of the records that are done. Pending records of a silent run are stored
    too (``checkpoint_pending``).
    """

    number: str
    checkpoint: DriverCheckpoint = field(default_factory=DriverCheckpoint)
    _packet_seq: int = -1
    _lap_seq: int = -1
    _packets: deque[_Pending[Packet]] = field(default_factory=deque)
    _laps: deque[_Pending[Lap]] = field(default_factory=deque)
    _done: list[Any] = field(default_factory=list)

    def dump(self) -> bytes:
        """The checkpoint, as a table's value."""
        if not self._holds_pending:
            return CHECKPOINT.dump_json(self.checkpoint, by_alias=True, exclude_defaults=True)
        packets = [replace(packet, token=None) for packet in self._packets if not packet.repeated]
        laps = [replace(lap, token=None) for lap in self._laps if not lap.repeated]
        return CHECKPOINT.dump_json(replace(self.checkpoint, packets=packets, laps=laps), by_alias=True)

    @property
    def progress(self) -> int:
        """Version of ``dump`` within its run: grows with the joined records, then with the pending ones."""
        if self.checkpoint.damaged is not None:
            return DAMAGED
        done = 2 + self.checkpoint.packet_seq + self.checkpoint.lap_seq
        held = 2 + self._packet_seq + self._lap_seq if self._holds_pending else 0
        return done << 32 | held

    @property
    def _holds_pending(self) -> bool:
        """Whether pending records are stored and acknowledged; the oldest ones are stored first."""
        return any(pending[0].token is None for pending in (self._packets, self._laps) if pending)

    @classmethod
    def restore(cls, number: str, value: bytes | None) -> DriverJoin:
        """From a table's value; None for a driver without records."""
        checkpoint = DriverCheckpoint() if value is None else CHECKPOINT.validate_json(value)
        packets, laps = deque(checkpoint.packets), deque(checkpoint.laps)
        checkpoint.packets, checkpoint.laps = [], []
        packet_seq = packets[-1].seq if packets else checkpoint.packet_seq
        lap_seq = laps[-1].seq if laps else checkpoint.lap_seq
        return cls(number, checkpoint, packet_seq, lap_seq, packets, laps)

    def checkpoint_pending(self) -> list[Any]:
        """Include pending records in ``dump``; returns their tokens, which are done once the dump is stored.

        Returns nothing and includes nothing if there are none, or too many for a table's value.
        """
        pending: list[_Pending[Any]] = [*self._packets, *self._laps]
        tokens = [each.token for each in pending]
        if not self.has_unacknowledged or len(pending) > MAX_PENDING:
            return []
        for each in pending:
            each.token = None
        if len(self.dump()) > MAX_BYTES:
            for each, token in zip(pending, tokens, strict=True):
                each.token = token
            return []
        return [token for token in tokens if token is not None]

    @property
    def has_unacknowledged(self) -> bool:
        """Whether there are pending records that are not stored."""
        pending: list[_Pending[Any]] = [*self._packets, *self._laps]
        return any(each.token is not None for each in pending)

    @property
    def waiting(self) -> int:
        """The number of pending records."""
        return len(self._packets) + len(self._laps)

    def damage(self, reason: str) -> None:
        """Give the run up: its pending records are done, and further ones are ignored."""
        pending: list[_Pending[Any]] = [*self._packets, *self._laps]
        self._done += [each.token for each in pending]
        self._packets.clear()
        self._laps.clear()
        self.checkpoint = DriverCheckpoint(self.checkpoint.run_id, damaged=reason)

    def begins(self, run_id: int, token: Any) -> bool:
        """Whether to process a record of run ``run_id``. A newer run supersedes the current one.

        A record of an older or damaged run is not processed and done.
        """
        current = self.checkpoint
        if run_id < current.run_id or (run_id == current.run_id and current.damaged is not None):
            self._done.append(token)
            return False
        if run_id > current.run_id:
            self._done += [packet.token for packet in self._packets]
            self._done += [lap.token for lap in self._laps]
            self._packets.clear()
            self._laps.clear()
            self.checkpoint = DriverCheckpoint(run_id)
            self._packet_seq = self._lap_seq = -1
        return True

    def take_packet(
        self, seq: int, emitted_ms: int, laps: int, messages: int, packet: Packet | None, token: Any
    ) -> None:
        """Receive a packet (None: unreadable; its car was then silent) of the present run.

        Raises SequenceGap when one is missing, and RunDamaged when it is the run's first or too many wait.
        """
        repeated = seq <= self._packet_seq
        if seq <= self.checkpoint.packet_seq:
            self._done.append(token)
            return
        self._check_sequence("packet", seq, self._packet_seq)
        if self._packets and emitted_ms < self._packets[-1].emitted_ms and not repeated:
            raise RunDamaged(f"car {self.number}: packet {seq} became known before the one before it")
        self._packet_seq = max(seq, self._packet_seq)
        self._packets.append(_Pending(seq, emitted_ms, laps, messages, packet, repeated, token))

    def take_lap(self, seq: int, emitted_ms: int, lap: Lap | None, token: Any) -> None:
        """Receive a lap (None: unreadable) of the present run. Raises as ``take_packet`` does."""
        repeated = seq <= self._lap_seq
        if seq <= self.checkpoint.lap_seq:
            self._done.append(token)
            return
        self._check_sequence("lap record", seq, self._lap_seq)
        self._lap_seq = max(seq, self._lap_seq)
        self._laps.append(_Pending(seq, emitted_ms, 0, 0, lap, repeated, token))

    def _check_sequence(self, what: str, seq: int, last: int) -> None:
        if seq > last + 1:
            if last < 0:
                raise RunDamaged(f"car {self.number}: its first {what} is {seq}, not 0")
            raise SequenceGap(f"car {self.number}: {what} {seq} came after {last}")
        if self.waiting >= MAX_WAITING:
            raise RunDamaged(f"car {self.number}: {self.waiting} records wait for laps that do not come")

    def join(self) -> tuple[CarUpdate | None, list[Any]]:
        """The packets whose laps are received, as one update, and the tokens of all records that are done.

        An update has at most ``UPDATE_SAMPLES`` samples; call again until it is None. Raises RunDamaged.
        """
        done = self._done
        run: list[_Pending[Packet]] = []
        laps: list[LapUpdate] = []
        samples = 0
        while self._packets and self._packets[0].names_laps <= self._lap_seq + 1:
            own = 0 if self._packets[0].record is None else len(self._packets[0].record.session_time_ms)
            named = self._packets[0].names_laps - self.checkpoint.lap_seq - 1
            if run and (samples + own > UPDATE_SAMPLES or len(laps) + named > UPDATE_LAPS):
                break
            if named > UPDATE_LAPS:
                raise RunDamaged(f"car {self.number}: a packet names {named} laps at once, more than {UPDATE_LAPS}")
            samples += own
            packet = self._packets.popleft()
            done.append(packet.token)
            if packet.repeated:
                continue
            run.append(packet)
            while self._laps and self._laps[0].seq < packet.names_laps:
                lap = self._laps.popleft()
                done.append(lap.token)
                if not lap.repeated:
                    self.checkpoint.lap_seq = lap.seq
                    if lap.record is not None:
                        laps.append(lap_update(lap.record, lap.emitted_ms))
        self._done = []
        done = [token for token in done if token is not None]
        if not run:
            return None, done
        self.checkpoint.packet_seq = run[-1].seq
        update = CarUpdate.model_construct(
            epoch=self.checkpoint.run_id,
            driver_number=self.number,
            first_seq=run[0].seq,
            last_seq=run[-1].seq,
            until_ms=run[-1].emitted_ms,
            messages=run[-1].names_messages,
            t=[], x=[], y=[], speed=[], drs=[],
            laps=laps,
        )  # fmt: skip
        since = -1
        for packet in run:
            if packet.record is not None:
                _append(update, packet.record, since, packet.emitted_ms)
            since = packet.emitted_ms
        if not any(drs is not None for drs in update.drs):
            update.drs.clear()
        return update, done


def _append(update: CarUpdate, packet: Packet, since: int, until: int) -> None:
    """Add a packet's samples after the previous packet and up to its end; independent of how packets are grouped."""
    own = slice(bisect_right(packet.session_time_ms, since), bisect_right(packet.session_time_ms, until))
    update.t.extend(packet.session_time_ms[own])
    update.x.extend(packet.x[own])
    update.y.extend(packet.y[own])
    update.speed.extend(packet.speed[own])
    if packet.drs is None:
        update.drs.extend([None] * (len(update.t) - len(update.drs)))
    else:
        update.drs.extend(None if code is None else int(code in OPEN_DRS) for code in packet.drs[own])


def lap_update(lap: Lap, emitted_ms: int) -> LapUpdate:
    """The fields of a lap that the race uses."""
    return LapUpdate(
        emitted_ms=emitted_ms,
        lap_number=lap.lap_number,
        end_ms=lap.end_ms,
        lap_time_ms=lap.lap_time_ms,
        compound=lap.compound,
        tyre_life=lap.tyre_life,
        speed_st=lap.speed_st,
        deleted=bool(lap.deleted),
        official=not lap.generated,
        in_or_out_lap=lap.pit_in_ms is not None or lap.pit_out_ms is not None,
    )
