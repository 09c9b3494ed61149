"""Events fetched between resuming partitions and resuming the flow are not lost."""

from __future__ import annotations

from mode.utils.queues import FlowControlQueue

from agents.faust_patches.app import PatchedApp
from agents.faust_patches.flow_control import PatchedFlowControl


async def test_flow_that_runs_keeps_its_events_when_it_is_resumed_again() -> None:
    flow = PatchedFlowControl()
    queue: FlowControlQueue[int] = FlowControlQueue(flow_control=flow, clear_on_resume=True)
    flow.resume()
    await queue.put(1)
    flow.resume()  # Faust does, in an agent's start and at the end of a rebalance
    assert queue.get_nowait() == 1


async def test_events_from_before_a_suspension_are_dropped() -> None:
    flow = PatchedFlowControl()
    queue: FlowControlQueue[int] = FlowControlQueue(flow_control=flow, clear_on_resume=True)
    flow.resume()
    await queue.put(1)
    flow.suspend()
    assert not flow.is_active()
    flow.resume()
    assert flow.is_active()
    assert queue.empty()
    await flow.acquire()


async def test_an_app_has_this_flow_control(app: PatchedApp) -> None:
    assert isinstance(app.flow_control, PatchedFlowControl)
    assert app.flow_control is app.flow_control
