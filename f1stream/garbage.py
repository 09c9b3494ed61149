"""When Python looks for cyclic garbage."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 50_000
"""New objects after which the youngest of the three generations is collected. Packets, frames and timers live for a
moment and have no cycles: at Python's 700 the page server went through all objects of 5,000 viewers every 20 s, which
stopped it for 0.3 s."""


def collect_seldom(middle: int = 20, oldest: int = 50) -> None:
    """Collect cycles seldom, and never look at the objects that exist now: call it when the process is set up.

    ``middle``: collections of the youngest generation after which the middle one is collected too; ``oldest``:
    collections of that one after which the oldest is.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, middle, oldest)
