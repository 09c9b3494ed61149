"""Recordings that are cut off or fuzzed: complete lines are read, and every other line is counted."""

from __future__ import annotations

import gzip
import json
import os
import random
import zlib
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.reader import Recording, open_recording
from f1stream.sources.session import SourceError
from f1stream.sources.timestamps import utc_text

SEEDS = int(os.environ.get("F1STREAM_FUZZ", "50"))
"""``make fuzz`` takes 1,000."""
STRETCH = slice(3_000, 3_400)
"""Of the whole session's messages: cars are on the track."""


def same(message: FeedMessage) -> tuple[str, str, int]:
    return message.topic, json.dumps(message.data, sort_keys=True), message.sent_ms


def read(path: Path) -> tuple[list[FeedMessage], Recording]:
    """Nothing if no line is complete."""
    try:
        recording = open_recording(path)
    except SourceError:
        return [], Recording(path, lambda _: iter(()), None, lambda _: None)
    return list(recording), recording


@pytest.fixture(scope="module")
def stretch(mexico_feed: list[FeedMessage]) -> list[FeedMessage]:
    return mexico_feed[STRETCH]


def capture(messages: list[FeedMessage]) -> list[str]:
    return [json.dumps([each.topic, each.data, utc_text(each.sent_ms)]) for each in messages]


def streams(messages: list[FeedMessage]) -> dict[str, list[str]]:
    """By file: offsets are from the first message."""
    made: dict[str, list[str]] = {}
    for each in messages:
        offset = each.sent_ms - messages[0].sent_ms
        text = f"{offset // 3_600_000:02}:{offset // 60_000 % 60:02}:{offset // 1000 % 60:02}.{offset % 1000:03}"
        made.setdefault(f"{each.topic}.jsonStream", []).append(text + json.dumps(each.data))
    return made


def test_a_capture_cut_at_any_byte_gives_its_complete_lines(tmp_path: Path, stretch: list[FeedMessage]) -> None:
    lines = capture([each for each in stretch if not each.topic.endswith(".z")][:8])
    text = "\n".join(lines).encode()
    expected = [tuple(line) for line in map(json.loads, lines)]
    path = tmp_path / "cut.jsonl"
    for at in range(len(text)):
        path.write_bytes(text[:at])
        messages, recording = read(path)
        whole = text[: at + 1].count(b"\n")
        got = [(each.topic, each.data, utc_text(each.sent_ms)) for each in messages]
        assert got == expected[:whole], at
        begun = at > 0 and text[at - 1 : at] != b"\n" and text[at : at + 1] != b"\n"
        assert recording.counts.damaged.total() == (1 if begun and messages else 0), at


@pytest.mark.parametrize("members", [1, 3])
def test_a_gzip_capture_cut_at_many_bytes_is_read_as_far_as_possible(
    tmp_path: Path, stretch: list[FeedMessage], members: int
) -> None:
    text = "\n".join(capture(stretch)).encode()
    third = len(text) // members + 1
    packed = b"".join(gzip.compress(text[at : at + third]) for at in range(0, len(text), third))
    path = tmp_path / "cut.jsonl.gz"
    for at in sorted({*range(0, len(packed), len(packed) // 150), *range(40), *range(len(packed) - 12, len(packed))}):
        path.write_bytes(packed[:at])
        messages, recording = read(path)
        unpacked = _unpacked(packed[:at])
        assert len(messages) in {unpacked.count(b"\n"), unpacked.count(b"\n") + (len(unpacked) == len(text))}, at
        assert list(map(same, messages)) == list(map(same, stretch[: len(messages)])), at
        if messages:
            assert recording.counts.damaged[path.name, "compressed data is cut off here"] == (
                1 if at % len(packed) else 0
            ) or _between_members(packed, at), at


def _unpacked(packed: bytes) -> bytes:
    made = []
    while packed:
        member = zlib.decompressobj(wbits=31)
        made.append(member.decompress(packed))
        packed = member.unused_data
    return b"".join(made)


def _between_members(packed: bytes, at: int) -> bool:
    return packed[at : at + 2] == b"\x1f\x8b"


def test_an_answer_to_subscribing_cut_at_many_bytes_gives_its_complete_topics(
    tmp_path: Path, recordings: Path
) -> None:
    folder = recordings / "mexico2025_qualifying" / "signalr_capture" / "2024_Silverstone_Practice_1"
    text = gzip.decompress((folder / "subscribe.txt.gz").read_bytes())
    states = json.loads(text)
    path = tmp_path / "subscribe.txt"
    for at in range(1, len(text), len(text) // 97):
        path.write_bytes(text[:at])
        messages, recording = read(path)
        assert {each.topic: each.data for each in messages} == dict(list(states.items())[: len(messages)])
        assert all(each.snapshot for each in messages)
        if messages:
            assert recording.counts.damaged.total() == 1
    assert len(messages) == len(states) - 1


def test_only_the_garbled_topic_of_an_answer_is_skipped(tmp_path: Path, recordings: Path) -> None:
    folder = recordings / "mexico2025_qualifying" / "signalr_capture" / "2024_Imola_Qualifying"
    text = gzip.decompress((folder / "subscribe.txt.gz").read_bytes())
    states = json.loads(text)
    at = text.index(b"\n", text.index(b'"TimingStats"') + 400)
    (tmp_path / "subscribe.txt").write_bytes(text[:at] + b"}}]" + text[at:])
    messages, recording = read(tmp_path)
    assert {each.topic: each.data for each in messages} == {k: v for k, v in states.items() if k != "TimingStats"}
    assert recording.counts.damaged.total() == 1


Mutation = Callable[[random.Random, list[str], int], None]


def _cut(dice: random.Random, lines: list[str], at: int) -> None:
    lines[at] = lines[at][: dice.randrange(1, len(lines[at]))]


def _cut_from_the_front(dice: random.Random, lines: list[str], at: int) -> None:
    lines[at] = lines[at][dice.randrange(1, len(lines[at])) :]


def _swapped(dice: random.Random, lines: list[str], at: int) -> None:
    other = min(max(at + dice.choice([-5, -1, 1, 5]), 0), len(lines) - 1)
    lines[at], lines[other] = lines[other], lines[at]


def _duplicated(_: random.Random, lines: list[str], at: int) -> None:
    lines.insert(at, lines[at])


def _joined(_: random.Random, lines: list[str], at: int) -> None:
    lines[at] += lines.pop() if at < len(lines) - 1 else ""


def _bytes_changed(dice: random.Random, lines: list[str], at: int) -> None:
    changed = list(lines[at])
    for _ in range(dice.randrange(1, 6)):
        changed[dice.randrange(len(changed))] = chr(
            dice.choice([0, 9, 34, 39, 44, 58, 91, 92, 93, 123, 125, 0xD800 - 1])
        )
    lines[at] = "".join(changed)


def _wrong_type(dice: random.Random, lines: list[str], at: int) -> None:
    wrong = dice.choice(["17", "null", "true", '"text"', "[]", "{}", "1e999", "NaN", "[" * 2_000, '{"Lines": 3}'])
    if lines[at].startswith("["):
        try:
            parts = list(map(json.dumps, json.loads(lines[at])))
        except ValueError:
            return  # it is damaged enough already
        parts[dice.randrange(len(parts))] = wrong
        lines[at] = f"[{', '.join(parts)}]"
    else:
        lines[at] = lines[at][:12] + wrong


def _wrong_compression(dice: random.Random, lines: list[str], at: int) -> None:
    """A compressed text with bytes missing, which a reader of lines cannot notice; else the line, compressed."""
    if '"7' in lines[at]:
        begin = lines[at].index('"7') + 1
        lines[at] = lines[at][:begin] + lines[at][begin + dice.randrange(1, 40) :]
    else:
        lines[at] = gzip.compress(lines[at].encode()).decode("latin-1").replace("\n", "")


MUTATIONS: list[Mutation] = [
    _cut, _cut_from_the_front, _swapped, _duplicated, _joined, _bytes_changed, _wrong_type, _wrong_compression,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(SEEDS))
def test_only_fuzzed_lines_are_skipped(tmp_path: Path, stretch: list[FeedMessage], seed: int) -> None:
    dice = random.Random(seed)
    files = {"capture.jsonl": capture(stretch)} if seed % 2 else streams(stretch)
    untouched = {line for lines in files.values() for line in lines}
    for lines in files.values():
        for _ in range(dice.randrange(0, 1 + min(12, len(lines) // 2))):
            dice.choice(MUTATIONS)(dice, lines, dice.randrange(len(lines)))
    for name, lines in files.items():
        text = dice.choice(["\n", "\r\n"]).join(lines).encode("utf-8", "surrogatepass")
        packed = dice.random() < 0.3
        (tmp_path / f"{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(text) if packed else text)
    messages, recording = read(tmp_path if len(files) > 1 else next(tmp_path.iterdir()))
    counts = recording.counts
    lines = [line for lines in files.values() for line in lines if line.strip(" \t\r")]
    assert len(messages) + counts.damaged.total() == len(lines)
    assert counts.messages.total() == len(messages)
    assert all(a.sent_ms <= b.sent_ms for a, b in pairwise(messages))
    wholly = Counter(line for lines in files.values() for line in lines if line in untouched)
    got = Counter(same(message)[:2] for message in messages)
    assert not _content(files, wholly) - got


def _content(files: dict[str, list[str]], wholly: Counter[str]) -> Counter[tuple[str, str]]:
    """The content of the untouched lines."""
    content: Counter[tuple[str, str]] = Counter()
    for name, lines in files.items():
        for line in lines:
            if line not in wholly:
                continue
            topic, data = json.loads(line)[:2] if name == "capture.jsonl" else (
                name.removesuffix(".jsonStream"), json.loads(line[12:])
            )  # fmt: skip
            content[topic, json.dumps(data, sort_keys=True)] += 1
    return content


@pytest.mark.parametrize("seed", range(SEEDS))
def test_damaged_gzip_is_read_up_to_the_damage(tmp_path: Path, stretch: list[FeedMessage], seed: int) -> None:
    dice = random.Random(seed)
    files = streams(stretch)
    for name, lines in files.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    path = tmp_path / "TimingData.jsonStream.gz"
    packed = bytearray(path.read_bytes())
    at = dice.randrange(18, len(packed))
    packed[at] ^= 1 << dice.randrange(8)
    path.write_bytes(packed)
    messages, recording = read(tmp_path)
    others = Counter(same(each)[:2] for each in stretch if each.topic != "TimingData")
    assert Counter(same(each)[:2] for each in messages if each.topic != "TimingData") == others
    assert {file for file, _ in recording.counts.damaged} == {path.name}
    before = len(_as_far(bytes(packed[:at])))
    whole = Counter(same(each)[1] for each in [e for e in stretch if e.topic == "TimingData"][:before])
    assert not whole - Counter(same(each)[1] for each in messages if each.topic == "TimingData")


def _as_far(packed: bytes) -> list[bytes]:
    """The complete lines before the damage."""
    return zlib.decompressobj(wbits=31).decompress(packed).split(b"\n")[:-1]
