"""A race worker to which a run is silent after two seconds."""

from __future__ import annotations

if __name__ == "__main__":
    from agents import race
    from agents.run import run_worker

    race.silent_s = 2.0
    run_worker("agents.race")
