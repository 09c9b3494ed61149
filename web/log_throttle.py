"""What strangers cause is a line in the log now and then: no tracebacks, and no flood of lines."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import Any

from aiohttp.http import HttpProcessingError

log = logging.getLogger(__name__)
requests = logging.getLogger("web.requests")
"""What aiohttp's server logs."""

EVERY_S = 10.0
REASON_CHARS = 200
"""Of what a stranger sent."""
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class LogThrottle:
    """Lets one line through in ``EVERY_S`` seconds, and counts the others."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._left_out = 0

    def allow(self) -> str | None:
        """None: not now. Else what belongs behind the line: how many were left out since the last one, or nothing."""
        now = time.monotonic()
        if now < self._next_at:
            self._left_out += 1
            return None
        left_out, self._left_out = self._left_out, 0
        self._next_at = now + EVERY_S
        return f" ({left_out} more like it were not logged)" if left_out else ""


class ClientErrorFilter(logging.Filter):
    """A request that is no HTTP, or whose connection was lost, is a line; other errors keep their traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        """The next one is logged."""
        self._throttle = LogThrottle()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is logged."""
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
    """From now on connections that cannot be taken are a line, not a traceback each, several hundred a second."""
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
