"""The state of a race as JSON."""

from __future__ import annotations

import json

from f1stream.race.state import Race
from tests.support.oval import Oval


def test_a_restored_race_is_equal_and_has_the_same_bytes() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(45)
    copy = Race.load(oval.race.dump())
    assert copy == oval.race
    assert copy.dump() == oval.race.dump()


def test_a_race_is_stored_in_the_same_bytes_whichever_car_changed_first() -> None:
    numbers = [str(n) for n in range(1, 100)]  # with so many, a set's own order depends on it
    there, back = Race({}), Race({})
    there.changed.update(numbers)
    back.changed.update(reversed(numbers))
    assert list(there.changed) != list(back.changed)
    assert there.dump() == back.dump()


def test_a_checkpoint_has_the_field_names_of_earlier_releases() -> None:
    """So that an earlier release, put back during a session, restores everything, and this one what that wrote."""
    oval = Oval("4", "81")
    oval.start()
    oval.go(30)
    oval.stop("4")
    stored = json.loads(oval.race.dump())
    assert {"bulletins", "places", "stops_told", "moved", "touched"} <= stored.keys()
    assert "told" in stored["colours"]
    for car in stored["cars"].values():
        assert {"standing_from", "shown_bests"} <= car.keys()
    assert [visit.keys() >= {"standing_ms"} for visit in stored["cars"]["4"]["visits"]] == [True]
    assert Race.load(oval.race.dump()) == oval.race
