"""JSON answers that a client may keep but asks about each time, and errors as sentences."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BELOW = "/api/"


class Unanswerable(Exception):
    """A question without an answer; the text says why, as a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def unknown(sentence: str) -> Unanswerable:
    """What was asked for is not there, or not known at that time."""
    return Unanswerable(404, sentence)


def wrong(sentence: str) -> Unanswerable:
    """The question itself makes no sense."""
    return Unanswerable(400, sentence)


def answer(body: Any, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def listed(name: str, entries: list[bytes], **more: Any) -> web.Response:
    """Entries that are JSON already, below ``name``, behind what else is told."""
    return answer({**more, name: [orjson.Fragment(entry) for entry in entries]})


def error(status: int, sentence: str) -> web.Response:
    """What was wrong, as a sentence."""
    return answer({"error": sentence}, status)


@web.middleware
async def tidy(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Around everything below ``/api/``: tags and 304s, and no error without a sentence."""
    if not request.path.startswith(BELOW):
        return await handler(request)
    response = _tagged(request, await _answered(request, handler))
    response.headers["Cache-Control"] = "no-cache"
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Unanswerable as why:
        return error(why.status, str(why))
    except web.HTTPNotFound:
        return error(404, f"there is nothing at {request.path}; /api/openapi.yaml tells what there is")
    except web.HTTPMethodNotAllowed as refused:
        response = error(
            405, f"{request.method} is not understood here, only {', '.join(sorted(refused.allowed_methods))}"
        )
        response.headers["Allow"] = refused.headers["Allow"]
        return response
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path_qs)
        return error(500, "the server failed at this; its log has the reason")


def _tagged(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """A good answer with a tag of its own bytes, or 304 to a client that has just these."""
    if response.status != 200 or not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    tag = response.etag.value if response.etag else hashlib.sha256(response.body).hexdigest()[:32]
    response.etag = tag
    if {theirs.value for theirs in request.if_none_match or ()} & {tag, "*"}:
        response = web.Response(status=304)
        response.etag = tag
    return response
