"""Who can enter the folder with our data."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from f1stream.lock import one_at_a_time
from f1stream.private_folder import private_folder
from f1stream.settings import Settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_mask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_what_is_made_is_the_owners_only(tmp_path: Path) -> None:
    made = private_folder(tmp_path / "a" / "b" / "home")
    assert mode(made) == 0o700
    assert mode(tmp_path / "a") == 0o755


def test_one_that_is_open_is_closed(tmp_path: Path) -> None:
    for was in (0o755, 0o770, 0o777, 0o701):
        tmp_path.chmod(was)
        assert mode(private_folder(tmp_path)) == 0o700
    tmp_path.chmod(0o500)
    assert mode(private_folder(tmp_path)) == 0o500


def test_what_is_not_ours_alone_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o1777)
    private_folder(tmp_path)
    assert mode(tmp_path) == 0o1777
    tmp_path.chmod(0o755)
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    private_folder(tmp_path)
    assert mode(tmp_path) == 0o755


def test_every_command_closes_its_home(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path / "home")
    assert settings.folder("logs", "old").is_dir()
    assert mode(settings.home) == 0o700
    settings.home.chmod(0o755)
    with one_at_a_time(settings):
        assert mode(settings.home) == 0o700
