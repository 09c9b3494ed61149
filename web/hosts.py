"""Which client sent a request and to which host name: trusted proxies, allowed hosts, same origin.

A page elsewhere can make its own name resolve to this machine (DNS rebinding), but its requests carry that name. So
foreign names are refused. IP addresses are always accepted: a rebinding page cannot use them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from web.api.responses import API_PREFIX, Handler, error_response

LOCAL = "localhost"
ANY = "*"
SCHEMES = {"http": "80", "https": "443"}
"""Schemes with their default ports."""
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@?#\s]+)(?::([0-9]{1,5}))?", re.ASCII)
FORWARDED_ENTRIES = 20
"""Entries of X-Forwarded-For that are read, from the right."""


class TrustedProxies:
    """A middleware, the outermost one: sets address, host and scheme of a request to those of the client."""

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: str) -> bool:
        """Whether an address is one of the proxies."""
        found = _address(address)
        return found is not None and any(found in network for network in self._networks)

    @web.middleware
    async def apply(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Apply the forwarded headers of a trusted peer; those of any other peer are ignored."""
        return await handler(self._forwarded(request))

    def _forwarded(self, request: web.Request) -> web.Request:
        """The request as sent by the right-most address in X-Forwarded-For that is not a trusted proxy."""
        peer = request.remote or ""
        if not self.trusts(peer):
            return request
        sender = str(_address(peer))
        for entry in _last_first(request, "X-Forwarded-For")[:FORWARDED_ENTRIES]:
            found = _address(entry)
            if found is None:
                break  # not written by a trusted proxy
            sender = str(found)
            if not self.trusts(sender):
                break
        scheme = next(iter(_last_first(request, "X-Forwarded-Proto")), "").lower()
        host = next(iter(_last_first(request, "X-Forwarded-Host")), "")
        return request.clone(
            remote=sender,
            host=host or request.host,
            scheme=scheme if scheme in SCHEMES else request.scheme,
        )


class AllowedHosts:
    """A middleware: answers for ``names`` (lower case) only; ``ANY`` among them allows every name."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names) | {LOCAL}

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer 421 for a host name that is not allowed."""
        name = name_of(request.host)
        if not self._allows(name):
            sentence = f"This server does not answer for {name!r}: F1STREAM_WEB_HOSTS lists the names it has."
            if request.path.startswith(API_PREFIX):
                return error_response(421, sentence)
            raise web.HTTPMisdirectedRequest(text=sentence)
        return await handler(request)

    def _allows(self, name: str | None) -> bool:
        if name is None:
            return False
        return name in self._names or ANY in self._names or _address(name.strip("[]")) is not None


def same_origin(request: web.Request) -> bool:
    """Whether the page that sent the request, if one did, has our scheme, host and port."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    scheme, _, host = origin.partition("://")
    theirs, ours = _origin(scheme, host), _origin(request.scheme, request.host)
    return theirs is not None and theirs == ours


def name_of(host: str) -> str | None:
    """The name or address in a Host header, lower case; None for an invalid header."""
    found = HOST.fullmatch(host)
    return found[1].lower().rstrip(".") if found else None


def _origin(scheme: str, host: str) -> tuple[str, str, str] | None:
    found = HOST.fullmatch(host)
    if found is None or scheme not in SCHEMES:
        return None
    return scheme, found[1].lower().rstrip("."), found[2] or SCHEMES[scheme]


def _last_first(request: web.Request, header: str) -> list[str]:
    """The entries of a header to which every proxy appends, the last one first."""
    return [entry.strip() for value in request.headers.getall(header, []) for entry in value.split(",")][::-1]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address, with or without a port; an IPv4-mapped IPv6 address becomes the IPv4 address."""
    bare = text
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = text.partition(":")[0]
    with suppress(ValueError):
        found = ip_address(bare)
        return getattr(found, "ipv4_mapped", None) or found
    return None
