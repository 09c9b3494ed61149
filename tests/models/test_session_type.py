"""A session's type from the feed's type and name, and whether it is a race."""

from __future__ import annotations

import pytest

from models import SessionInfo
from models.session_type import is_grand_prix, is_race
from tests.support.page_race import head


def typed(feed_type: str, name: str) -> str:
    """The type of a record read back from JSON, as from a topic."""
    fields = head().info.model_dump_json(exclude={"type", "name"})
    return SessionInfo.model_validate_json(f'{{"type": "{feed_type}", "name": "{name}", {fields[1:]}').type


@pytest.mark.parametrize(
    ("feed_type", "name", "normalised"),
    [
        ("Race", "Race", "Race"),
        ("Race", "Sprint", "Sprint"),
        ("Race", "Sprint Qualifying", "Sprint"),  # the feed's name of the sprints of 2021
        ("Sprint", "Sprint", "Sprint"),
        ("Qualifying", "Sprint Qualifying", "Qualifying"),
        ("Qualifying", "Sprint Shootout", "Qualifying"),
        ("Practice", "Practice 1", "Practice"),
    ],
)
def test_a_sprint_has_a_type_of_its_own_wherever_the_record_comes_from(
    feed_type: str, name: str, normalised: str
) -> None:
    assert typed(feed_type, name) == normalised


@pytest.mark.parametrize(
    ("session_type", "race", "grand_prix"),
    [("Race", True, True), ("Sprint", True, False), ("Qualifying", False, False), ("Practice", False, False)],
)
def test_a_sprint_is_a_race_but_no_grand_prix(session_type: str, race: bool, grand_prix: bool) -> None:
    assert (is_race(session_type), is_grand_prix(session_type)) == (race, grand_prix)
