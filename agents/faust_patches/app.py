"""A Faust app with our flow control; its broker's URL selects our transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust
from mode.utils.objects import cached_property
from mode.utils.queues import FlowControlEvent

from agents.faust_patches.flow_control import PatchedFlowControl


class PatchedApp(faust.App):
    """What our consumer asks of an app, and our flow control."""

    async def earlier_positions(self, positions: Mapping[Any, int | None]) -> Mapping[Any, int]:
        """Where partitions just assigned must be read from, when that is before ``positions``, the group's."""
        return {}

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        """See ``PatchedFlowControl``."""
        return PatchedFlowControl(loop=self.loop)
