"""Exits the process when continuing would lose records."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from f1stream.topics import SequenceGap

log = logging.getLogger("f1stream")

EXIT_CODE = 70


def exit_process(reason: str) -> None:
    """Exit immediately, without another write or acknowledgement; the service manager restarts the worker."""
    log.critical("%s The worker exits and must be restarted; it continues from the acknowledged offsets.", reason)
    logging.shutdown()
    os._exit(EXIT_CODE)


def exit_on_error(agent: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Decorates an agent or task: an exception exits the process. Faust would skip the batch and continue."""

    @wraps(agent)
    async def guarded(*stream: Any) -> None:
        try:
            await agent(*stream)
        except SequenceGap as gap:
            exit_process(f"A record is missing: {gap}.")
        except Exception as error:
            log.exception("%s failed.", agent.__name__)
            exit_process(f"{agent.__name__} failed: {type(error).__name__}: {error}.")

    return guarded
