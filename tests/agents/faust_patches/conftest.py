"""A Faust app of ours that never connects."""

from __future__ import annotations

import pytest

from agents.faust_patches.app import PatchedApp
from agents.faust_patches.tables import DurableTable


@pytest.fixture
async def app() -> PatchedApp:
    return PatchedApp("test", broker="f1stream://127.0.0.1:1", store="memory://", Table=DurableTable)
