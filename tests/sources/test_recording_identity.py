"""Recordings without session information: the user names the session, FastF1's servers have the rest."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from f1stream.settings import settings
from f1stream.sources.session import SourceError
from f1stream.sources.spec import open_source
from f1stream.sources.timestamps import utc_text
from models import Entries, SessionInfo
from tests.support.fastf1_server import LIVETIMING, SCHEDULES, FastF1Servers
from tests.support.feed import T0_MS, run_of_laps, sent
from tests.support.required import DATA, missing

MEXICO = "2025/2025-10-26_Mexico_City_Grand_Prix/2025-10-25_Qualifying/"
RAW = DATA / "mexico2025_qualifying" / "raw"


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FastF1Servers]:
    schedule = DATA / "livetiming_frozen" / "schedule_2025.json"
    if not schedule.exists() or not RAW.is_dir():
        missing(f"the recorded calendar at {schedule} is not there")
    with FastF1Servers() as servers:
        servers.answers[f"{SCHEDULES}schedule_2025.json"] = schedule.read_bytes()
        monkeypatch.setenv("F1STREAM_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("F1STREAM_FASTF1_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("F1STREAM_FASTF1_URL", servers.url)
        monkeypatch.setenv("F1STREAM_JOLPICA_URL", f"{servers.url}/jolpica")
        settings.cache_clear()
        yield servers
    settings.cache_clear()


@pytest.fixture
def unnamed(tmp_path: Path) -> Path:
    """A recording by FastF1's client before it stored the answer to subscribing: changes only."""
    messages = [sent("SessionStatus", {"Status": "Started"}, 60), *run_of_laps("4", 70, 3)]
    path = tmp_path / "live.txt"
    path.write_text("".join(f"{[each.topic, each.data, utc_text(each.sent_ms)]!r}\n" for each in messages))
    return path


def test_a_recording_without_session_information_is_refused_with_what_to_add(unnamed: Path) -> None:
    (make,) = open_source(f"recording:{unnamed}")
    with pytest.raises(
        SourceError, match=r"no SessionInfo.*subscribe\.txt beside it.*recording:PATH#YEAR/EVENT/SESS"
    ):
        make()


def test_session_and_drivers_are_those_that_formula_1_has_published(servers: FastF1Servers, unnamed: Path) -> None:
    for name in ("SessionInfo", "DriverList"):
        file = next(RAW.glob(f"{name}.jsonStream*"))
        body = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        servers.answers[f"{LIVETIMING}{MEXICO}{name}.jsonStream"] = body
    (make,) = open_source(f"recording:{unnamed}#2025/Mexico/Q")
    session = make()
    info, entries = session.messages[:2]
    assert isinstance(info, SessionInfo)
    assert isinstance(entries, Entries)
    assert (session.session_key, info.name, info.meeting, info.path) == (
        "9873", "Qualifying", "Mexico City Grand Prix", MEXICO,
    )  # fmt: skip
    assert len(entries.entries) == 20
    assert {(lap.driver, lap.team) for lap in session.laps} == {("NOR", "McLaren")}
    assert len(session.laps) == 3


def test_otherwise_session_and_drivers_come_from_the_calendar_and_jolpica(
    servers: FastF1Servers, unnamed: Path
) -> None:
    drivers = [
        {"driverId": "norris", "permanentNumber": "4", "code": "NOR", "url": "", "givenName": "Lando",
         "familyName": "Norris", "dateOfBirth": "1999-11-13", "nationality": "British"},
    ]  # fmt: skip
    answer = {"MRData": {"limit": "30", "offset": "0", "total": "1",
                         "DriverTable": {"season": "2025", "round": "20", "Drivers": drivers}}}  # fmt: skip
    servers.answers["/jolpica/2025/20/drivers.json"] = json.dumps(answer).encode()
    (make,) = open_source(f"recording:{unnamed}#2025/Mexico/Q")
    session = make()
    info = session.messages[0]
    assert isinstance(info, SessionInfo)
    assert (info.name, info.type, info.meeting, info.gmt_offset_ms) == (
        "Qualifying", "Qualifying", "Mexico City Grand Prix", -6 * 3_600_000,
    )  # fmt: skip
    assert session.session_key == "2025-mexico-city-grand-prix-qualifying"
    assert {lap.driver for lap in session.laps} == {"NOR"}
    assert info.t0_utc_ms == T0_MS + 60_000


def test_without_a_list_of_drivers_the_error_says_what_to_add(servers: FastF1Servers, unnamed: Path) -> None:
    (make,) = open_source(f"recording:{unnamed}#2025/Mexico/Q")
    with pytest.raises(SourceError, match=r"no list of the drivers in .* subscribe\.txt"):
        make()


def test_a_recording_with_session_information_takes_no_other(recordings: Path) -> None:
    (make,) = open_source(
        f"recording:{recordings / 'livetiming_frozen' / '2025-04-13_Bahrain__2025-04-13_Race'}#2025/Monza/R"
    )
    with pytest.raises(SourceError, match="has its own session information"):
        make()


def test_the_key_behind_the_path_selects_the_session(recordings: Path, tmp_path: Path) -> None:
    with gzip.open(recordings / "sessions" / "2024_belgium_gp_qualifying" / "recording.jsonl.gz") as whole:
        path = tmp_path / "begun.jsonl"
        path.write_bytes(b"".join(islice(whole, 300)))
    (make,) = open_source(f"recording:{path}#9569")
    assert make().messages[0].name == "Practice 3"  # type: ignore[union-attr]
    (make,) = open_source(f"recording:{path}#1")
    with pytest.raises(SourceError, match=r"has no session 1, but 9569 \(Practice 3\), 9570 \(Qualifying\)"):
        make()


def test_a_path_may_contain_the_sign(tmp_path: Path, unnamed: Path) -> None:
    odd = tmp_path / "a#b"
    odd.mkdir()
    unnamed.rename(odd / "live.txt")
    with pytest.raises(SourceError, match="has no SessionInfo"):
        open_source(f"recording:{odd}")[0]()
