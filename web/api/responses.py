"""JSON answers with ETags, compression, and errors as sentences."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import ETag, web
from pydantic import BaseModel

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
API_PREFIX = "/api/"
COMPRESS_BYTES = 1_400
"""Shorter answers are not compressed: they fit into one network packet."""
THREAD_BYTES = 64 * 1024
"""Longer answers are compressed in a thread."""
LEVEL = 1
"""zlib's compression level; level 6 takes three times as long for a fifth less."""


class ApiError(Exception):
    """An error answer; the text is its sentence."""

    def __init__(self, status: int, sentence: str, retry_after_s: int | None = None) -> None:
        """``retry_after_s``: seconds after which the request may succeed."""
        super().__init__(sentence)
        self.status = status
        self.retry_after_s = retry_after_s


def not_found(sentence: str) -> ApiError:
    """404: the resource does not exist, or was not known at that time."""
    return ApiError(404, sentence)


def bad_request(sentence: str) -> ApiError:
    """400: a parameter is missing or invalid."""
    return ApiError(400, sentence)


def json_response(body: Any, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def model_response(body: BaseModel, status: int = 200) -> web.Response:
    """A JSON response from a model; for large answers use ``json_response``."""
    return json_response(body.model_dump(), status)


def json_list(name: str, entries: list[bytes], **fields: Any) -> web.Response:
    """A JSON response with encoded entries below ``name``, after the other fields."""
    return json_response({**fields, name: [orjson.Fragment(entry) for entry in entries]})


def error_response(status: int, sentence: str) -> web.Response:
    """An error response with its sentence."""
    return json_response({"error": sentence}, status)


@web.middleware
async def api_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """For everything below ``/api/``: ETags and 304, compression, errors as JSON, and ``absent=204``."""
    if not request.path.startswith(API_PREFIX):
        return await handler(request)
    response = _with_etag(request, await _handled(request, handler))
    response.headers["Cache-Control"] = "no-cache"
    await _compress(request, response)
    return response


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    absent = request.query.get("absent", "204")
    try:
        if absent != "204":
            raise bad_request("absent: the only value is 204")
        return await handler(request)
    except ApiError as error:
        if error.status == 404 and "absent" in request.query:
            return web.Response(status=204)
        response = error_response(error.status, str(error))
        if error.retry_after_s is not None:
            response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    except web.HTTPNotFound:
        return error_response(404, f"there is nothing at {request.path}; /api/openapi.yaml describes what there is")
    except web.HTTPMethodNotAllowed as refused:
        response = error_response(
            405, f"{request.method} is not allowed here, only {', '.join(sorted(refused.allowed_methods))}"
        )
        response.headers["Allow"] = refused.headers["Allow"]
        return response
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path_qs)
        return error_response(500, "internal error; the server's log has the reason")


def _with_etag(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """A 200 with the hash of its body as a weak ETag (it may be sent compressed or not), or 304."""
    if response.status != 200 or not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    tag = ETag(response.etag.value if response.etag else hashlib.sha256(response.body).hexdigest()[:32], is_weak=True)
    if {known.value for known in request.if_none_match or ()} & {tag.value, "*"}:
        response = web.Response(status=304)
    response.etag = tag
    return response


async def _compress(request: web.Request, response: web.StreamResponse) -> None:
    """Compress a long answer if the client accepts gzip."""
    response.headers["Vary"] = "Accept-Encoding"
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes) or len(body) < COMPRESS_BYTES or not isinstance(response, web.Response):
        return
    if "gzip" not in request.headers.get("Accept-Encoding", "").lower():
        return
    if len(body) < THREAD_BYTES:
        response.body = gzip.compress(body, LEVEL, mtime=0)
    else:
        response.body = await asyncio.to_thread(gzip.compress, body, LEVEL, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
