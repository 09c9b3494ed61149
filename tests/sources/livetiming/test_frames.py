"""Raw SignalR frames, as other tools save them: a line each, with any number of messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.reader import Recording, open_recording
from f1stream.sources.timestamps import utc_text
from tests.support.feed import DRIVERS, info, run_of_laps, sent

STATES = {"SessionInfo": info(7), "DriverList": DRIVERS, "CarData.z": "q1ZKzs8r..."}
CHANGES = [sent("SessionStatus", {"Status": "Started"}, 60), *run_of_laps("4", 70, 3)]


def classic(messages: list[FeedMessage]) -> dict[str, Any]:
    """A frame of the classic protocol."""
    calls = [
        {"H": "Streaming", "M": "feed", "A": [each.topic, each.data, utc_text(each.sent_ms)]} for each in messages
    ]
    return {"C": "d-1234,0|A,B|C,1", "M": calls}


def core(message: FeedMessage) -> dict[str, Any]:
    """A record of SignalR Core."""
    return {"type": 1, "target": "feed", "arguments": [message.topic, message.data, utc_text(message.sent_ms)]}


def written(path: Path, lines: list[Any], end: str = "") -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + end + "\n" for line in lines))
    return path


def read(path: Path) -> tuple[list[FeedMessage], Recording]:
    recording = open_recording(path)
    return list(recording), recording


def test_frames_contain_several_messages_and_the_states(tmp_path: Path) -> None:
    lines = [
        {"C": "d-0", "S": 1, "M": []}, {"R": STATES, "I": "1"}, classic(CHANGES[:1]), {}, {"C": "d-2", "M": []},
        classic(CHANGES[1:]), {"I": "2"},
    ]  # fmt: skip
    messages, recording = read(written(tmp_path / "frames.txt", lines))
    assert recording.counts.damaged.total() == 0
    assert [(each.topic, each.sent_ms) for each in messages if each.snapshot] == [
        (topic, CHANGES[0].sent_ms) for topic in STATES
    ]
    assert [each for each in messages if not each.snapshot] == CHANGES
    session, _ = as_session(messages, "x")
    assert (session.session_key, len(session.laps)) == ("7", 3)


def test_an_answer_in_the_middle_has_the_time_of_what_follows(tmp_path: Path) -> None:
    """After a reconnect a client subscribes again."""
    lines = [{"R": STATES, "I": "1"}, classic(CHANGES[:3]), {"R": STATES, "I": "1"}, classic(CHANGES[3:])]
    messages, _ = read(written(tmp_path / "frames.txt", lines))
    again = [each for each in messages if each.snapshot][len(STATES) :]
    assert {each.sent_ms for each in again} == {CHANGES[3].sent_ms}
    assert [each for each in messages if not each.snapshot] == CHANGES


@pytest.mark.parametrize("end", ["", "\x1e"])
def test_records_of_signalr_core_are_read(tmp_path: Path, end: str) -> None:
    lines = [{"type": 6}, {"type": 3, "invocationId": "1", "result": STATES}, *map(core, CHANGES), {"type": 7}]
    messages, recording = read(written(tmp_path / "frames.txt", lines, end))
    assert recording.counts.damaged.total() == 0
    assert [each for each in messages if not each.snapshot] == CHANGES
    assert [each.topic for each in messages if each.snapshot] == list(STATES)


def test_records_on_one_line_are_read(tmp_path: Path) -> None:
    text = "\x1e".join(json.dumps(core(each)) for each in CHANGES)
    assert (
        read(written(tmp_path / "frames.txt", [{"type": 3, "result": STATES}, text]))[0][-len(CHANGES) :] == CHANGES
    )


def test_only_the_damaged_message_of_a_frame_is_skipped(tmp_path: Path) -> None:
    frame = classic(CHANGES)
    frame["M"][1:1] = [7, {"H": "Streaming", "M": "feed", "A": ["TimingData", 7, "x"]}, {"H": "x", "M": "other"}]
    messages, recording = read(written(tmp_path / "frames.txt", [{"R": STATES}, frame, {"Other": 1}]))
    assert [each for each in messages if not each.snapshot] == CHANGES
    assert recording.counts.damaged.total() == 4
