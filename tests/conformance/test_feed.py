"""The feed's own values of a session, read without the parser."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream.conformance.feed import FeedState, of_session, read_feed
from f1stream.sources.livetiming.message import FeedMessage

T0_MS = 1_760_000_000_000


def timing(at_s: float, **lines: dict[str, Any]) -> FeedMessage:
    """A change of cars' lines (``car4={...}``)."""
    return message(at_s, {"Lines": {number.removeprefix("car"): line for number, line in lines.items()}})


def message(at_s: float, data: dict[str, Any], topic: str = "TimingData") -> FeedMessage:
    return FeedMessage(topic, data, T0_MS + round(at_s * 1000))


def feed(*messages: FeedMessage) -> FeedState:
    return read_feed(messages)


def test_the_order_is_the_feeds_positions_as_sent_by_then() -> None:
    found = feed(
        timing(0, car4={"Position": "1"}, car81={"Position": "2"}),
        timing(10, car4={"Position": "2"}, car81={"Position": "1"}),
    )
    assert found.order_at(9_999) == ["4", "81"]
    assert found.order_at(10_000) == ["81", "4"]
    assert found.orders_within(5_000, 15_000) == [["4", "81"], ["81", "4"]]
    assert found.orders_within(11_000, 15_000) == [["81", "4"]]


def test_while_two_cars_have_one_place_the_order_is_the_one_before() -> None:
    found = feed(
        timing(0, car4={"Position": "1"}, car81={"Position": "2"}),
        timing(10, car81={"Position": "1"}),
        timing(11, car4={"Position": "2"}),
    )
    assert found.order_at(10_500) == ["4", "81"]
    assert found.order_at(11_000) == ["81", "4"]


def test_a_car_at_the_end_has_its_laps_times_visits_and_compounds() -> None:
    found = feed(
        timing(0, car4={"NumberOfLaps": 1, "LastLapTime": {"Value": "1:21.000"}}),
        timing(9, car4={"NumberOfLaps": 2, "NumberOfPitStops": 1, "BestLapTime": {"Value": "1:20.500", "Lap": 2}}),
        message(9, {"Lines": {"4": {"Stints": [{"Compound": "SOFT"}, {"Compound": "HARD"}]}}}, "TimingAppData"),
    )
    car = found.cars["4"]
    assert (car.laps, car.best_ms, car.last_ms, car.pit_visits) == (2, {1: 80_500}, 81_000, 1)
    assert car.compounds == ["SOFT", "HARD"]


def test_best_laps_are_kept_by_part_through_the_clearing_between_two_parts() -> None:
    cleared = {"BestLapTimes": {"0": {"Value": ""}}}
    found = feed(
        message(0, {"SessionPart": 1, "Lines": {}}),
        timing(90, **{f"car{n}": {"BestLapTimes": {"0": {"Value": f"1:2{n}.000"}}} for n in range(1, 5)}),
        timing(100, car4=cleared),  # one car's: its lap was deleted
        timing(200, car1=cleared, car2=cleared, car3=cleared),
        message(204, {"SessionPart": 2, "Lines": {"1": {"BestLapTimes": {"1": {"Value": "1:19.000"}}}}}),
    )
    bests = {number: car.best_ms for number, car in found.cars.items()}
    assert bests == {"1": {1: 81_000, 2: 79_000}, "2": {1: 82_000}, "3": {1: 83_000}, "4": {}}
    assert found.parts == [204_000]


@pytest.mark.parametrize("bad", [5, None, [], {"4": 7}, {"4": None}])
@pytest.mark.parametrize("topic", ["TimingData", "TimingAppData"])
def test_damaged_lines_are_skipped_even_before_any_state(topic: str, bad: Any) -> None:
    found = feed(FeedMessage(topic, {"Lines": bad}, 1_760_000_000_000), timing(2, car4={"NumberOfLaps": 2}))
    assert found.cars["4"].laps == 2


def test_a_change_that_does_not_fit_the_state_is_skipped() -> None:
    found = feed(timing(0, car4={"NumberOfLaps": 1}), message(1, {"Lines": 5}), timing(2, car4={"NumberOfLaps": 2}))
    assert found.cars["4"].laps == 2


def test_each_session_of_a_feed_has_its_own_messages() -> None:
    answer = [FeedMessage(topic, data, T0_MS, snapshot=True)
              for topic, data in (("TimingData", {"Lines": {}}), ("SessionInfo", {"Key": 1}))]  # fmt: skip
    rest = [timing(10, car4={}), message(20, {"Key": 2}, "SessionInfo"), timing(30, car4={}),
            message(40, {"Key": 2}, "SessionInfo")]  # fmt: skip
    messages = [*answer, *rest]
    assert of_session(messages, "1") == [answer[1], answer[0], rest[0]]
    assert of_session(messages, "2") == rest[1:]
    assert of_session(messages, "3") == []


def test_a_counted_lap_that_was_not_driven_is_not_a_lap_in_practice() -> None:
    sectors = {"Sectors": {"0": {"Value": "30.000"}}}
    begun = {"NumberOfLaps": 2}
    laps = (
        timing(90, car4=begun, car81=begun | sectors, car1=begun),
        timing(120, car4=sectors, car1=sectors),
        timing(125, car4={"InPit": True}, car81={"InPit": True}),  # 1 is still on its way
    )
    for kind, ours in (("Practice", {"4": 2, "81": 1, "1": 1}), ("Race", {"4": 2, "81": 2, "1": 2})):
        found = feed(message(0, {"Key": 1, "Type": kind}, "SessionInfo"), *laps)
        assert {number: car.laps for number, car in found.cars.items()} == ours
