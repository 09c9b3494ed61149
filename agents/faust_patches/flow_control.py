"""Resuming the flow of events without losing any."""

from __future__ import annotations

from mode.utils.queues import FlowControlEvent


class PatchedFlowControl(FlowControlEvent):
    """Faust resumes partitions, then this flow, and resuming clears the queues of what was fetched in between."""

    def resume(self) -> None:
        """Clear the queues only when the flow was suspended."""
        suspended = self._suspend.is_set()
        self._suspend.clear()
        self._resume.set()
        if suspended:
            self.clear()
