"""Folders for temporary files: gone with their process, or swept by the next; never while one is in use."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from f1stream.scratch import ScratchFailed, scratch_folder

HOLDS_ONE = """
import sys
from f1stream.scratch import scratch_folder
with scratch_folder("demo") as folder:
    (folder / "rows").write_text("150 MB")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of the test's own, for children too."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / f"f1stream-{os.getuid()}"


def holder() -> tuple[subprocess.Popen[str], Path]:
    """A process that has a folder, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_ours_alone_and_gone_afterwards(temporary: Path) -> None:
    with scratch_folder("demo") as folder:
        (folder / "rows").write_text("some")
        assert folder.parent == temporary
        assert [path.stat().st_mode & 0o777 for path in (temporary, folder)] == [0o700, 0o700]
    assert list(temporary.iterdir()) == []


def test_folders_of_killed_processes_are_removed_at_the_next_start_and_used_ones_are_not(temporary: Path) -> None:
    (killed, left), (running, used) = holder(), holder()
    try:
        killed.kill()
        killed.wait()
        assert (left / "rows").exists(), "nobody could remove it"
        with scratch_folder("demo") as folder:
            assert set(temporary.iterdir()) == {used, folder}
            assert (used / "rows").exists()
    finally:
        running.communicate()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_others_may_enter_is_refused(temporary: Path) -> None:
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o777)
    with pytest.raises(ScratchFailed, match=f"{temporary} is open to others"), scratch_folder("demo"):
        pass


def test_a_link_to_elsewhere_is_refused(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    temporary.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ScratchFailed, match=str(temporary)), scratch_folder("demo"):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_of_another_user_is_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary.mkdir(mode=0o700)
    another = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another)
    temporary.rename(temporary.with_name(f"f1stream-{another}"))
    with pytest.raises(ScratchFailed, match="is open to others"), scratch_folder("demo"):
        pass
