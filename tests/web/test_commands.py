from __future__ import annotations

import pytest

from web.commands import BadCommand, GoLive, Pause, Play, initial_command, parse_command


def test_a_viewer_begins_live_unless_the_address_says_otherwise() -> None:
    assert initial_command({}) == GoLive(id=0, do="live")
    assert initial_command({"delay_ms": "12300", "session": "9693"}) == GoLive(id=0, do="live", delay_ms=12_300)
    assert initial_command({"at": "5000"}) == Pause(id=0, do="pause", t=5_000)
    assert initial_command({"at": "5000", "speed": "0.5", "delay_ms": "100"}) == Play(
        id=0, do="play", t=5_000, speed=0.5, delay_ms=100
    )


@pytest.mark.parametrize(
    "query",
    [{"at": "soon"}, {"at": "1e9"}, {"at": "99999999999"}, {"at": "1", "speed": "64"}, {"delay_ms": "-1"},
     {"delay_ms": "600001"}, {"at": "1", "speed": "nan"}, {"at": ""}],
)  # fmt: skip
def test_an_invalid_position_is_refused_with_a_sentence(query: dict[str, str]) -> None:
    with pytest.raises(BadCommand, match=r"^(live|play|pause)\.\w+: "):
        initial_command(query)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "null",
     "{", '{"do":"live"}', '{"do":"sing","id":1}', '{"do":"pause","id":1,"t":"x"}',
     '{"do":"play","id":1,"speed":17}', '{"do":"play","id":1,"speed":0}', '{"do":"lap","id":1,"lap":0}',
     '{"do":"pause","id":1,"t":1,"more":2}',
     '{"do":"pause","id":-1}', "[" * 3_000, '{"do":"pause","id":1,"t":1e400}'],
)  # fmt: skip
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadCommand):
        parse_command(text)
