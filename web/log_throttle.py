"""Errors that clients cause are logged at a limited rate and without tracebacks."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import Any

from aiohttp.http import HttpProcessingError

log = logging.getLogger(__name__)
requests = logging.getLogger("web.requests")
"""The logger of aiohttp's server."""

EVERY_S = 10.0
"""Seconds between two lines of one throttle."""
REASON_CHARS = 200
"""Characters logged of what a client sent."""
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of ``accept`` that last until the system has resources again."""


class LogThrottle:
    """Allows one line every ``EVERY_S`` seconds and counts the others."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._suppressed = 0

    def allow(self) -> str | None:
        """None to suppress the line, else its suffix: how many were suppressed since the last one, or nothing."""
        now = time.monotonic()
        if now < self._next_at:
            self._suppressed += 1
            return None
        suppressed, self._suppressed = self._suppressed, 0
        self._next_at = now + EVERY_S
        return f" ({suppressed} more like it were not logged)" if suppressed else ""


class ClientErrorFilter(logging.Filter):
    """Reduces malformed requests and lost connections to a throttled line; other errors keep their traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        """Log the next error."""
        self._throttle = LogThrottle()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError | OSError):
            return True
        more = self._throttle.allow()
        if more is None:
            return False
        reason = error.message if isinstance(error, HttpProcessingError) else str(error)
        cut = repr(" ".join(reason.split()))[:REASON_CHARS]
        record.msg = f"{record.getMessage()}: {type(error).__name__} {cut}{more}"
        record.args, record.exc_info, record.levelno, record.levelname = (), None, logging.INFO, "INFO"
        return True


requests.addFilter(ClientErrorFilter())


def limit_accept_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log failing ``accept`` calls as throttled lines. asyncio logs a traceback each, several hundred a second."""
    throttle = LogThrottle()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not ("socket" in context and isinstance(error, OSError) and error.errno in OUT_OF_RESOURCES):
            loop.default_exception_handler(context)
            return
        more = throttle.allow()
        if more is not None:
            log.error("New connections have to wait: %s. Raise `ulimit -n`.%s", error.strerror, more)

    loop.set_exception_handler(handle)
