"""A Faust app with our flow control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust
from mode.utils.objects import cached_property
from mode.utils.queues import FlowControlEvent

from agents.faust_patches.flow_control import PatchedFlowControl


class PatchedApp(faust.App):
    """Adds the hook ``earlier_positions`` for our consumer, and our flow control."""

    async def earlier_positions(self, positions: Mapping[Any, int | None]) -> Mapping[Any, int]:
        """Start offsets of assigned partitions that must be read from before ``positions``, the committed ones."""
        return {}

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        """See ``PatchedFlowControl``."""
        return PatchedFlowControl(loop=self.loop)
