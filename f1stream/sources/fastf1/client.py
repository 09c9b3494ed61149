"""FastF1, set up as we use it: a cache of the user's, bounded waits, no account, its remarks kept in a file."""

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
"""FastF1 itself waits for ever."""
REACHABLE_WITHIN_S = 3.0
LIVETIMING = "livetiming.formula1.com"
ALTERNATIVES = "archive:PATH replays what you have, sim: makes a race up"


class FastF1Adapter(HTTPAdapter):
    """How FastF1's requests are sent: within a time, to a mirror where one is set, and never with an account.

    FastF1 signs in to a Formula 1 account before it asks the live timing server, and prompts for one on a terminal;
    what is past can be had without.
    """

    def __init__(self, mirror: str) -> None:
        super().__init__()
        self._mirror = mirror.rstrip("/")
        self.failed: dict[str, str] = {}
        """Servers that could not be reached, and why."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """As requests does it. ``https://server/path`` is asked of a mirror as ``{mirror}/server/path``."""
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
    """FastF1's modules, imported and set up, and what happened to our requests."""

    servers: FastF1Adapter
    log: Path
    module: Any = field(repr=False)
    remarks: list[str] = field(default_factory=list)
    """What FastF1 warned of."""

    def unreachable(self, what: str, *needed: str) -> SourceError | None:
        """The sentence for ``what`` that could not be had because servers do not answer; None when they all did.

        ``needed``: servers whose silence counts; by default that of any.
        """
        silent = {server: why for server, why in self.servers.failed.items() if not needed or server in needed}
        if not silent:
            return None
        who = ", ".join(f"{server} ({why})" for server, why in silent.items())
        return SourceError(
            f"{what} cannot be had: no answer from {who}. Is there a network? Until then {ALTERNATIVES}."
        )


class _Remarks(logging.Handler):
    """FastF1's own words: what it does goes to ``tell``, what it warns of is kept."""

    def __init__(self, kept: list[str], tell: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._kept = kept
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self._kept.append(record.getMessage())
        else:
            self._tell(record.getMessage())


@contextmanager
def fastf1(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> Iterator[FastF1]:
    """FastF1 with our cache and our ways; ``tell`` gets what it says while it works.

    Raises SourceError when the cache folder cannot be made, or FastF1's limit of requests is reached: it asks Jolpica
    200 times an hour at most, and all servers 500 times, and so do we.
    """
    import fastf1 as module  # noqa: PLC0415 - takes seconds
    import fastf1.ergast.interface  # noqa: PLC0415

    cache, folder = module.Cache, settings.fastf1_cache.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = RotatingFileHandler(folder / "fastf1.log", maxBytes=LOG_BYTES, backupCount=1, delay=True)
    except OSError as error:
        raise SourceError(f"FastF1's cache cannot be kept in {folder}: {error}. Set F1STREAM_FASTF1_CACHE.") from None
    log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    cache.configure(cache_dir=str(folder))
    # Of what it has parsed FastF1 keeps even a session that was still going on, for ever; answers expire.
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
    logger.handlers[:] = [_Remarks(client.remarks, tell), log]
    try:
        with warnings.catch_warnings():  # those of FastF1 and pandas are not for our users
            warnings.simplefilter("ignore")
            yield client
    except module.exceptions.RateLimitExceededError as error:
        raise SourceError(
            f"FastF1 has asked its servers as often as it may for now ({error}): try again in an hour. "
            f"What was downloaded is kept; until then {ALTERNATIVES}."
        ) from None
    finally:
        logger.handlers[:] = before
        log.close()


def reachable(settings: Settings, within_s: float = REACHABLE_WITHIN_S) -> bool:
    """Whether the live timing server, or the mirror, answers at all; takes at most ``within_s`` seconds."""
    address = f"{settings.fastf1_url.rstrip('/') or 'https:/'}/{LIVETIMING}/static/"
    answered: list[bool] = []

    def ask() -> None:
        try:
            requests.head(address, timeout=within_s).close()
            answered.append(True)
        except requests.RequestException:
            answered.append(False)

    # Looking up a name cannot be interrupted: a thread that nobody waits for may take its time.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(within_s)
    return answered == [True]
