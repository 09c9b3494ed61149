"""The page's files, served from memory: read and compressed once, revalidated by ETag.

Only files that are in the folder at start are served: no name from a request is looked up on disk.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

CHUNK = 64 * 1024
"""Bytes written to a connection at a time: a slow reader takes no more memory than this."""
LEVEL = 6
"""zlib's compression level."""
LEAST_SAVED = 0.9
"""A file that compresses to more than this share of its size (an image) is sent uncompressed."""


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it was at ``version``, and compressed if that makes it smaller."""

    version: tuple[int, int]
    """Modification time (ns) and size (bytes)."""
    tag: str
    plain: bytes
    packed: bytes | None


class StaticFiles:
    """The files below a folder, by their relative path."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        self._contents: dict[str, Content] = {}
        self._reading = asyncio.Lock()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """``GET /static/{name}``."""
        return await self.send(request, request.match_info["name"])

    async def send(self, request: web.Request, name: str) -> web.StreamResponse:
        """A file, or 304 when the client has it. Raises HTTPNotFound."""
        path = self._paths.get(name)
        if path is None:
            raise web.HTTPNotFound(text="There is no such file.")
        content = await self._content(name, path)
        packed = content.packed if "gzip" in request.headers.get("Accept-Encoding", "").lower() else None
        body = content.plain if packed is None else packed
        fresh = {tag.value for tag in request.if_none_match or ()} & {content.tag, "*"}
        response = web.StreamResponse(status=304 if fresh else 200)
        response.headers["ETag"] = f'W/"{content.tag}"'
        response.headers["Vary"] = "Accept-Encoding"
        if fresh:
            await response.prepare(request)
            return response
        response.content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        response.content_length = len(body)
        if packed is not None:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        if request.method != "HEAD":
            for start in range(0, len(body), CHUNK):
                await response.write(body[start : start + CHUNK])
        await response.write_eof()
        return response

    async def _content(self, name: str, path: Path) -> Content:
        try:
            stat = path.stat()  # noqa: ASYNC240 - a known file on the disk we run from
        except OSError:
            raise web.HTTPNotFound(text="The file has been removed.") from None
        version = (stat.st_mtime_ns, stat.st_size)
        content = self._contents.get(name)
        if content is None or content.version != version:
            async with self._reading:
                content = self._contents.get(name)
                if content is None or content.version != version:
                    content = self._contents[name] = await asyncio.to_thread(_read, path, version)
        return content


def _read(path: Path, version: tuple[int, int]) -> Content:
    plain = path.read_bytes()
    packed = gzip.compress(plain, LEVEL, mtime=0)
    smaller = len(packed) < len(plain) * LEAST_SAVED
    return Content(version, hashlib.sha256(plain).hexdigest()[:32], plain, packed if smaller else None)
