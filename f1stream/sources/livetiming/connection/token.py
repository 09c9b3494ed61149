"""The F1TV token. The feed checks whose it is and whether it is genuine; we only read when it ends."""

from __future__ import annotations

import base64
import binascii
import logging
import time

import orjson
from pydantic import SecretStr
from yarl import URL

from f1stream.settings import LOOPBACK, Settings
from f1stream.sources.session import SourceError

log = logging.getLogger(__name__)
MAX_TOKEN_BYTES = 64_000
"""Bytes of a token file that are read."""


def ends_at(token: SecretStr | str) -> int | None:
    """The Unix ms at which a JWT ends, by its ``exp`` (RFC 7519), unverified; None without one."""
    parts = _text(token).split(".")
    if len(parts) != 3:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return int(claims["exp"] * 1000)
    except (ValueError, TypeError, KeyError, OverflowError, binascii.Error):
        return None


class Tokens:
    """The token to connect with: the file's present content, else the setting."""

    def __init__(self, settings: Settings) -> None:
        """Raises SourceError when a token is set and would be sent to ``live_url`` in plain text."""
        url = URL(settings.live_url)
        has_one = settings.f1tv_token_file is not None or settings.f1tv_token.get_secret_value()
        if has_one and url.scheme not in {"wss", "https"} and url.host not in LOOPBACK:
            raise SourceError(
                f"The F1TV token is not sent to {url.host} without TLS: set F1STREAM_LIVE_URL to a wss:// address, "
                "or remove the token."
            )
        self._set, self._file = settings.f1tv_token, settings.f1tv_token_file
        self._refused = ""

    def current(self) -> SecretStr | None:
        """None without a token, and for one that has ended or was refused (logged): public topics need none."""
        token = self._read()
        if not token:
            return None
        ends_ms = ends_at(token)
        if token == self._refused:
            return None
        if ends_ms is not None and ends_ms <= time.time() * 1000:
            log.warning(
                "The F1TV token has ended: without car data and positions until there is a new one, which is used "
                "at the next connection. Set F1STREAM_F1TV_TOKEN_FILE to change it while this runs."
            )
            return None
        return SecretStr(token)

    def refuse(self, token: SecretStr) -> None:
        """Note that the feed refused this token: it is not sent again."""
        self._refused = token.get_secret_value()
        log.warning("The feed refused the F1TV token: without car data and positions until there is another one.")

    def ends_s(self) -> float:
        """When it ends (Unix s), ended or not; 0 without one."""
        return (ends_at(self._read(logs=False)) or 0) / 1000

    def _read(self, *, logs: bool = True) -> str:
        if self._file is None:
            return _text(self._set)
        try:
            with self._file.expanduser().open(encoding="utf-8") as file:
                return _text(file.read(MAX_TOKEN_BYTES))
        except (OSError, UnicodeDecodeError) as error:
            if logs:
                why = getattr(error, "strerror", "not text")
                log.warning("%s with the F1TV token cannot be read (%s).", self._file, why)
            return ""


def _text(token: SecretStr | str) -> str:
    text = token.get_secret_value() if isinstance(token, SecretStr) else token
    return text.strip().removeprefix("Bearer ").strip()
