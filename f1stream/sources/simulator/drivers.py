"""Invented teams and drivers, and the pace of each on each compound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import Entry

_TEAMS = (
    ("Boreas Racing", "4FA3FF"), ("Scuderia Falena", "E4413B"), ("Kestrel Works", "FF9A1F"),
    ("Nimbus GP", "2BC4B4"), ("Obsidian Motorsport", "B18CFF"), ("Aurelia", "F2D13C"),
    ("Tarn Engineering", "4DBF5B"), ("Vesper F1 Team", "FF7FB0"), ("Marlin Grand Prix", "8FD3F4"),
    ("Ironwood", "C08A5A"), ("Solace Racing", "C9D1D9"), ("Palisade", "A6E22E"),
    ("Quartz Autosport", "D65DB1"), ("Heron & Vale", "6E8BFF"), ("Cinder Racing", "FF6B4A"),
    ("Lumen GP", "FFE9A8"), ("Driftwood", "7FB77E"), ("Onda Motorsport", "00A6D6"),
    ("Basalt", "9AA5B1"), ("Wren Racing", "E0A3FF"),
)  # fmt: skip

_DRIVERS = (
    ("Ilan Abendro", 7), ("Mirko Belsanti", 15), ("Teodor Cask", 21), ("Jun Dorevale", 33), ("Oskar Eklind", 8),
    ("Rafa Fontello", 52), ("Noel Gravenor", 9), ("Idris Hollomay", 71), ("Pavel Istrak", 36),
    ("Kofi Jessamy", 64), ("Lars Kvernest", 12), ("Dario Lumezza", 28), ("Amar Mondrel", 90),
    ("Felix Nauwen", 46), ("Sami Orrelund", 17), ("Tomas Pradaval", 83), ("Hugo Quillan", 40),
    ("Ren Rokuhara", 56), ("Emil Svartal", 3), ("Bram Tessendorp", 95), ("Ciro Ulvari", 61),
    ("Niko Vantholm", 24), ("Ewan Wickmoor", 79), ("Ari Xandrel", 48), ("Milo Yarrowby", 13),
    ("Jonas Zelmark", 38), ("Luca Brindavo", 66), ("Sven Drakholt", 29), ("Omar Fenwari", 73),
    ("Ravi Ghoshane", 19), ("Theo Marchetal", 51), ("Kenji Otsumori", 84), ("Alec Penhallam", 32),
    ("Marco Silvarro", 68), ("Dane Thorsby", 42), ("Yuri Volkanin", 76), ("Enzo Carlanti", 35),
    ("Max Hexley", 58), ("Owen Larkmere", 92), ("Paolo Rindalto", 49),
)  # fmt: skip

COMPOUNDS = ("SOFT", "MEDIUM", "HARD")
_COMPOUND_LOSS = {"SOFT": 0.0, "MEDIUM": 0.0045, "HARD": 0.0085}
_WEAR_PER_LAP = {"SOFT": 0.0011, "MEDIUM": 0.0006, "HARD": 0.00035}
_FUEL_LOSS_PER_LAP = 0.03 / 57
"""A full tank costs three per cent of the lap time and burns off over a full distance."""
_LAP_NOISE = 0.0014
_TEAM_SPREAD = 0.017
_BACKMARKER_LOSS = 0.017
"""All losses are shares of the reference lap time; the slowest team has the last one on top."""


@dataclass(frozen=True)
class SimulatedDriver:
    """One car and its driver. Losses are shares of the reference car's lap time."""

    entry: Entry
    loss: float
    """Loss to the reference car on new softs with an empty tank."""
    reaction_s: float
    launch: float
    """Share of the greatest acceleration that the driver reaches at the start."""
    box: int
    """Index of the team's pit box, 0 nearest the entry."""

    @property
    def number(self) -> str:
        """The driver number."""
        return self.entry.driver_number

    @property
    def label(self) -> str:
        """The car's name in race control messages."""
        return f"CAR {self.number} ({self.entry.tla})"


def grid(rng: np.random.Generator, cars: int) -> list[SimulatedDriver]:
    """Draw the drivers in grid order; with two cars or more the last one starts from the pit lane."""
    teams = (cars + 1) // 2
    pace = rng.permutation(teams) / max(teams - 1, 1)
    qualified = []
    for index, (name, number) in enumerate(_DRIVERS[:cars]):
        team, color = _TEAMS[index // 2]
        strength = pace[index // 2]
        loss = _TEAM_SPREAD * strength + (_BACKMARKER_LOSS if teams > 2 and strength == 1 else 0.0)
        loss += abs(rng.normal(0.0, 0.0018))
        entry = Entry(
            driver_number=str(number), tla=name.split()[-1][:3].upper(), name=name, team=team,
            team_color=color, grid_position=None,
        )  # fmt: skip
        driver = SimulatedDriver(entry, loss, rng.uniform(0.2, 0.42), rng.uniform(0.9, 1.0), index // 2)
        qualified.append((loss + rng.normal(0.0, 0.003), driver))
    qualified.sort(key=lambda pair: pair[0])
    return [
        SimulatedDriver(
            driver.entry.model_copy(
                update={"grid_position": place, "pit_lane_start": cars > 1 and place == cars}
            ),
            driver.loss, driver.reaction_s, driver.launch, driver.box,
        )
        for place, (_, driver) in enumerate(qualified, 1)
    ]  # fmt: skip


def pace(driver: SimulatedDriver, compound: str, age: int, laps_to_go: int, rng: np.random.Generator) -> float:
    """Draw a car's pace on one lap as a share of the reference car's: tyres of ``age`` laps, fuel for the rest."""
    loss = driver.loss + _COMPOUND_LOSS[compound] + _WEAR_PER_LAP[compound] * age
    loss += _FUEL_LOSS_PER_LAP * laps_to_go + rng.normal(0.0, _LAP_NOISE)
    return float(1.0 / (1.0 + loss))
