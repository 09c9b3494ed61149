"""Recordings are read as they were received, by us and by FastF1's rules, even if the writer was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from f1stream.sources.livetiming.connection.recorder import Recorder
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import SourceError

STATE = FeedMessage("TrackStatus", {"Status": "1"}, 1_741_000_000_000, True)
CHANGE = FeedMessage(
    "RaceControlMessages", {"Messages": {"1": {"Message": 'CAR 5 (O\'WARD) – "NOTED"'}}}, 1_741_000_000_123
)


def test_a_recording_is_read_as_it_was_received(tmp_path: Path, mexico_feed: list[FeedMessage]) -> None:
    messages = [STATE, CHANGE, *mexico_feed]
    with Recorder(tmp_path / "deep" / "session.jsonl") as recorder:
        for message in messages:
            recorder.write(message)
    recording = open_recording(recorder.path)
    assert list(recording) == messages
    assert not recording.counts.damaged


def test_fastf1_can_read_it(tmp_path: Path) -> None:
    """FastF1 3.9 makes JSON of a line by replacing every ', True and False, and takes its three parts."""
    with Recorder(tmp_path / "session.jsonl") as recorder:
        recorder.write(CHANGE)
    line = recorder.path.read_text().replace("'", '"').replace("True", "true").replace("False", "false")
    assert json.loads(line) == [CHANGE.topic, CHANGE.data, "2025-03-03T11:06:40.123Z"]


def test_every_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "session.jsonl")
    recorder.write(STATE)
    assert recorder.path.read_bytes().count(b"\n") == 1
    recorder.close()


def test_an_existing_recording_is_not_overwritten_and_may_be_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with Recorder(path) as recorder:
        recorder.write(STATE)
    with pytest.raises(SourceError, match="exists already"):
        Recorder(path)
    with Recorder(path, append=True) as recorder:
        recorder.write(CHANGE)
    assert list(open_recording(path)) == [STATE, CHANGE]


def test_only_the_cut_line_is_lost_when_appending(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_bytes(b'["TrackStatus",{"Sta')
    with Recorder(path, append=True) as recorder:
        recorder.write(CHANGE)
    recording = open_recording(path)
    assert list(recording) == [CHANGE]
    assert recording.counts.damaged.total() == 1


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be written"):
        Recorder(tmp_path / "file" / "session.jsonl")


def test_a_full_disk_is_reported() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    recorder = Recorder(Path("/dev/full"), append=True)
    with pytest.raises(SourceError, match="make room"):
        recorder.write(STATE)


WRITER = """
import sys
from pathlib import Path
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.connection.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), append=True)
for n in range(10**9):
    recorder.write(FeedMessage("LapCount", {"n": n, "text": "x" * 500}, 1_741_000_000_000 + n))
"""


def test_a_kill_costs_at_most_the_line_that_it_cuts(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    counts: Counter[int] = Counter()
    for _ in range(3):
        before = path.stat().st_size if path.exists() else 0
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        while not path.exists() or path.stat().st_size < before + 100_000:
            assert writer.poll() is None
            time.sleep(0.005)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    recording = open_recording(path)
    counts.update(message.data["n"] for message in recording)
    assert sum(recording.counts.damaged.values()) <= 3
    assert counts[0] == 3
    assert sorted(counts) == list(range(max(counts) + 1))
