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


def test_a_checkpoint_of_an_earlier_release_is_restored_under_its_former_field_names() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(30)
    oval.stop("4")
    stored = json.loads(oval.race.dump())
    stored["bulletins"], stored["places"] = stored.pop("broadcast"), stored.pop("timing_points")
    stored["colours"]["told"] = stored["colours"].pop("marks")
    for car in stored["cars"].values():
        car["standing_from"], car["shown_bests"] = car.pop("stationary_since"), car.pop("feed_bests")
        for visit in car["visits"]:
            visit["standing_ms"] = visit.pop("stationary_ms")
    assert Race.load(json.dumps(stored).encode()) == oval.race
