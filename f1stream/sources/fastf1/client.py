"""FastF1, configured: a cache per user, timeouts, no account, and its log in a file."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from f1stream.logs import LOG_BYTES
from f1stream.settings import Settings
from f1stream.sources.session import SourceError

CONNECT_S, READ_S = 5.0, 60.0
"""Timeouts of a request; FastF1 sets none."""
REACHABLE_WITHIN_S = 3.0
"""A server that takes longer counts as unreachable."""
LIVETIMING = "livetiming.formula1.com"
ALTERNATIVES = "archive:PATH replays an archive, sim: simulates a race"


class FastF1Adapter(HTTPAdapter):
    """Sends FastF1's requests with timeouts, to a mirror if one is set, and without an account.

    FastF1 signs in to a Formula 1 account before it asks the live timing server, and prompts for one on a terminal;
    past sessions need none.
    """

    def __init__(self, mirror: str) -> None:
        super().__init__()
        self._mirror = mirror.rstrip("/")
        self.failed: dict[str, str] = {}
        """Server to reason, for servers that did not answer."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request; with a mirror, ``https://server/path`` becomes ``{mirror}/server/path``."""
        address = str(request.url)
        server = urlsplit(address).hostname or ""
        if self._mirror and address.startswith("https://"):
            request = request.copy()
            request.url = f"{self._mirror}/{address.removeprefix('https://')}"
            proxies = requests.utils.get_environ_proxies(request.url)
        try:
            answer = super().send(request, stream, timeout or (CONNECT_S, READ_S), verify, cert, proxies)
        except requests.RequestException as error:
            self.failed[server] = type(error).__name__
            raise
        if answer.status_code >= 500:
            self.failed[server] = f"status {answer.status_code}"
        return answer


@dataclass
class FastF1:
    """FastF1, imported and configured, with its log and the failures of its requests."""

    servers: FastF1Adapter
    log: Path
    module: Any = field(repr=False)
    warnings: list[str] = field(default_factory=list)
    """The texts of FastF1's warnings."""

    def unreachable(self, what: str, *needed: str) -> SourceError | None:
        """The error for ``what`` if servers did not answer; None if all did.

        ``needed`` limits the check to these servers.
        """
        silent = {server: why for server, why in self.servers.failed.items() if not needed or server in needed}
        if not silent:
            return None
        servers = ", ".join(f"{server} ({why})" for server, why in silent.items())
        return SourceError(
            f"{what} is not available: no answer from {servers}. Check the network. Until then {ALTERNATIVES}."
        )


class _LogHandler(logging.Handler):
    """Passes FastF1's progress lines to ``progress`` and collects its warnings."""

    def __init__(self, collected: list[str], progress: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._collected = collected
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self._collected.append(record.getMessage())
        else:
            self._progress(record.getMessage())


@contextmanager
def fastf1(settings: Settings, progress: Callable[[str], None] = lambda _: None) -> Iterator[FastF1]:
    """FastF1 with our cache and configuration; ``progress`` is called with its progress lines.

    Raises SourceError when the cache folder cannot be made, or FastF1's request limit is reached: 200 an hour to
    Jolpica, 500 an hour to all servers.
    """
    import fastf1 as module  # noqa: PLC0415 - takes seconds
    import fastf1.ergast.interface  # noqa: PLC0415

    cache, folder = module.Cache, settings.fastf1_cache.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = RotatingFileHandler(folder / "fastf1.log", maxBytes=LOG_BYTES, backupCount=1, delay=True)
    except OSError as error:
        raise SourceError(
            f"FastF1's cache folder {folder} is unusable: {error}. Set F1STREAM_FASTF1_CACHE."
        ) from None
    log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    cache.configure(cache_dir=str(folder))
    # FastF1's cache of parsed sessions never expires, even if the session was still running; its HTTP cache does.
    cache.set_disabled(disable_http_cache=False, disable_func_cache=True)
    servers = FastF1Adapter(settings.fastf1_url)
    for session in (cache._requests_session, cache._requests_session_cached):
        session.adapters.clear()
        session.mount("https://", servers)
        session.mount("http://", servers)
    module.ergast.interface.BASE_URL = settings.jolpica_url
    client = FastF1(servers, folder / "fastf1.log", module)
    logger = logging.getLogger("fastf1")
    before, logger.propagate = logger.handlers[:], False
    logger.handlers[:] = [_LogHandler(client.warnings, progress), log]
    try:
        with warnings.catch_warnings():  # warnings of FastF1 and pandas are not for users
            warnings.simplefilter("ignore")
            yield client
    except module.exceptions.RateLimitExceededError as error:
        raise SourceError(
            f"FastF1's request limit is reached ({error}): try again in an hour. "
            f"Downloaded files are kept; until then {ALTERNATIVES}."
        ) from None
    finally:
        logger.handlers[:] = before
        log.close()


def reachable(settings: Settings, within_s: float = REACHABLE_WITHIN_S) -> bool:
    """Whether the live timing server, or the mirror, answers within ``within_s`` seconds."""
    address = f"{settings.fastf1_url.rstrip('/') or 'https:/'}/{LIVETIMING}/static/"
    answered: list[bool] = []

    def ask() -> None:
        try:
            requests.head(address, timeout=within_s).close()
            answered.append(True)
        except requests.RequestException:
            answered.append(False)

    # A name lookup cannot be interrupted, so it runs in a thread that is abandoned after the timeout.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(within_s)
    return answered == [True]
