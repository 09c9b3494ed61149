"""The stages can decode what they publish and store, for any admitted records."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from f1stream import topics
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from models import CarUpdate, Entries, Entry, Lap, LapUpdate, Message, Packet, SessionInfo
from tests.support.generated import values

CARS = ["1", "4", "44"]
few = settings(
    max_examples=60,
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=list(HealthCheck),
)
_message: TypeAdapter[Any] = TypeAdapter(Message)


def admitted(generated: dict[str, Any]) -> list[Any]:
    """The message, if its fields are consistent."""
    try:
        return [_message.validate_python(generated)]
    except ValidationError:
        return []


def of_a_car(generated: dict[str, Any], number: str) -> dict[str, Any]:
    return generated | {"driver_number": number} if "driver_number" in generated else generated


messages = st.lists(
    st.builds(of_a_car, values(Message), st.sampled_from(CARS)).map(admitted), min_size=5, max_size=30
).map(lambda found: [message for each in found for message in each])
coordinates = st.floats(-1e7, 1e7) | st.sampled_from([0.0, 1e-300, 1e7])


@st.composite
def updates(draw: st.DrawFn, number: str, named: int) -> CarUpdate:
    t = sorted(draw(st.lists(st.integers(-86_400_000, 2_000), max_size=10)))
    columns = {
        name: draw(st.lists(strategy, min_size=len(t), max_size=len(t)))
        for name, strategy in (("x", coordinates), ("y", coordinates), ("speed", st.floats(-10_000, 10_000)))
    }
    laps = draw(st.lists(values(LapUpdate).map(lambda lap: lap | {"emitted_ms": 400}), max_size=5))
    return CarUpdate.model_validate(
        {"epoch": 1, "driver_number": number, "first_seq": 0, "last_seq": 0, "until_ms": 2_000, "messages": named,
         "t": t, "laps": laps, **columns}
    )  # fmt: skip


def stored(checkpoint: bytes | None) -> Any:
    """All but the cars that have changed since the last frame: after a restart all count as changed."""
    assert checkpoint is not None
    value = json.loads(checkpoint)
    (value["race"] or {}).pop("touched", None)
    return value


@few
@given(st.data(), messages, values(SessionInfo), st.booleans())
def test_published_and_stored_values_of_a_session_can_be_decoded(
    data: st.DataObject, generated: list[Any], info: dict[str, Any], silent: bool
) -> None:
    race = SessionRace("9693", 1)
    entries = [Entry(driver_number=n, tla=n, name=n, team="", team_color="", grid_position=None) for n in CARS]
    first = [SessionInfo.model_validate(info | {"start_ms": 0}), Entries(session_time_ms=0, entries=entries)]
    facts = [*first, *(fact for fact in generated if not isinstance(fact, SessionInfo | Entries))]
    for seq, fact in enumerate(facts):
        race.admit(fact)
        race.take_message(seq, min(seq * 50, 1_900), fact)
    for number in CARS[: 2 if silent else 3]:
        race.take_update(data.draw(updates(number, len(facts))))
    if silent:
        assert race.checkpoint_pending(10**9)
    for made in race.advance():
        value = topics.encode_frames([made])
        assert topics.encode_frames(topics.decode_frames(value)) == value
    checkpoint, header = race.checkpoint(), race.dump_header()
    assert checkpoint is not None
    again = SessionRace.restore("9693", checkpoint, header)
    assert stored(again.checkpoint()) == stored(checkpoint)
    assert again.dump_header() == header


@few
@given(st.lists(values(Lap), max_size=3), st.integers(0, 3), st.booleans())
def test_a_drivers_checkpoint_is_restored(laps: list[dict[str, Any]], named: int, silent: bool) -> None:
    driver = DriverJoin("4")
    driver.begins(2**63 - 1, "token")
    for seq, lap in enumerate(laps):
        driver.take_lap(seq, 0, Lap.model_validate(lap), "token")
    empty = dict.fromkeys(("session_time_ms", "x", "y", "z", "speed", "rpm", "throttle", "brake", "gear"), ())
    packet = Packet.model_validate({"driver_number": "4", "until_ms": 0} | {name: [] for name in empty})
    driver.take_packet(0, 0, named, 2**31 - 1, packet, "token")
    driver.take_packet(1, 0, 4, 2**31 - 1, None, "token")
    update, _ = driver.join()
    assert (update is None) == (named > len(laps))
    if update is not None:
        assert CarUpdate.model_validate_json(update.model_dump_json()) == update
    if silent:
        assert driver.checkpoint_pending()
    again = DriverJoin.restore("4", driver.dump())
    assert again.dump() == driver.dump()
    assert again.progress == driver.progress
