"""``f1stream COMMAND`` in the process of a test."""

from __future__ import annotations

import sys

import pytest

from f1stream import cli, logs
from f1stream.settings import settings


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *command: str, **environment: str
) -> list[str]:
    """What a command that must be refused writes to stderr, line by line; the last is one sentence.

    The log of its process, which is ours here, stays as it was.
    """
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["f1stream", *command])
    settings.cache_clear()
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        settings.cache_clear()
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("f1stream: ")
    assert not any("Traceback" in line for line in lines)
    return lines
