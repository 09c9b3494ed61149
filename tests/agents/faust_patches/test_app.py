"""The defaults of a patched app."""

from __future__ import annotations

from faust.types import TP

from agents.faust_patches.app import PatchedApp


async def test_app_reads_from_the_positions_of_its_group(app: PatchedApp) -> None:
    assert await app.earlier_positions({TP("telemetry", 0): 10}) == {}
