"""Where the checkout and the recordings are, and what happens when something a test needs is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


def missing(what: str) -> None:
    """Skip with a reason; in CI a missing part is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; in CI that is a failure")
    pytest.skip(what)
