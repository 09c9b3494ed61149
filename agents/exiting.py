"""Ending the process when going on would lose something."""

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
    """End at once, without another write or acknowledgement; the service manager starts the worker again."""
    log.critical("%s The worker exits and must be restarted; it continues from the acknowledged offsets.", reason)
    logging.shutdown()
    os._exit(EXIT_CODE)


def exit_on_error(agent: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """An agent (or task) that ends the process when it fails. Faust would skip the batch and go on."""

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
