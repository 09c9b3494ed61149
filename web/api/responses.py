"""JSON answers that a client may keep but asks about each time, and errors as sentences."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import ETag, web

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
API_PREFIX = "/api/"
WORTH_PACKING = 1_400
"""Bytes: what is shorter fits into one packet anyway."""
LONG = 64 * 1024
"""Bytes: longer answers are compressed in a thread."""
LEVEL = 1
"""zlib's: 6 would take three times as long for a fifth less."""


class ApiError(Exception):
    """A question without an answer; the text says why, as a sentence."""

    def __init__(self, status: int, sentence: str, again_s: int | None = None) -> None:
        """``again_s``: after so many seconds there may be one."""
        super().__init__(sentence)
        self.status = status
        self.again_s = again_s


def not_found(sentence: str) -> ApiError:
    """What was asked for is not there, or not known at that time."""
    return ApiError(404, sentence)


def bad_request(sentence: str) -> ApiError:
    """The question itself makes no sense."""
    return ApiError(400, sentence)


def json_response(body: Any, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def json_list(name: str, entries: list[bytes], **more: Any) -> web.Response:
    """Entries that are JSON already, below ``name``, behind what else is told."""
    return json_response({**more, name: [orjson.Fragment(entry) for entry in entries]})


def error_response(status: int, sentence: str) -> web.Response:
    """What was wrong, as a sentence."""
    return json_response({"error": sentence}, status)


@web.middleware
async def api_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Around everything below ``/api/``: tags and 304s, and no error without a sentence."""
    if not request.path.startswith(API_PREFIX):
        return await handler(request)
    response = _tagged(request, await _answered(request, handler))
    response.headers["Cache-Control"] = "no-cache"
    await _pack(request, response)
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as why:
        response = error_response(why.status, str(why))
        if why.again_s is not None:
            response.headers["Retry-After"] = str(why.again_s)
        return response
    except web.HTTPNotFound:
        return error_response(404, f"there is nothing at {request.path}; /api/openapi.yaml tells what there is")
    except web.HTTPMethodNotAllowed as refused:
        response = error_response(
            405, f"{request.method} is not understood here, only {', '.join(sorted(refused.allowed_methods))}"
        )
        response.headers["Allow"] = refused.headers["Allow"]
        return response
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path_qs)
        return error_response(500, "the server failed at this; its log has the reason")


def _tagged(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """A good answer with a tag of its own bytes, or 304 to a client that has just these.

    The tag is a weak one: the same answer may be sent compressed or not.
    """
    if response.status != 200 or not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    tag = ETag(response.etag.value if response.etag else hashlib.sha256(response.body).hexdigest()[:32], is_weak=True)
    if {theirs.value for theirs in request.if_none_match or ()} & {tag.value, "*"}:
        response = web.Response(status=304)
    response.etag = tag
    return response


async def _pack(request: web.Request, response: web.StreamResponse) -> None:
    """Compress a long answer for who takes that; a very long one in a thread."""
    response.headers["Vary"] = "Accept-Encoding"
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes) or len(body) < WORTH_PACKING or not isinstance(response, web.Response):
        return
    if "gzip" not in request.headers.get("Accept-Encoding", "").lower():
        return
    if len(body) < LONG:
        response.body = gzip.compress(body, LEVEL, mtime=0)
    else:
        response.body = await asyncio.to_thread(gzip.compress, body, LEVEL, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
