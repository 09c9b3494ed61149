"""Recordings: every recorded file is read completely, in every form; damaged lines are reported and skipped."""

from __future__ import annotations

import ast
import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from f1stream.sources.livetiming.message import Damage, FeedMessage
from f1stream.sources.livetiming.recording.reader import Recording, open_recording
from f1stream.sources.session import SourceError
from f1stream.sources.timestamps import utc_ms, utc_text

MEXICO, FROZEN = "mexico2025_qualifying", "livetiming_frozen"


def read(path: Path) -> tuple[list[FeedMessage], Recording]:
    recording = open_recording(path)
    return list(recording), recording


def damage(recording: Recording) -> int:
    return recording.counts.damaged.total() + recording.counts.late.total()


def same(message: FeedMessage) -> tuple[str, str, int]:
    return message.topic, json.dumps(message.data, sort_keys=True), message.sent_ms


def in_time(messages: list[FeedMessage]) -> bool:
    return all(a.sent_ms <= b.sent_ms for a, b in pairwise(messages))


def test_every_stream_of_mexico_has_as_many_messages_as_its_index_says(recordings: Path) -> None:
    recording = open_recording(recordings / MEXICO / "raw")
    assert in_time(list(recording))
    index = json.loads((recordings / MEXICO / "index.json").read_text())
    assert recording.counts.messages == {file["topic"]: file["messages"] for file in index["files"]}
    assert recording.counts.messages.total() == index["stats"]["messages"] == 20_552
    assert damage(recording) == 0
    assert recording.clock is not None
    assert (utc_text(recording.clock.t0_ms), recording.clock.source) == ("2025-10-25T20:46:26.000Z", "Heartbeat")


def test_every_frozen_file_has_as_many_messages_as_its_index_says_it_has_lines(recordings: Path) -> None:
    read_files = 0
    for entry in json.loads((recordings / FROZEN / "index.json").read_text()):
        if ".jsonStream" not in entry["file"]:
            continue
        messages, recording = read(recordings / FROZEN / entry["file"])
        assert (len(messages), damage(recording)) == (entry["lines"], 0), entry["file"]
        read_files += 1
    on_disk = [path for path in (recordings / FROZEN).rglob("*") if ".jsonStream" in path.name]
    assert read_files == len(on_disk) == 37


def test_frozen_folder_has_all_of_its_files(recordings: Path) -> None:
    for folder in (path for path in (recordings / FROZEN).iterdir() if path.is_dir()):
        messages, recording = read(folder)
        assert recording.counts.messages.keys() == {
            path.name.partition(".jsonStream")[0] for path in folder.iterdir()
        }
        assert in_time(messages)


def test_folder_and_capture_have_the_same_content(recordings: Path, mexico_feed: list[FeedMessage]) -> None:
    captured, recording = read(recordings / MEXICO / "derived_live.jsonl.gz")
    assert damage(recording) == 0
    assert Counter(map(same, captured)) == Counter(map(same, mexico_feed))
    for topic in recording.counts.messages:
        assert [same(m) for m in captured if m.topic == topic] == [same(m) for m in mexico_feed if m.topic == topic]


@pytest.mark.parametrize(
    ("name", "deltas", "states"),
    [("2024_Imola_Qualifying", 9_991, 12), ("2024_Silverstone_Practice_1", 11_438, 13)],
)
def test_both_text_captures_are_read_with_their_first_states(
    recordings: Path, name: str, deltas: int, states: int
) -> None:
    folder = recordings / MEXICO / "signalr_capture" / name
    messages, recording = read(folder)
    assert [message.snapshot for message in messages] == [True] * states + [False] * deltas
    assert damage(recording) == 0
    assert in_time(messages)
    answer = json.loads(gzip.decompress((folder / "subscribe.txt.gz").read_bytes()))
    assert {message.topic: message.data for message in messages[:states]} == answer
    assert list(map(same, open_recording(folder / "live.txt.gz"))) == list(map(same, messages))


@pytest.mark.parametrize("name", ["2024_Imola_Qualifying", "2024_Silverstone_Practice_1"])
def test_capture_s_content_is_the_same_in_every_form(recordings: Path, tmp_path: Path, name: str) -> None:
    messages, _ = read(recordings / MEXICO / "signalr_capture" / name)
    deltas = [message for message in messages if not message.snapshot]
    forms: dict[str, Any] = {
        "hub": lambda m: json.dumps({"H": "Streaming", "M": "feed", "A": [m.topic, m.data, utc_text(m.sent_ms)]}),
        "typed": lambda m: json.dumps({"Type": m.topic, "Json": m.data, "DateTime": utc_text(m.sent_ms)}),
        "json": lambda m: json.dumps([m.topic, m.data, utc_text(m.sent_ms)]),
        "python": lambda m: repr([m.topic, m.data, utc_text(m.sent_ms)]),
    }
    for nth, (form, line) in enumerate(forms.items()):
        written = deltas[nth :: len(forms)]  # every message in one of the forms
        path = tmp_path / f"{form}.txt"
        path.write_text("\r\n".join(map(line, written)))
        again, recording = read(path)
        assert (list(map(same, again)), damage(recording)) == (list(map(same, written)), 0), form


def test_plain_gzip_line_ends_and_bom_make_no_difference(
    recordings: Path, tmp_path: Path, mexico_feed: list[FeedMessage]
) -> None:
    for path in (recordings / MEXICO / "raw").iterdir():
        text = path.read_bytes()
        text = gzip.decompress(text) if path.name.endswith(".gz") else text
        name = path.name.removesuffix(".gz")
        text = b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n").rstrip()
        if name.startswith("T"):
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text))
        else:
            (tmp_path / name).write_bytes(text)
    again, recording = read(tmp_path)
    assert damage(recording) == 0
    assert list(map(same, again)) == list(map(same, mexico_feed))


def test_messages_that_were_flushed_together_are_in_the_order_of_their_own_times(
    mexico_feed: list[FeedMessage],
) -> None:
    end_ms = mexico_feed[-1].sent_ms
    burst = [message for message in mexico_feed if message.sent_ms == end_ms]
    beats = [utc_ms(message.data["Utc"]) for message in burst if message.topic == "Heartbeat"]
    assert len(beats) == 80
    assert beats == sorted(beats)
    assert [message.topic for message in burst[-80:]] == ["Heartbeat"] * 80
    first = [message.data for message in burst if message.topic == "SessionStatus"]
    assert [status["Status"] for status in first] == ["Finalised", "Ends"]


CLOCKS = [
    (["Heartbeat"], "2025-10-25T20:46:26.000Z"),
    (["ExtrapolatedClock"], "2025-10-25T20:46:23.899Z"),
    (["SessionData"], "2025-10-25T20:46:23.899Z"),
    (["CarData.z"], "2025-10-25T20:46:23.899Z"),
    (["Position.z"], "2025-10-25T20:46:23.899Z"),
    (["RaceControlMessages"], "2025-10-25T20:46:23.504Z"),
    (["SessionInfo"], "2025-10-25T21:00:00.000Z"),
    ([""], "1970-01-01T00:00:00.000Z"),
]


@pytest.mark.parametrize(("clocks", "t0"), CLOCKS, ids=[names[0] or "nothing" for names, _ in CLOCKS])
def test_offsets_become_times_by_the_most_reliable_topic(
    recordings: Path, tmp_path: Path, clocks: list[str], t0: str
) -> None:
    for path in (recordings / MEXICO / "raw").iterdir():
        if path.name.partition(".jsonStream")[0] in (*clocks, "TrackStatus"):
            (tmp_path / path.name).symlink_to(path)
    messages, recording = read(tmp_path)
    assert recording.clock is not None
    assert (utc_text(recording.clock.t0_ms), recording.clock.source) == (t0, clocks[0])
    assert [m.sent_ms - recording.clock.t0_ms for m in messages if m.topic == "TrackStatus"] == [0, 317_922, 472_904]


BROKEN = {
    "it does not have three parts: topic, data, time": [2, 3, 5, 6, 11, 12, 14, 16, 17, 18, 24, 25, 30, 31, 32, 37,
                                                        38, 44, 45, 50, 51],
    "it is neither JSON nor a list as Python writes it: cut off or garbled": [10, 21, 29, 48],
    "it has none of the known forms": [7],
    "its time is not valid": [27, 34, 40, 47],
}  # fmt: skip


def test_a_broken_capture_is_read_and_every_damaged_line_is_reported(recordings: Path) -> None:
    path = recordings / FROZEN / "signalr_capture_with_errors_2021.txt"
    damages: list[Damage] = []
    recording = open_recording(path, damages.append)
    messages = list(recording)
    assert len(messages) + len(damages) == len(path.read_text().splitlines()) == 51
    by_reason: dict[str, list[int]] = {}
    for each in damages:
        by_reason.setdefault(each.reason, []).append(each.line)
    assert by_reason == BROKEN
    assert recording.counts.damaged == {(path.name, reason): len(lines) for reason, lines in BROKEN.items()}
    assert recording.counts.first == {(path.name, reason): lines[0] for reason, lines in BROKEN.items()}
    whole = [
        line for n, line in enumerate(path.read_text().splitlines(), 1) if all(n not in v for v in BROKEN.values())
    ]
    assert Counter(map(same, messages)) == Counter(
        (topic, json.dumps(data, sort_keys=True), utc_ms(utc)) for topic, data, utc in map(ast.literal_eval, whole)
    )


def test_fastf1_s_answer_to_subscribing_is_state_and_has_the_time_of_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "saved.txt"
    lines = [
        ["TrackStatus", '{"Status": "1"}', ""],
        ["CarData.z", '"7Z=="', ""],
        ["TrackStatus", {"Status": "2"}, "2025-03-16T04:00:00.123Z"],
    ]
    path.write_text("\n".join(map(str, lines)))
    sent_ms = utc_ms("2025-03-16T04:00:00.123Z")
    assert list(open_recording(path)) == [
        FeedMessage("TrackStatus", {"Status": "1"}, sent_ms, True),
        FeedMessage("CarData.z", "7Z==", sent_ms, True),
        FeedMessage("TrackStatus", {"Status": "2"}, sent_ms),
    ]


def test_a_message_with_a_far_later_time_delays_no_other(tmp_path: Path) -> None:
    lines = [f'00:00:{second:02}.000{{"n":{second}}}' for second in range(60)]
    lines[20] = '23:00:00.000{"n":20}'
    lines[40] = '00:00:00.001{"n":40}'
    path = tmp_path / "LapCount.jsonStream"
    path.write_text("\n".join(lines))
    messages, recording = read(path)
    assert in_time(messages)
    order = [message.data["n"] for message in messages]
    assert order == [0, 40, *(n for n in range(1, 60) if n not in (20, 40)), 20]
    assert damage(recording) == 0


def test_message_far_too_late_keeps_its_content_and_is_counted(tmp_path: Path) -> None:
    lines = [f'00:{n // 60:02}:{n % 60:02}.000{{"n":{n}}}' for n in range(600)]
    lines[500] = '00:00:00.001{"n":500}'
    path = tmp_path / "LapCount.jsonStream"
    path.write_text("\n".join(lines))
    messages, recording = read(path)
    assert in_time(messages)
    assert sorted(message.data["n"] for message in messages) == list(range(600))
    assert recording.counts.late == {path.name: 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none", None),
        ("empty.txt", b""),
        ("empty.jsonStream", b""),
        ("picture.png", bytes(range(256)) * 100),
        ("folder", {}),
        ("other", {"README.md": b"[]"}),
        ("deep.txt", b"[" * 100_000),
        ("deeper.txt", b"['a', " + b"-" * 100_000 + b"1, '2025-03-16T04:00:00Z']"),
        ("sets.txt", b"['Heartbeat', {1, 2}, '2025-03-16T04:00:00Z']"),
        ("cut.txt.gz", gzip.compress(b"[]", mtime=0)[:5]),
    ],
)
def test_a_path_without_a_recording_is_refused_in_a_sentence(tmp_path: Path, name: str, content: Any) -> None:
    path = tmp_path / name
    if isinstance(content, dict):
        path.mkdir()
        for file, text in content.items():
            (path / file).write_bytes(text)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(
        SourceError, match=rf"{name} (does not exist|has no readable).*: a recording is|{name} contains no record"
    ):
        open_recording(path)


def test_an_endless_line_takes_no_memory_and_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from f1stream.sources.livetiming.recording import lines

    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100_000)
    path = tmp_path / "LapCount.jsonStream"
    path.write_text('00:00:01.000{"n":1}\n' + "x" * 1_000_000 + '\n00:00:02.000{"n":2}\n' + "y" * 150_000)
    messages, recording = read(path)
    assert [message.data["n"] for message in messages] == [1, 2]
    assert recording.counts.damaged == {(path.name, "longer than 100,000 bytes"): 2}
