"""The feed's index of a season: times of moved sessions, and their paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from f1stream.settings import Settings
from f1stream.sources.fastf1.schedule import SessionRef, starting_at, with_feed_path
from f1stream.sources.fastf1.season_index import listed_as, parse, season_index
from f1stream.sources.session import SourceError
from tests.support.fastf1_server import SCHEDULES, FastF1Servers
from tests.support.required import DATA, missing
from tests.support.season_index import BOM, address, index, session

MIAMI_FP1, MIAMI_RACE = datetime(2026, 5, 1, 16, tzinfo=UTC), datetime(2026, 5, 3, 17, tzinfo=UTC)
SATURDAY, SUNDAY = datetime(2024, 11, 2, 18, tzinfo=UTC), datetime(2024, 11, 3, 10, 30, tzinfo=UTC)
SAO_PAULO = "2024/2024-11-03_Sao_Paulo_Grand_Prix/2024-11-02_Qualifying/"


@pytest.fixture
def servers() -> Iterator[FastF1Servers]:
    with FastF1Servers() as servers:
        yield servers


@pytest.fixture
def settings(servers: FastF1Servers, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None, home=tmp_path / "home", fastf1_cache=tmp_path / "cache", fastf1_url=servers.url,
        jolpica_url=f"{servers.url}/jolpica",
    )  # fmt: skip


def test_starts_are_the_tracks_own_time_and_its_offset() -> None:
    listed = parse(
        index(
            Miami_Grand_Prix=[session("Race", MIAMI_RACE, -4), session("Practice 1", MIAMI_FP1, -4)],
            Sao_Paulo_Grand_Prix=[session("Qualifying", SUNDAY, -3, SAO_PAULO)],
        )
    )
    assert [(each.meeting, each.name, each.start, each.path) for each in listed] == [
        ("Sao Paulo Grand Prix", "Qualifying", SUNDAY, SAO_PAULO),
        ("Miami Grand Prix", "Practice 1", MIAMI_FP1, ""),
        ("Miami Grand Prix", "Race", MIAMI_RACE, ""),
    ]


def test_sessions_without_name_or_start_are_left_out_and_the_rest_is_read() -> None:
    good = session("Race", MIAMI_RACE, -4)
    bad: list[dict[str, object]] = [
        {}, {"Key": -1}, good | {"Name": ""}, good | {"Name": None}, good | {"StartDate": "soon"},
        good | {"GmtOffset": 4}, good | {"Path": "../../etc/passwd"},
    ]  # fmt: skip
    listed = parse(index(Miami_Grand_Prix=[*bad, good]))
    assert [(each.name, each.path) for each in listed] == [("Race", ""), ("Race", "")]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"Year": 2022}', b'{"Meetings": 7}', b"\xff\xfe"])
def test_other_data_than_an_index_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(body)


def test_without_an_answer_the_stored_index_is_used(servers: FastF1Servers, settings: Settings) -> None:
    with pytest.raises(SourceError, match=r"index of 2026 is not available .*404"):
        season_index(settings, 2026)
    servers.answers[address(2026)] = index(Miami_Grand_Prix=[session("Race", MIAMI_RACE, -4)])
    listed = season_index(settings, 2026)
    assert [each.start for each in listed] == [MIAMI_RACE]
    servers.answers[address(2026)] = BOM + b'{"Year": 2026}'
    assert season_index(settings, 2026) == listed
    del servers.answers[address(2026)]
    assert season_index(settings, 2026) == listed


def test_a_session_is_found_by_its_name_within_the_weekend() -> None:
    listed = parse(
        index(
            Miami_Grand_Prix=[session("Race", MIAMI_RACE, -4)],
            Grande_Premio_de_Sao_Paulo=[session("Qualifying", SUNDAY, -3)],
        )
    )
    found = listed_as(listed, "Miami Grand Prix", "Race", MIAMI_RACE + timedelta(hours=3))
    assert found is not None
    assert found.start == MIAMI_RACE
    other_name = listed_as(listed, "São Paulo Grand Prix", "Qualifying", SATURDAY)
    assert other_name is not None
    assert other_name.start == SUNDAY
    assert listed_as(listed, "São Paulo Grand Prix", "Race", SATURDAY) is None
    assert listed_as(listed, "Miami Grand Prix", "Race", MIAMI_RACE + timedelta(days=7)) is None


def fastf1_session(start: datetime) -> SimpleNamespace:
    """The used part of FastF1's session."""
    return SimpleNamespace(date=pd.Timestamp(start.replace(tzinfo=None)), name="Qualifying", api_path="guessed")


def test_the_path_comes_from_the_feeds_index(servers: FastF1Servers, settings: Settings) -> None:
    """The qualifying of São Paulo 2024 was moved to Sunday and is published under Saturday's date."""
    wanted = SessionRef(2024, "São Paulo Grand Prix", "Qualifying")
    assert with_feed_path(settings, fastf1_session(SUNDAY), wanted).api_path == "guessed", "FastF1's path stays"
    servers.answers[address(2024)] = index(Sao_Paulo_Grand_Prix=[session("Qualifying", SUNDAY, -3, SAO_PAULO)])
    for known in (SATURDAY, SUNDAY):
        assert with_feed_path(settings, fastf1_session(known), wanted).api_path == f"/static/{SAO_PAULO}"


def test_a_session_that_was_moved_earlier_has_been_run_when_the_feed_says_so(
    servers: FastF1Servers, settings: Settings
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    stale = fastf1_session(now + timedelta(hours=1))
    wanted = SessionRef(now.year, "Miami Grand Prix", "Qualifying")
    with pytest.raises(SourceError, match="has not been run yet"):
        with_feed_path(settings, stale, wanted)
    servers.answers[address(now.year)] = index(Miami_Grand_Prix=[session("Qualifying", now - timedelta(hours=2), -4)])
    assert with_feed_path(settings, stale, wanted) is stale


def test_a_moved_session_is_published_by_its_name(servers: FastF1Servers, settings: Settings) -> None:
    """FastF1's calendar has São Paulo's qualifying of 2025 at 18:00 UTC on Saturday, 8 November."""
    schedule = DATA / "livetiming_frozen" / "schedule_2025.json"
    if not schedule.exists():
        missing(f"the recorded calendar at {schedule} is not there")
    servers.answers[f"{SCHEDULES}schedule_2025.json"] = schedule.read_bytes()
    saturday = datetime(2025, 11, 8, 18, tzinfo=UTC)
    qualifying = SessionRef(2025, "São Paulo Grand Prix", "Qualifying")
    for moved in (timedelta(), -timedelta(hours=3), timedelta(hours=16, minutes=30)):
        start = saturday + moved
        assert starting_at(settings, start, "São Paulo Grand Prix", "Qualifying") == qualifying
        assert starting_at(settings, start, "Grande Prêmio do Brasil", "Qualifying") == qualifying, "by the day"
    with pytest.raises(SourceError, match="no Sprint Shootout within 4 days of 2025-11-08 at 18:00 UTC"):
        starting_at(settings, saturday, "São Paulo Grand Prix", "Sprint Shootout")


def test_an_index_that_is_too_long_is_refused(servers: FastF1Servers, settings: Settings) -> None:
    servers.answers[address(2026)] = json.dumps({"Meetings": ["x" * 5_000_000]}).encode()
    with pytest.raises(SourceError, match="more than 4,000,000 bytes"):
        season_index(settings, 2026)
