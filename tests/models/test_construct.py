"""Records made without validation are those that pydantic makes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

import models
from models.base import Record
from models.frame import CarState, Frame, RaceState


def records() -> list[type[Record]]:
    """Every model of a record."""
    found = [Record]
    for kind in found:
        found += kind.__subclasses__()
    assert models.Frame in found
    return sorted(set(found) - {Record}, key=lambda kind: kind.__name__)


def pydantics(kind: type[Record], values: dict[str, Any]) -> Any:
    return BaseModel.model_construct.__func__(kind, **values)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", records(), ids=lambda kind: kind.__name__)
def test_every_record_is_made_as_pydantic_makes_it(kind: type[Record]) -> None:
    """With all fields that have no default, and with all fields."""
    needed = {name: 1 for name, field in kind.model_fields.items() if field.is_required()}
    for values in (needed, dict.fromkeys(reversed(kind.model_fields), 1)):
        ours, theirs = kind.model_construct(**values), pydantics(kind, values)
        assert list(ours.__dict__.items()) == list(theirs.__dict__.items())
        assert ours.model_fields_set == theirs.model_fields_set
        assert ours == theirs


def test_a_change_of_a_car_is_written_as_before() -> None:
    car = CarState.model_construct(mini_sectors="g", position=3)
    columns: dict[str, Any] = {name: [] for name in ("x", "y", "speed", "age", "gap", "interval")}
    frame = Frame.model_construct(
        drs=[1], kind="delta", t=200, key_t=0, cars={"4": car}, race=RaceState.model_construct(), **columns
    )
    assert frame.model_dump_json(exclude_unset=True).endswith(
        '"cars":{"4":{"position":3,"mini_sectors":"g"}},"race":{},"drs":[1]}'
    )
