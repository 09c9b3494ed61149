from __future__ import annotations

from pathlib import Path

import pytest

from f1stream.jobs import child
from f1stream.jobs.child import Child
from f1stream.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path)


def test_what_it_writes_reaches_our_stderr_and_its_log_which_a_later_run_goes_on_with(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    followed = Child(settings, "live")
    assert followed.run("replay", "sim:laps=none") == 2
    assert "'none'" in followed.last_words()
    assert followed.run("replay", "sim:laps=nowhere") == 2
    assert "nowhere" in followed.last_words(), "its own"
    for told in ((settings.home / "logs" / "live.log").read_text(), capsys.readouterr().err):
        assert told.index("'none'") < told.index("nowhere")


def test_a_run_that_wrote_nothing_has_no_last_words(settings: Settings) -> None:
    followed = Child(settings, "live")
    followed.run("replay", "sim:laps=nowhere")
    followed.run("replay", "sim:laps=nowhere", goes_on=lambda: False)
    assert followed.last_words() == ""


def test_a_large_log_is_put_aside(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LOG_BYTES", 10)
    logs = settings.home / "logs"
    logs.mkdir()
    (logs / "live.log").write_text("what was said long ago\n")
    Child(settings, "live").run("replay", "sim:laps=nowhere")
    assert "nowhere" in (logs / "live.log").read_text()
    assert (logs / "live.old.log").read_text() == "what was said long ago\n"
