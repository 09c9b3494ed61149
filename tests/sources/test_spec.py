"""Source names."""

from __future__ import annotations

from pathlib import Path

import pytest

from f1stream.sources.session import SourceError
from f1stream.sources.spec import open_source


def test_simulated_sessions_are_different_races_under_keys_of_their_own() -> None:
    first, second = (make() for make in open_source("sim:cars=3,laps=2,seed=5,sessions=2"))
    assert first.session_key != second.session_key
    assert [lap.lap_time_ms for lap in first.laps] != [lap.lap_time_ms for lap in second.laps]
    assert len(first.telemetry) == len(second.telemetry) == 3


def test_missing_archive_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        open_source(f"archive:{tmp_path / 'nowhere'}")


def test_archive_is_read_only_when_its_session_is_requested(tmp_path: Path) -> None:
    (make,) = open_source(f"archive:{tmp_path}")
    with pytest.raises(SourceError, match=r"session\.json is missing"):
        make()


def test_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "races").mkdir()
    assert len(open_source("archive:~/races")) == 1


@pytest.mark.parametrize("spec", ["", "archive", "archive:", "kafka:here", "/a/path"])
def test_unknown_source_is_refused_with_the_known_ones(spec: str) -> None:
    with pytest.raises(
        SourceError,
        match=r"is not a source\. Known are: archive:PATH, fastf1:YEAR/EVENT/SESSION, recording:PATH, sim:",
    ):
        open_source(spec)


def test_damage_of_a_recording_is_logged_and_the_rest_is_replayed(
    recordings: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = recordings / "livetiming_frozen" / "2025-04-13_Bahrain__2025-04-13_Race"
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "TrackStatus.jsonStream").open("ab") as track_status:
        lines = ['00:59:00.000{"Status":', '00:59:01.000{"Message":"AllClear"}', '00:59:02.000{"Status":"1","New":1}']
        track_status.write("".join(line + "\n" for line in lines).encode())
    (whole,), (damaged,) = open_source(f"recording:{folder}"), open_source(f"recording:{tmp_path}")
    undamaged, read = whole(), damaged()
    assert len(read.messages) == len(undamaged.messages) + 1
    assert "1 lines could not be read and 1 messages are not valid for their topic" in caplog.text
    assert "TrackStatus.New" in caplog.text
