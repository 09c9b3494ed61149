"""``sim:``: a generated race with the exact truth about it, for tests, benchmarks and the demo without a network.

In the order of the data: ``drivers`` and ``plan`` (drawn from the seed), ``simulation`` with ``race_director``,
``pit_lane`` and ``traffic`` on one ``state`` (the motion), ``trace`` (its result), ``truth``, ``records`` (laps and
messages) and ``telemetry`` (samples).
"""

from __future__ import annotations

import numpy as np

from f1stream.sources.session import Session
from f1stream.sources.simulator.circuit import circuit
from f1stream.sources.simulator.drivers import grid
from f1stream.sources.simulator.feed import SimulatedFeed
from f1stream.sources.simulator.options import SimOptions
from f1stream.sources.simulator.plan import plan_race
from f1stream.sources.simulator.records import INFO_BEFORE_START_MS, laps_of, messages_of
from f1stream.sources.simulator.simulation import RaceSimulation
from f1stream.sources.simulator.telemetry import telemetry_of
from f1stream.sources.simulator.truth import Period, RetirementTruth, StopTruth, Truth, truth_of

__all__ = ["Period", "RetirementTruth", "SimOptions", "StopTruth", "Truth", "simulate"]

START_MS = 3_600_000
"""Session time of lights out, ms."""
T0_UTC_MS = 1_772_366_400_000
"""Default for session time 0, Unix ms: 2026-03-01 12:00 UTC."""


def simulate(seed: int, cars: int = 22, laps: int = 57, t0_utc_ms: int | None = None) -> Session:
    """Simulate one race; equal arguments give equal sessions. Raises SourceError for numbers out of bounds."""
    options = SimOptions(cars=cars, laps=laps, seed=seed)
    session_key = f"sim-{seed}"
    t0 = T0_UTC_MS if t0_utc_ms is None else t0_utc_ms
    # Each part has its own random stream, so that a change in one part does not change the others.
    field_rng, plan_rng, race_rng, sample_rng, weather_rng = np.random.default_rng(seed).spawn(5)
    feed = SimulatedFeed(START_MS, t0)
    feed.session(-INFO_BEFORE_START_MS / 1000, "Inactive")
    feed.track(-INFO_BEFORE_START_MS / 1000, "1")
    feed.session(0.0, "Started")
    race = RaceSimulation(circuit(), grid(field_rng, cars), plan_race(plan_rng, cars, laps), laps, feed, race_rng)
    trace = race.run()
    feed.session(trace.end_s, "Finalised")
    feed.session(trace.end_s, "Ends")
    truth = truth_of(race, trace, session_key, START_MS)
    completed = laps_of(race, truth, feed)
    return Session(
        session_key=session_key,
        t0_utc_ms=t0,
        start_ms=START_MS,
        end_ms=feed.ms(trace.end_s),
        telemetry=telemetry_of(race, trace, START_MS, sample_rng),
        laps=completed,
        messages=messages_of(race, truth, feed, completed, options.source(seed), weather_rng),
        truth=truth,
    )
