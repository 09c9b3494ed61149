"""Access control of the embedded warehouse, and the file access of DuckDB behind it.

SQL in DuckDB can read and write files with the rights of this process. So requests with a foreign Host or any Origin
are refused, a login needs the password, an upload needs the signed address from a PUT's answer, and DuckDB is
restricted to the data folder before the first request.
"""

from __future__ import annotations

import glob
import gzip
import hmac
import json
import secrets
from collections.abc import Collection
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from duckdb import DuckDBPyConnection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

LOGIN_BYTES = 100_000
"""Bytes. A larger login request is refused; the connector's has about 1 kB."""
REFUSAL = (
    "Incorrect username or password was specified: set F1STREAM_EMBEDDED_WAREHOUSE_PASSWORD to the embedded "
    "warehouse's password, which by default is in its F1STREAM_HOME."
)
UPLOADS = "/fs_bucket/"


def restrict_file_access(connection: DuckDBPyConnection, data: Path, memory_mb: int) -> None:
    """Let DuckDB read and write only below ``data`` and load no extensions, and lock its configuration.

    Call it when every database is attached; others below ``data`` can be attached later. Queries that need more than
    ``memory_mb`` (MB) spill to files in ``data``.
    """
    spill = data / "spill"
    allowed = {
        str(data),
        glob.escape(str(data)),
    }  # fakesnow lists stages by glob patterns, and DuckDB compares those as text
    for setting, value in (
        ("memory_limit", _text(f"{memory_mb}MB")),
        ("temp_directory", _text(str(spill))),
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("allowed_directories", f"[{', '.join(map(_text, sorted(allowed)))}]"),
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),  # must be the last
    ):
        connection.execute(f"set global {setting} = {value}")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class RequestFilter:
    """Refuses requests from web pages with 403: those with a foreign Host, or with any Origin.

    A request after DNS rebinding has the attacker's name as Host; other cross-site requests have an Origin. An IP
    address as Host cannot be rebound.
    """

    def __init__(self, app: Any, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request (ASGI)."""
        if scope["type"] == "http" and self._is_allowed(scope["headers"]):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = PlainTextResponse("The embedded warehouse refuses web pages and foreign host names.", 403)
            await refusal(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    def _is_allowed(self, headers: list[tuple[bytes, bytes]]) -> bool:
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        return len(hosts) == 1 and self._is_own(hosts[0]) and not any(name == b"origin" for name, _ in headers)

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self._names or bool(ip_address(name))
        except ValueError:
            return False


def require_password(app: Starlette, password: str) -> None:
    """Let a login in only with ``password``, under any user name; all sessions share the databases."""
    login = _route(app, "login_request")
    answer = login.endpoint

    async def checked(request: Request) -> Response:
        given = await _login(request)
        if given is None:
            return PlainTextResponse("This is not a login request.", 400)
        entered = str(given.get("PASSWORD", "")).encode(errors="backslashreplace")
        if not hmac.compare_digest(entered, password.encode()):
            return JSONResponse({"success": False, "code": "390100", "message": REFUSAL, "data": {}})
        if {"FAKESNOW_DB_PATH", "nop_regexes"} & given["SESSION_PARAMETERS"].keys():  # another DuckDB, unrestricted
            return PlainTextResponse("Session parameters may not choose another data folder.", 403)
        answered: Response = await answer(request)
        return answered

    app.router.routes[app.routes.index(login)] = Route(login.path, checked, methods=["POST"], name=login.name)


async def _login(request: Request) -> dict[str, Any] | None:
    """The data of a login request; None for another request or one that is too large."""
    try:
        if int(request.headers.get("Content-Length", "")) > LOGIN_BYTES:
            return None
        body = await request.body()
        if request.headers.get("Content-Encoding") == "gzip":
            with gzip.open(BytesIO(body)) as unpacked:
                body = unpacked.read(LOGIN_BYTES + 1)
        if len(body) > LOGIN_BYTES:
            return None
        given: dict[str, Any] = json.loads(body)["data"]
        return given if isinstance(given["SESSION_PARAMETERS"], dict) else None
    except (ValueError, KeyError, TypeError, OSError, EOFError, RecursionError):
        return None


def _route(app: Starlette, name: str) -> Route:
    (found,) = (route for route in app.routes if isinstance(route, Route) and route.name == name)
    return found


def sign_uploads(server: Any) -> None:
    """Accept an upload only at the signed address from a PUT's answer; fakesnow accepts any address."""
    key = secrets.token_bytes(32)
    unsigned = server.gcs_stage_info
    upload = _route(server.app, "bucket_upload")
    answer = upload.endpoint

    def signature(path: str) -> str:
        return hmac.digest(key, path.encode(), "sha256").hex()

    def signed(*about: Any) -> dict[str, Any]:
        info: dict[str, Any] = unsigned(*about)
        path = unquote(urlsplit(info["presignedUrl"]).path).removeprefix(UPLOADS)
        return info | {"presignedUrl": f"{info['presignedUrl']}?signature={signature(path)}"}

    async def checked(request: Request) -> Response:
        given = request.query_params.get("signature", "")
        if not hmac.compare_digest(given.encode(), signature(request.path_params["path"]).encode()):
            return PlainTextResponse("The address has no valid signature.", 403)
        answered: Response = await answer(request)
        return answered

    server.gcs_stage_info = signed
    server.app.router.routes[server.app.routes.index(upload)] = Route(
        upload.path, checked, methods=["PUT"], name=upload.name
    )
