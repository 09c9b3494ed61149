from __future__ import annotations

from itertools import pairwise
from typing import get_args

import orjson
from hypothesis import given
from hypothesis import strategies as st

from models import LapCount, Message, RaceControl, SectorTime, TeamRadio
from tests.support.page_race import lap, message, messages
from web.history import ENTRY_BYTES, KINDS, NOT_STORED, Fact, History

EVERYTHING = 1 << 62


def kept(*facts: Fact) -> History:
    history = History()
    for fact in facts:
        history.add(fact)
    return history


def times(entries: list[bytes]) -> list[int]:
    return [orjson.loads(entry)["t"] for entry in entries]


def test_entries_are_in_the_order_in_which_they_became_known_whatever_the_order_of_arrival() -> None:
    history = kept(message(1, LapCount(session_time_ms=9_000, lap=1, total_laps=9)), lap("4", 1), lap("4", 2, 5_000))
    assert times(history.between(-1, EVERYTHING)) == [5_000, 9_000, 60_000]
    assert times(history.between(5_000, 9_000)) == [9_000]


def test_entries_of_equal_time_stay_in_the_order_of_arrival() -> None:
    first, second = (TeamRadio(session_time_ms=5, driver_number="4", path=path) for path in "ab")
    messages = kept(message(0, first), message(1, second)).messages("team_radio")
    assert [orjson.loads(entry)["path"] for entry in messages] == ["a", "b"]


def test_a_repeated_record_is_not_sent_again() -> None:
    history = History()
    assert history.add(lap("4", 1))
    assert not history.add(lap("4", 1))
    assert history.add(lap("81", 1)), "another car's first record is another one"
    assert history.arrivals == 2


def test_sectors_are_in_frames_and_not_stored_in_the_history() -> None:
    history = History()
    sector = SectorTime(session_time_ms=1, driver_number="4", lap=1, sector=1, time_ms=20_000)
    assert not history.add(message(0, sector))
    assert (history.size, history.arrivals) == (0, 0)


def test_its_size_is_that_of_its_entries() -> None:
    history = kept(*messages())
    assert history.size == sum(len(entry) + ENTRY_BYTES for entry in history.between(-1, EVERYTHING))


def test_an_entry_is_visible_from_when_it_became_known_not_from_when_it_happened() -> None:
    history = kept(message(0, RaceControl(session_time_ms=1_000, category="Other", message="NOTED"), known_ms=8_000))
    assert history.messages("race_control", 7_999) == []
    (note,) = history.messages("race_control", 8_000)
    assert orjson.loads(note)["session_time_ms"] == 1_000


def test_a_lap_is_in_its_last_revision_at_that_time() -> None:
    history = kept(lap("4", 1), lap("4", 1, known_ms=90_000, seq=1, deleted=True))
    assert (history.laps(59_999), history.lap("4", 1, 59_999)) == ({}, None)
    for at, deleted in ((89_999, False), (90_000, True), (None, True)):
        lap_entry = orjson.loads(history.laps(at)["4"][1])
        assert lap_entry.get("deleted", False) is deleted
        assert history.lap("4", 1, at) == lap_entry
    assert history.lap("4", 2) is None


@given(
    # (when it becomes known, whether the viewer looks after it has arrived, and how far the viewer then is)
    st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.integers(0, 12)), max_size=40)
)
def test_a_viewer_is_sent_every_entry_exactly_once_in_any_order_of_arrival(
    arriving: list[tuple[int, bool, int]],
) -> None:
    history, sent, horizon, since = History(), [], 0, 0

    def look(until: int) -> None:
        nonlocal horizon, since
        late = history.late(since, horizon)
        new = history.between(horizon, until)
        assert times(new) == sorted(times(new))
        assert all(t <= horizon for t in times(late))
        sent.extend(late + new)
        horizon, since = until, history.arrivals

    for seq, (known_ms, looks, further) in enumerate(arriving):
        history.add(message(seq, TeamRadio(session_time_ms=known_ms, driver_number="4", path=str(seq))))
        if looks:
            look(horizon + further)
            assert all(t <= horizon for t in times(sent)), "nothing later than the viewer"
    look(1_000)
    paths = sorted(int(orjson.loads(entry)["path"]) for entry in sent)
    assert paths == list(range(len(arriving)))
    everything = times(history.between(-1, 1_000))
    assert all(earlier <= later for earlier, later in pairwise(everything))


def test_every_kind_of_message_is_stored_or_named_as_not_stored() -> None:
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(Message)[0])}
    assert kinds == KINDS | NOT_STORED
    assert not KINDS & NOT_STORED
