"""Resumes the flow of events without losing any."""

from __future__ import annotations

from mode.utils.queues import FlowControlEvent


class PatchedFlowControl(FlowControlEvent):
    """Does not clear the queues on every resume.

    Faust resumes partitions first and the flow second; clearing then loses the events fetched in between.
    """

    def resume(self) -> None:
        """Resume; clear the queues only if the flow was suspended."""
        suspended = self._suspend.is_set()
        self._suspend.clear()
        self._resume.set()
        if suspended:
            self.clear()
