"""When the F1TV token ends, and that it is never shown."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from f1stream.settings import Settings
from f1stream.sources.livetiming.connection.client import FeedClient
from f1stream.sources.livetiming.connection.token import Tokens, ends_at
from f1stream.sources.session import SourceError

EXP = b'{"exp":1761425186}'


def jwt(claims: bytes) -> str:
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (jwt(b'{"exp":1761425186}'), 1_761_425_186_000),
        (jwt(b'{"exp":1761425186.5}'), 1_761_425_186_500),
        (f"Bearer {jwt(EXP)}\n", 1_761_425_186_000),
        (jwt(b'{"exp":"soon"}'), None),
        (jwt(b'{"exp":1e999}'), None),
        (jwt(b"{}"), None),
        (jwt(b"[]"), None),
        (jwt(b"\xff"), None),
        ("e30.!!!.c2ln", None),
        ("a.b", None),
        ("", None),
    ],
)
def test_a_token_ends_when_its_exp_says(token: str, expected: int | None) -> None:
    assert ends_at(token) == expected
    assert ends_at(SecretStr(token)) == expected


def test_a_token_is_not_shown_with_the_settings() -> None:
    settings = Settings(_env_file=None, f1tv_token="not to be seen")
    assert "not to be seen" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.environment()["F1STREAM_F1TV_TOKEN"] == "not to be seen"
    assert "not to be seen" not in repr(Tokens(settings).current())


def test_a_file_has_precedence_over_the_setting_and_a_missing_one_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "token"
    tokens = Tokens(Settings(_env_file=None, f1tv_token="set", f1tv_token_file=file))
    assert tokens.current() is None
    assert str(file) in caplog.text
    file.write_text("in the file\n")
    assert tokens.current() == SecretStr("in the file")


def test_a_refused_token_is_not_sent_again_and_another_one_is(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    tokens = Tokens(Settings(_env_file=None, f1tv_token_file=file))
    tokens.refuse(SecretStr("one"))
    assert tokens.current() is None
    file.write_text("two")
    assert tokens.current() == SecretStr("two")


@pytest.mark.parametrize("given", [{"f1tv_token": "not to be seen"}, {"f1tv_token_file": "/nowhere"}])
def test_a_token_is_never_sent_in_plain_text(given: dict[str, str]) -> None:
    for url in (
        "http://feed.example/signalrcore",
        "ws://feed.example",
        "ws://127.0.0.1.feed.example",
        "ws://10.0.0.7",
    ):
        settings = Settings(_env_file=None, live_url=url, **given)
        for refuses in (Tokens, FeedClient):
            with pytest.raises(
                SourceError, match=r"without TLS: set F1STREAM_LIVE_URL to a wss:// address"
            ) as refused:
                refuses(settings)
            assert "not to be seen" not in str(refused.value)
        Tokens(Settings(_env_file=None, live_url=url))
    for url in (
        "wss://feed.example",
        "https://feed.example",
        "ws://127.0.0.1:1",
        "http://localhost:1",
        "ws://[::1]:1",
    ):
        Tokens(Settings(_env_file=None, live_url=url, **given))
