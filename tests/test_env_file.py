"""When the ``.env`` of a folder is not read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from f1stream import settings as module
from f1stream.env_file import reason_to_refuse
from f1stream.settings import WrongSetting

ELSEWHERE = "F1STREAM_LIVE_URL=wss://elsewhere.example\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In the folder that we are started in, which had its settings read nowhere."""
    monkeypatch.chdir(tmp_path)
    module.settings.cache_clear()
    yield tmp_path / ".env"
    module.settings.cache_clear()


def test_a_file_of_another_user_or_that_everybody_can_write_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reason_to_refuse(file, {}) == ""
    file.write_text("F1STREAM_WEB_PORT=1234\n")
    for mode in (0o600, 0o644, 0o664):
        file.chmod(mode)
        assert reason_to_refuse(file, {}) == ""
    file.write_bytes(b"F1STREAM_WEB_HOST=\xff\n")
    assert ".env in this folder cannot be read: " in reason_to_refuse(file, {})
    file.chmod(0o666)
    assert f"{file} can be written by every user" in reason_to_refuse(file, {})
    file.chmod(0o600)
    real = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        found = real(path, **how)
        return os.stat_result((*found[:4], os.getuid() + 1, *found[5:]))

    monkeypatch.setattr(Path, "stat", stat)
    assert f"{file} belongs to another user" in reason_to_refuse(file, {})


@pytest.mark.parametrize(
    ("text", "environment", "refused"),
    [
        (ELSEWHERE, {}, False),
        (ELSEWHERE, {"F1STREAM_F1TV_TOKEN": "secret"}, True),
        (ELSEWHERE, {"f1stream_f1tv_token": "secret"}, True),
        (ELSEWHERE.lower(), {"F1STREAM_F1TV_TOKEN": "secret"}, True),
        (ELSEWHERE, {"F1STREAM_F1TV_TOKEN_FILE": "/token"}, True),
        (ELSEWHERE, {"F1STREAM_F1TV_TOKEN": ""}, False),
        (ELSEWHERE + "F1STREAM_F1TV_TOKEN=its own\n", {}, False),
        (ELSEWHERE + "F1STREAM_F1TV_TOKEN_FILE=/home/me/.ssh/id_rsa\n", {}, True),
        (ELSEWHERE, {"F1STREAM_F1TV_TOKEN": "secret", "F1STREAM_LIVE_URL": "wss://chosen.example"}, False),
        ("F1STREAM_F1TV_TOKEN_FILE=/token\n", {}, False),
    ],
)
def test_it_cannot_send_a_token_elsewhere(file: Path, text: str, environment: dict[str, str], refused: bool) -> None:
    file.write_text(text)
    reason = reason_to_refuse(file, environment)
    assert bool(reason) == refused
    assert not refused or f"{file} sets F1STREAM_LIVE_URL" in reason
    assert "secret" not in reason


def test_settings_are_refused_with_a_sentence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(ELSEWHERE)
    monkeypatch.setenv("F1STREAM_F1TV_TOKEN", "secret")
    with pytest.raises(WrongSetting, match="sets F1STREAM_LIVE_URL"):
        module.settings()
    monkeypatch.delenv("F1STREAM_F1TV_TOKEN")
    assert module.settings().live_url == "wss://elsewhere.example"
