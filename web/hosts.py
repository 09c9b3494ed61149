"""Who asks, and for whom: what trusted proxies say of a request is believed, and names that are not ours are refused.

A page elsewhere whose name is made to lead to this machine (DNS rebinding) asks by its own name. Addresses are always
answered: no name leads to them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from web.api.responses import API_PREFIX, Handler, error_response

Network = IPv4Network | IPv6Network
LOCAL = "localhost"
ANY = "*"
SCHEMES = {"http": "80", "https": "443"}
"""And their ports."""
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@?#\s]+)(?::([0-9]{1,5}))?", re.ASCII)
PROXIES = 20
"""Entries of X-Forwarded-For that are looked at, from the right."""


class AllowedHosts:
    """The outermost middleware. ``hosts`` are our names in lower case; ``ANY`` among them lets every name in."""

    def __init__(self, hosts: Collection[str], trusted: Sequence[Network]) -> None:
        self._hosts = frozenset(hosts) | {LOCAL}
        self._trusted = tuple(trusted)

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer for our names only; what follows sees address, host and scheme as the viewer's own."""
        request = self._as_sent(request)
        name = name_of(request.host)
        if not self._ours(name):
            sentence = f"This server does not answer for {name!r}: F1STREAM_WEB_HOSTS lists the names it has."
            if request.path.startswith(API_PREFIX):
                return error_response(421, sentence)
            raise web.HTTPMisdirectedRequest(text=sentence)
        return await handler(request)

    def _ours(self, name: str | None) -> bool:
        if name is None:
            return False
        return name in self._hosts or ANY in self._hosts or _address(name.strip("[]")) is not None

    def _as_sent(self, request: web.Request) -> web.Request:
        """The request as the first proxy got it that we do not trust; as it came where nobody is trusted."""
        peer = _address(request.remote or "")
        if peer is None or not self._trusts(peer):
            return request
        sender = peer
        for entry in _last(request, "X-Forwarded-For")[:PROXIES]:
            found = _address(entry)
            if found is None:
                break  # no proxy of ours wrote this
            sender = found
            if not self._trusts(found):
                break
        scheme = next(iter(_last(request, "X-Forwarded-Proto")), "").lower()
        host = next(iter(_last(request, "X-Forwarded-Host")), "")
        return request.clone(
            remote=str(sender),
            host=host or request.host,
            scheme=scheme if scheme in SCHEMES else request.scheme,
        )

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def same_origin(request: web.Request) -> bool:
    """Whether the page that asks, if a page does, is ours: of the same scheme, host and port."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    scheme, _, host = origin.partition("://")
    theirs, ours = _place(scheme, host), _place(request.scheme, request.host)
    return theirs is not None and theirs == ours


def name_of(host: str) -> str | None:
    """The name, or the address, in a Host header; None when it is none."""
    found = HOST.fullmatch(host)
    return found[1].lower().rstrip(".") if found else None


def _place(scheme: str, host: str) -> tuple[str, str, str] | None:
    found = HOST.fullmatch(host)
    if found is None or scheme not in SCHEMES:
        return None
    return scheme, found[1].lower().rstrip("."), found[2] or SCHEMES[scheme]


def _last(request: web.Request, header: str) -> list[str]:
    """The entries of a header that proxies add to, the last one first."""
    return [entry.strip() for value in request.headers.getall(header, []) for entry in value.split(",")][::-1]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, perhaps with a port; of an IPv4 address in IPv6's form the former."""
    bare = text
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = text.partition(":")[0]
    with suppress(ValueError):
        found = ip_address(bare)
        return getattr(found, "ipv4_mapped", None) or found
    return None
