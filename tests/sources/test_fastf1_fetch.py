"""Fetching through FastF1's own requests, from servers on loopback and without servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from f1stream.settings import Settings
from f1stream.sources.fastf1 import client as fastf1_client
from f1stream.sources.fastf1.client import fastf1, reachable
from f1stream.sources.fastf1.fetch import fetch, fetch_if_missing, fetched_archive, replaced_folder
from f1stream.sources.fastf1.schedule import SessionRef, find, weekends
from f1stream.sources.session import SourceError
from f1stream.sources.session_archive import read_archive
from models import Entries, LapCount, SessionInfo, Track
from tests.support.command_line import refusal
from tests.support.fastf1_server import CIRCUITS, LIVETIMING, SCHEDULES, FastF1Servers, made_up_samples
from tests.support.required import DATA, missing

pytestmark = pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning")
MEXICO = "2025/2025-10-26_Mexico_City_Grand_Prix/2025-10-25_Qualifying/"
MIAMI = "2025/2025-05-04_Miami_Grand_Prix/2025-05-03_Sprint/"
TEST_DAY = "2025/2025-02-28_Pre-Season_Testing/2025-02-26_Day_1/"
QUALIFYING = SessionRef(2025, "Mexico", "Q")


@pytest.fixture
def servers() -> Iterator[FastF1Servers]:
    """A calendar, and nothing else yet."""
    schedule = DATA / "livetiming_frozen" / "schedule_2025.json"
    if not schedule.exists():
        missing(f"the recorded calendar at {schedule} is not there")
    with FastF1Servers() as servers:
        servers.answers[f"{SCHEDULES}schedule_2025.json"] = schedule.read_bytes()
        yield servers


@pytest.fixture
def settings(servers: FastF1Servers, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None, home=tmp_path / "home", fastf1_cache=tmp_path / "cache", fastf1_url=servers.url,
        jolpica_url=f"{servers.url}/jolpica",
    )  # fmt: skip


@pytest.fixture
def nowhere(tmp_path: Path) -> Settings:
    """Settings without a network: nothing listens at the addresses."""
    return Settings(
        _env_file=None, home=tmp_path / "home", fastf1_cache=tmp_path / "cache", fastf1_url="http://127.0.0.1:9",
        jolpica_url="http://127.0.0.1:9/jolpica",
    )  # fmt: skip


@pytest.fixture
def mexico(servers: FastF1Servers) -> FastF1Servers:
    """The qualifying, of two cars."""
    return serving(servers)


@pytest.fixture
def begun(servers: FastF1Servers) -> FastF1Servers:
    """Its first twenty minutes: the first laps of Q1."""
    return serving(servers, until=b"00:20:00")


def serving(servers: FastF1Servers, until: bytes | None = None) -> FastF1Servers:
    recording = DATA / "mexico2025_qualifying" / "raw"
    if not recording.is_dir():
        missing(f"the recorded session at {recording} is not there")
    servers.serve_streams(MEXICO, recording, {"4", "27"}, until)
    servers.answers[f"{CIRCUITS}65/2025"] = json.dumps({
        "rotation": 36.0,
        "marshalSectors": [{"trackPosition": {"x": -20.0, "y": 70.25}, "number": 1}],
        "corners": [
            {"trackPosition": {"x": 100.0, "y": 200.0}, "number": 1, "angle": 12.0},
            {"trackPosition": {"x": 900.5, "y": -40.0}, "number": 1, "letter": "A", "angle": 14.5},
        ],
    }).encode()  # fmt: skip
    return servers


@pytest.mark.system
def test_qualifying_is_fetched_only_once(mexico: FastF1Servers, settings: Settings) -> None:
    fetched = fetch(settings, QUALIFYING)
    assert fetched.folder == settings.home / "archives" / "2025-mexico-city-grand-prix-qualifying"
    session = read_archive(fetched.folder)
    assert (len(session.laps), session.samples()) == (fetched.laps, fetched.samples)
    assert {lap.driver for lap in session.laps} == {"NOR", "HUL"}
    assert min(len(columns["session_time_ms"]) for columns in session.telemetry.values()) > 15_000
    track = next(m for m in session.messages if isinstance(m, Track))
    assert track.corners == (("1", 100.0, 200.0), ("1A", 900.5, -40.0))
    assert (track.rotation, track.marshal_sectors) == (36.0, ((1, -20.0, 70.2),))
    info = next(m for m in session.messages if isinstance(m, SessionInfo))
    assert (info.gmt_offset_ms, info.path) == (-6 * 3_600_000, MEXICO)
    corners = json.loads((fetched.folder / "corners.json").read_text())
    assert corners["Angle"] == [12.0, 14.5]
    assert all(0 < metres < 4_400 for metres in corners["Distance"])
    assert not any("corners" in note for note in fetched.notes)

    mexico.answers.clear()
    asked = len(mexico.asked)
    assert fetch_if_missing(settings, SessionRef(2025, "Mexico City Grand Prix", "qualifying")) == fetched.folder
    assert len(mexico.asked) == asked, "no request for an existing archive"
    assert fetch_if_missing(settings, QUALIFYING) == fetched.folder, (
        "another name for it, from the calendar in the cache"
    )
    assert sorted(path.name for path in fetched.folder.parent.iterdir() if "lock" not in path.name) == [
        fetched.folder.name
    ]


def test_no_account_is_ever_asked_for(
    begun: FastF1Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastf1.internals import f1account

    def signs_in(*_: object) -> None:
        pytest.fail("FastF1 signs in")

    monkeypatch.setattr(f1account.token_manager, "_default_auth_func", signs_in)
    monkeypatch.setattr(f1account.token_manager, "get_stored", signs_in)
    del begun.answers[f"{LIVETIMING}{MEXICO}CarData.z.jsonStream"]
    with pytest.raises(SourceError):
        fetch(settings, QUALIFYING)
    timing = [headers for path, headers in begun.asked if path.startswith(LIVETIMING)]
    assert timing
    assert not any("Authorization" in headers for headers in timing)
    assert {path.split("/")[1] for path, _ in begun.asked} <= {
        "raw.githubusercontent.com", "livetiming.formula1.com", "livetiming-mirror.fastf1.dev", "jolpica",
    }  # fmt: skip


def test_session_without_car_data_is_refused_and_leaves_nothing(begun: FastF1Servers, settings: Settings) -> None:
    del begun.answers[f"{LIVETIMING}{MEXICO}CarData.z.jsonStream"]
    with pytest.raises(
        SourceError, match=r"2025 Mexico City Grand Prix, Qualifying is not available yet: no car data"
    ) as e:
        fetch(settings, QUALIFYING)
    assert "\n" not in str(e.value)
    assert fetched_archive(settings, SessionRef(2025, "Mexico City Grand Prix", "Q")) is None
    assert [path.suffix for path in (settings.home / "archives").iterdir()] in ([], [".lock"])


def test_session_that_still_runs_is_refused(begun: FastF1Servers, settings: Settings) -> None:
    stream = f"{LIVETIMING}{MEXICO}SessionStatus.jsonStream"
    whole = begun.answers[stream]
    begun.answers[stream] = b"\r\n".join([*whole.split(b"\r\n")[:-3], b""])
    with pytest.raises(SourceError, match="has not ended yet"):
        fetch(settings, QUALIFYING)
    begun.answers[stream] = whole
    assert fetch(settings, QUALIFYING).laps > 1, "the early answer is not in the cache"


@pytest.mark.system
def test_sprint_with_its_grid_retirements_and_without_corners(servers: FastF1Servers, settings: Settings) -> None:
    """The Miami sprint: real timing and result of three cars, with generated car data since none are recorded."""
    recording = DATA / "livetiming_frozen" / "2025-05-04_Miami__2025-05-03_Sprint"
    answer = DATA / "jolpica" / "captured" / "2025" / "6" / "sprint.json"
    if not (recording.is_dir() and answer.exists()):
        missing(f"the recorded session at {recording} is not there")
    numbers = {"4", "81", "14"}
    servers.serve_streams(MIAMI, recording, numbers)
    result = json.loads(answer.read_text())
    race = result["MRData"]["RaceTable"]["Races"][0]
    race["SprintResults"] = [row for row in race["SprintResults"] if row["number"] in numbers]
    servers.answers["/jolpica/2025/6/sprint.json"] = json.dumps(result).encode()
    cars, places = made_up_samples(numbers, datetime(2025, 5, 3, 15, 4), 2 * 3600)
    servers.answers[f"{LIVETIMING}{MIAMI}CarData.z.jsonStream"] = cars
    servers.answers[f"{LIVETIMING}{MIAMI}Position.z.jsonStream"] = places

    fetched = fetch(settings, SessionRef(2025, "6", "Sprint"), settings.home / "here")
    assert fetched.folder == settings.home / "here"
    assert any("corners" in note for note in fetched.notes)
    assert any("weather" in note for note in fetched.notes)
    assert not (fetched.folder / "corners.json").exists()
    assert not (fetched.folder / "circuit.json").exists()
    session = read_archive(fetched.folder)
    info = next(m for m in session.messages if isinstance(m, SessionInfo))
    assert (info.name, info.type, info.meeting, info.total_laps) == ("Sprint", "Sprint", "Miami Grand Prix", 18)
    rows = {row["Driver"]["code"]: row for row in race["SprintResults"]}
    entries = next(m for m in session.messages if isinstance(m, Entries)).entries
    assert [e.tla for e in entries] == sorted(rows, key=lambda tla: int(rows[tla]["grid"]))
    assert all(lap.pit_out_ms for lap in session.laps if lap.lap_number == 1), "it began behind the safety car"
    assert {e.tla: str(e.grid_position) for e in entries} == {tla: row["grid"] for tla, row in rows.items()}
    results = {row["Abbreviation"]: row for row in json.loads((fetched.folder / "results.json").read_text())}
    assert {tla: row["ClassifiedPosition"] for tla, row in results.items()} == {
        tla: row["positionText"] for tla, row in rows.items()
    }
    assert {tla: row["Points"] for tla, row in results.items()} == {
        tla: int(row["points"]) for tla, row in rows.items()
    }
    laps = {tla: [lap for lap in session.laps if lap.driver == tla] for tla in rows}
    assert {tla: max(lap.lap_number for lap in own if not lap.generated) for tla, own in laps.items()} == {
        tla: int(row["laps"]) for tla, row in rows.items()
    }
    assert len(laps["ALO"]) < len(laps["NOR"]), "he retired"
    assert all(lap.start_ms == session.start_ms for own in laps.values() for lap in own if lap.lap_number == 1)
    assert max(m.lap for m in session.messages if isinstance(m, LapCount)) == 18


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (SessionRef(2025, "Zzzyzx", "R"), r"2025 has no event 'Zzzyzx'.*f1stream sessions 2025"),
        (SessionRef(2025, "77", "R"), r"2025 has no event '77'"),
        (SessionRef(2025, "Monza", "Sprint"), r"2025 Italian Grand Prix has no Sprint, but FP1, FP2, FP3, Q, R"),
        (SessionRef(2031, "Monza", "R"), r"no calendar of 2031"),
    ],
)
def test_unknown_event_or_session_is_refused(settings: Settings, wanted: SessionRef, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence) as error:
        fetch(settings, wanted)
    assert "\n" not in str(error.value)
    assert not (settings.home / "archives").exists()


@pytest.mark.parametrize(
    ("year", "event", "session", "sentence"),
    [
        (2017, "Monza", "R", "no timing data of 2017: it begins with 2018"),
        (2025, "Monza", "FP9", "'FP9' is not a session"),
    ],
)
def test_impossible_year_or_session_is_refused_without_a_request(
    year: int, event: str, session: str, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        SessionRef(year, event, session).checked()


@pytest.mark.parametrize("text", ["", "2025", "2025/Australia", "25/Australia/R", "2025//R", "2025/Australia/R/1"])
def test_malformed_source_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(SourceError, match="fastf1:YEAR/EVENT/SESSION"):
        SessionRef.parse(text)


def test_future_session_is_refused_with_its_start(servers: FastF1Servers, settings: Settings) -> None:
    calendar = servers.answers[f"{SCHEDULES}schedule_2025.json"]
    servers.answers[f"{SCHEDULES}schedule_2099.json"] = calendar.replace(b"2025-", b"2099-")
    sentence = r"2099 Italian Grand Prix, Race has not been run yet: it begins on 2099-09-07 at 13:00 UTC"
    with pytest.raises(SourceError, match=sentence):
        fetch(settings, SessionRef(2099, "Monza", "R"))


def test_season_is_listed(settings: Settings) -> None:
    season = weekends(settings, 2025)
    assert [weekend.round_number for weekend in season] == list(range(25))
    assert season[6].event == "Miami Grand Prix"
    assert [name for name, _ in season[6].sessions] == [
        "Practice 1", "Sprint Qualifying", "Sprint", "Qualifying", "Race",
    ]  # fmt: skip
    assert dict(season[1].sessions)["Race"] == datetime(2025, 3, 16, 4, tzinfo=UTC)


def test_without_a_network_it_is_one_sentence(nowhere: Settings) -> None:
    with pytest.raises(SourceError, match=r"calendar of 2025 is not available: no answer .*archive:PATH") as error:
        fetch(nowhere, QUALIFYING)
    assert "\n" not in str(error.value)
    assert not reachable(nowhere)


def test_lost_network_is_one_sentence(servers: FastF1Servers, settings: Settings, nowhere: Settings) -> None:
    weekends(settings, 2025)  # the calendar is in the cache
    with pytest.raises(SourceError, match=r"Qualifying is not available: no answer from livetiming\.formula1\.com"):
        fetch(nowhere, QUALIFYING)


def test_servers_that_answer_are_reachable_and_silent_ones_time_out(
    servers: FastF1Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reachable(settings), "404 is an answer"
    monkeypatch.setattr(fastf1_client.requests, "head", lambda *_, **__: signal.pause())
    assert not reachable(settings, within_s=0.1)


def test_request_limit_is_one_sentence(settings: Settings) -> None:
    with (
        pytest.raises(SourceError, match=r"request limit is reached \(any API: 500 calls/h\)") as error,
        fastf1(settings) as client,
    ):
        raise client.module.exceptions.RateLimitExceededError("any API: 500 calls/h")
    assert "\n" not in str(error.value)


def test_unusable_cache_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SourceError, match="F1STREAM_FASTF1_CACHE"),
        fastf1(Settings(_env_file=None, fastf1_cache=tmp_path / "file" / "cache")),
    ):
        pass


def an_archive(folder: Path, says: str) -> None:
    (folder / "session.json").write_text(says)


def test_archive_appears_when_complete_and_replaces_an_older_one(tmp_path: Path) -> None:
    folder = tmp_path / "race"
    for says in ("first", "second"):
        with replaced_folder(folder) as partial:
            an_archive(partial, says)
            assert not folder.exists() or (folder / "session.json").read_text() == "first"
        assert (folder / "session.json").read_text() == says


def test_error_leaves_the_older_archive(tmp_path: Path) -> None:
    folder = tmp_path / "race"
    with replaced_folder(folder) as partial:
        an_archive(partial, "first")
    with pytest.raises(SourceError, match="gone"), replaced_folder(folder) as partial:
        an_archive(partial, "half")
        raise SourceError("gone")
    assert (folder / "session.json").read_text() == "first"
    assert {path.name for path in tmp_path.iterdir()} <= {"race", ".race.lock"}


def test_archive_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "race"
    with replaced_folder(folder) as partial:
        an_archive(partial, "first")
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError("no space left")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(SourceError, match="no space left"), replaced_folder(folder) as partial:
        an_archive(partial, "second")
    assert (folder / "session.json").read_text() == "first"
    assert {path.name for path in tmp_path.iterdir()} <= {"race", ".race.lock"}


KILLED = """
import os, signal, sys
from pathlib import Path
from f1stream.sources.fastf1.fetch import replaced_folder
folder, when = Path(sys.argv[1]), sys.argv[2]
rename = Path.rename
def killed(self, target):
    if when == "renaming" and self.name.endswith(".partial"):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = killed
with replaced_folder(folder) as partial:
    (partial / "session.json").write_text("half")
    if when == "writing":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["writing", "renaming"])
@pytest.mark.parametrize("before", [False, True])
def test_kill_leaves_no_half_archive(tmp_path: Path, when: str, before: bool) -> None:
    folder = tmp_path / "race"
    if before:
        with replaced_folder(folder) as partial:
            an_archive(partial, "whole")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), when], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    if folder.exists():
        assert (folder / "session.json").read_text() == "whole"
    with (
        pytest.raises(SourceError),
        replaced_folder(folder),
    ):  # the next one finds the remains
        raise SourceError("no network")
    assert folder.exists() == before
    assert not before or (folder / "session.json").read_text() == "whole"
    with replaced_folder(folder) as partial:
        an_archive(partial, "new")
    assert (folder / "session.json").read_text() == "new"


def test_folder_that_is_no_archive_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear")
    with pytest.raises(SourceError, match="is no session archive"), replaced_folder(tmp_path / "letters"):
        pytest.fail("it was entered")
    assert (tmp_path / "letters" / "one.txt").read_text() == "dear"


def test_two_processes_do_not_fetch_the_same_session(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "race") as partial:
        with pytest.raises(SourceError, match="another process"), replaced_folder(tmp_path / "race"):
            pytest.fail("it was entered")
        an_archive(partial, "first")
    assert (tmp_path / "race" / "session.json").exists()


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "f1stream", *arguments], env=os.environ | environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def environment(settings: Settings) -> dict[str, str]:
    return {name: str(value) for name, value in settings.environment().items()}


@pytest.mark.parametrize(
    "command",
    [
        ("fetch", "2025", "Australia", "R"), ("sessions", "2025"), ("replay", "fastf1:2025/Australia/R"),
        ("fetch", "2025", "Australia", "X"), ("fetch", "1999", "Australia", "R"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands_print_errors_as_one_sentence_with_exit_code_2(
    nowhere: Settings, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal(monkeypatch, capsys, *command, **environment(nowhere))


@pytest.mark.system
def test_commands_fetch_and_list(mexico: FastF1Servers, settings: Settings) -> None:
    ended = command("fetch", "2025", "Mexico City", "Q", **environment(settings))
    assert ended.returncode == 0, ended.stderr
    folder = settings.home / "archives" / "2025-mexico-city-grand-prix-qualifying"
    rows = pq.read_metadata(folder / "telemetry.parquet").num_rows
    assert f"2025 Mexico City Grand Prix, Qualifying: {rows:,} samples" in ended.stdout
    assert f"--source archive:{folder}" in ended.stdout
    listed = command("sessions", "2025", COLUMNS="200", **environment(settings))
    assert listed.returncode == 0, listed.stderr
    row = next(line for line in listed.stdout.splitlines() if "Mexico City" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "20", "Mexico City Grand Prix", "Mexico City", "2025-10-26", "FP1 FP2 FP3 R", "Q", "",
    ]  # fmt: skip


def test_parsed_sessions_are_not_cached(begun: FastF1Servers, settings: Settings) -> None:
    """A session that was fetched too early would stay in the cache."""
    del begun.answers[f"{LIVETIMING}{MEXICO}CarData.z.jsonStream"]
    with pytest.raises(SourceError):
        fetch(settings, QUALIFYING)
    assert list(settings.fastf1_cache.rglob("*.ff1pkl")) == []


def test_testing_is_listed_with_its_days(settings: Settings) -> None:
    (test,) = [weekend for weekend in weekends(settings, 2025) if weekend.round_number == 0]
    assert (test.event, test.location) == ("Pre-Season Testing", "Sakhir")
    assert test.sessions == tuple((f"Day {day}", datetime(2025, 2, 25 + day, 7, tzinfo=UTC)) for day in (1, 2, 3))


@pytest.mark.parametrize(
    ("event", "day"),
    [
        ("Pre-Season Testing", "Day 1"), ("pre-season testing 1", "d1"), ("Test 1", "Practice 1"),
        ("testing", "day 1"),
    ],
)  # fmt: skip
def test_a_day_of_testing_has_one_name_whatever_it_is_called(settings: Settings, event: str, day: str) -> None:
    with fastf1(settings) as client:
        session, proper = find(client, SessionRef(2025, event, day).checked())
    assert proper == SessionRef(2025, "Pre-Season Testing", "Day 1")
    assert proper.folder == "2025-pre-season-testing-day-1"
    assert session.api_path == f"/static/{TEST_DAY}"
    assert SessionRef.parse(f"2025/{event}/{day}").name == "Day 1"


def test_two_tests_of_one_name_have_numbers(servers: FastF1Servers, settings: Settings) -> None:
    """As in 2026: the calendar of 2025, with its first race as the second test."""
    calendar = json.loads(servers.answers[f"{SCHEDULES}schedule_2025.json"])
    for column in calendar:
        if column != "event_date" and column not in {f"session{day}_date" for day in (1, 2, 3)}:
            calendar[column]["1"] = calendar[column]["0"]
    servers.answers[f"{SCHEDULES}schedule_2025.json"] = json.dumps(calendar).encode()
    tests = [weekend.event for weekend in weekends(settings, 2025) if weekend.round_number == 0]
    assert tests == ["Pre-Season Testing", "Pre-Season Testing 2"]
    with fastf1(settings) as client:
        session, proper = find(client, SessionRef(2025, "Test 2", "Day 2"))
    assert (proper.folder, f"{session.date:%Y-%m-%d}") == ("2025-pre-season-testing-2-day-2", "2025-03-14")


@pytest.mark.parametrize(
    ("event", "day", "sentence"),
    [
        ("Pre-Season Testing", "R", r"'R' is not a session\. Known are: D1 \(Day 1\)"),
        ("Pre-Season Testing", "Day 4", "The 2025 Pre-Season Testing has no Day 4, but Day 1, Day 2, Day 3"),
        ("Test 2", "Day 1", "2025 has no 'Test 2', but Pre-Season Testing"),
    ],
)
def test_a_day_of_testing_that_was_not_held_is_refused(
    settings: Settings, event: str, day: str, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        fetch(settings, SessionRef(2025, event, day).checked())


def test_a_day_of_testing_is_fetched_and_can_be_replayed(servers: FastF1Servers, settings: Settings) -> None:
    """A recorded practice in its place, with generated samples."""
    recording, cars = DATA / "sessions" / "2024_british_practice1", {"4", "81"}
    if not recording.is_dir():
        missing(f"the recorded session at {recording} is not there")
    servers.serve_streams(TEST_DAY, recording, cars, until=b"00:40:00")
    info = f"{LIVETIMING}{TEST_DAY}SessionInfo.jsonStream"
    servers.answers[info] = servers.answers[info].replace(b'"Name":"Practice 1"', b'"Name":"Day 1"')
    data, places = made_up_samples(cars, datetime(2024, 7, 5, 11, 20), 3_000)
    servers.answers[f"{LIVETIMING}{TEST_DAY}CarData.z.jsonStream"] = data
    servers.answers[f"{LIVETIMING}{TEST_DAY}Position.z.jsonStream"] = places
    folder = fetch_if_missing(settings, SessionRef.parse("2025/Pre-Season Testing/Day 1"))
    assert folder.name == "2025-pre-season-testing-day-1"
    session = read_archive(folder)
    info = next(m for m in session.messages if isinstance(m, SessionInfo))
    assert (info.type, info.name) == ("Practice", "Day 1")
    assert {lap.driver for lap in session.laps} == {"NOR", "PIA"}
    assert session.samples() > 1_000
    assert fetched_archive(settings, SessionRef(2025, "Pre-Season Testing", "Day 1")) == folder
    assert fetch_if_missing(settings, SessionRef(2025, "Test 1", "D1")) == folder, "another name for it"
