"""A Faust app on our transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust
from mode.utils.objects import cached_property
from mode.utils.queues import FlowControlEvent

from agents.faust_patches.flow_control import PatchedFlowControl
from agents.faust_patches.transport import EmbeddedTransport, Transport


class PatchedApp(faust.App):
    """A Faust app on our transport."""

    embedded = False

    async def earlier_positions(self, positions: Mapping[Any, int | None]) -> Mapping[Any, int]:
        """Where partitions just assigned must be read from, when that lies before ``positions``, the group's."""
        return {}

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        """See ``PatchedFlowControl``."""
        return PatchedFlowControl(loop=self.loop)

    def _new_transport(self) -> Any:
        return self._transport_class()(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return self._transport_class()(self.conf.broker_producer, self)

    def _transport_class(self) -> Any:
        return EmbeddedTransport if self.embedded else Transport
