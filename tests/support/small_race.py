"""A race made of a few messages of the feed, through the parser and the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from f1stream.race.car_facts import apply_lap
from f1stream.race.frames import FrameBuilder
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.stages.driver_join import lap_update
from f1stream.race.state import Race
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.session import Session
from models import CarState, Entries, Lap

T0_MS = 1_760_000_000_000
START_S = 60.0


@dataclass
class SmallRace:
    """Times are in seconds since the first message; the race starts at ``START_S``."""

    numbers: tuple[str, ...] = ("4", "81")
    """In grid order."""
    messages: list[FeedMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Who takes part."""
        info = {"Key": 1, "Type": "Race", "Name": "Race", "Meeting": {"Name": "X"}, "GmtOffset": "00:00:00"}
        self.say(0, "SessionInfo", info)
        self.say(0, "DriverList", {n: {"Tla": f"T{n}", "Line": place} for place, n in enumerate(self.numbers, 1)})
        grid = {n: {"GridPos": str(place)} for place, n in enumerate(self.numbers, 1)}
        self.say(1, "TimingAppData", {"Lines": grid})

    def say(self, at_s: float, topic: str, data: dict[str, Any], *, snapshot: bool = False) -> None:
        """One message."""
        self.messages.append(FeedMessage(topic, data, T0_MS + round(at_s * 1_000), snapshot))

    def status(self, at_s: float, status: str) -> None:
        """``SessionStatus``."""
        self.say(at_s, "SessionStatus", {"Status": status})

    def lines(self, at_s: float, *numbers: str, **change: Any) -> None:
        """The same change of the lines of several cars in ``TimingData``."""
        self.say(at_s, "TimingData", {"Lines": dict.fromkeys(numbers or self.numbers, change)})

    def start(self) -> None:
        """All are on the grid, in the order of the grid; lights out."""
        for place, number in enumerate(self.numbers, 1):
            self.lines(2, number, InPit=False, Position=str(place))
        self.status(START_S, "Started")

    def mini(self, at_s: float, number: str, mini: int, code: int = 2048) -> None:
        """A mini-sector of the first sector, counted from 0."""
        self.lines(at_s, number, Sectors={"0": {"Segments": {str(mini): {"Status": code}}}})

    def cleared(self, at_s: float, number: str) -> None:
        """The colours of the lap before are cleared."""
        self.lines(at_s, number, Sectors={"0": {"Segments": {str(mini): {"Status": 0} for mini in range(9)}}})

    def lap(self, at_s: float, number: str, lap: int, time: str | None = None, **change: Any) -> None:
        """A car ends a lap."""
        last = {} if time is None else {"LastLapTime": {"Value": time}}
        self.lines(at_s, number, NumberOfLaps=lap, **last, **change)

    def goes_on(self, until_s: float) -> None:
        """Keep the feed alive until then."""
        self.say(until_s, "Heartbeat", {})

    def session(self) -> Session:
        """As a recording."""
        return as_session(sorted(self.messages, key=lambda message: message.sent_ms), "small")[0]

    def at(self, at_s: float | None = None) -> Shown:
        """The race as shown at that whole second; None: at the end."""
        session = self.session()
        (entries,) = (message for message in session.messages if isinstance(message, Entries))
        race = Race.of(entries.entries)
        facts = [(message.session_time_ms, message) for message in session.messages]
        facts += session.laps_as_known()
        facts.sort(key=lambda known: known[0])
        end_ms = session.end_ms if at_s is None else round(at_s * 1_000)
        for now in range(0, end_ms + 1_000, 1_000):
            while facts and facts[0][0] <= now:
                fact = facts.pop(0)[1]
                if isinstance(fact, Lap):
                    apply_lap(race, race.cars[fact.driver_number], lap_update(fact, now))
                else:
                    apply_message(race, fact)
            apply_time(race, now)
        return Shown(race, dict(FrameBuilder(race).frame(now).cars))


@dataclass
class Shown:
    """The race as viewers see it."""

    race: Race
    cars: dict[str, CarState]

    @property
    def order(self) -> list[str]:
        """First to last."""
        return sorted(self.cars, key=lambda number: self.cars[number].position)

    @property
    def status(self) -> dict[str, str]:
        """By car."""
        return {number: car.status for number, car in self.cars.items()}
