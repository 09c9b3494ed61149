"""The options of ``sim:``."""

from __future__ import annotations

from dataclasses import dataclass

from f1stream.sources.session import SourceError

_BOUNDS = {"cars": (1, 40), "laps": (1, 200), "seed": (0, 2**31 - 1), "sessions": (1, 100)}


@dataclass(frozen=True)
class SimOptions:
    """Number of cars, laps and sessions, and the seed of the first session. Raises SourceError out of bounds."""

    cars: int = 22
    laps: int = 57
    seed: int = 1
    sessions: int = 1

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise SourceError(f"The simulator's option {name} must be from {least} to {most}, not {value}.")

    @classmethod
    def parse(cls, text: str) -> SimOptions:
        """Parse ``cars=22,laps=5,seed=3,sessions=5``; omitted options have their defaults. Raises SourceError."""
        given: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in _BOUNDS:
                raise SourceError(f"The simulator has no option {part!r}; it has {', '.join(_BOUNDS)}.")
            if name in given:
                raise SourceError(f"The simulator's option {name} is given twice.")
            try:
                given[name] = int(value)
            except ValueError:
                raise SourceError(f"The simulator's option {name} must be a whole number, not {value!r}.") from None
        return cls(**given)

    def source(self, seed: int) -> str:
        """The source name of one session with these options."""
        return f"sim:cars={self.cars},laps={self.laps},seed={seed}"
