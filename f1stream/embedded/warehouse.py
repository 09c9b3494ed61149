"""The embedded warehouse: fakesnow, a Snowflake emulator on DuckDB, behind the Snowflake connector's own protocol.

It is for the demo, development and tests, and keeps its data in a folder. By default it listens on loopback; logins
need the password, and DuckDB reads and writes only below the folder (``warehouse_access``).
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from f1stream.errors import UserError
from f1stream.ports import listens
from f1stream.settings import EMBEDDED_HOST, LOOPBACK, Settings, WrongSetting, settings

STARTS_WITHIN_S = 30.0
"""Seconds. A warehouse that does not listen by then raises WarehouseFailed."""
IDLE_S = 4 * 3600.0
"""Seconds. A session without a statement for longer is closed."""
IDLE_IN_TRANSACTION_S = 30.0
"""The same within a transaction: a client that died in one would block its rows for all others."""
LOOKS_EVERY_S = 0.5
"""Seconds between two checks for idle sessions."""


class WarehouseFailed(UserError):
    """The embedded warehouse did not start; the text is one sentence."""


def command(data: Path, port: int, host: str = EMBEDDED_HOST) -> list[str]:
    """The command line of an embedded warehouse."""
    quiet = ("-W", "ignore::UserWarning")  # from fakesnow, about its own use of DuckDB
    where = ("--data", str(data), "--host", host, "--port", str(port))
    return [sys.executable, *quiet, "-m", "f1stream.embedded.warehouse", *where]


def require_password_beyond_loopback(settings: Settings, host: str) -> None:
    """Raise WarehouseFailed for an address that other machines reach when no password is set."""
    if host not in LOOPBACK and not settings.embedded_warehouse_password.get_secret_value():
        raise WarehouseFailed(
            f"The embedded warehouse would listen on {host}, beyond this machine: set "
            "F1STREAM_EMBEDDED_WAREHOUSE_PASSWORD, here and for its clients."
        )


def wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when the warehouse listens. Raises WarehouseFailed when it exits or does not listen in time."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise WarehouseFailed(f"The embedded warehouse ended at once with code {process.returncode}.")
        if listens(port):
            return
        time.sleep(0.05)
    raise WarehouseFailed(f"The embedded warehouse did not listen on port {port} within {STARTS_WITHIN_S:.0f} s.")


class OpenSessions(dict[str, Any]):
    """The sessions by token. fakesnow deletes one that its client closes; its transaction is rolled back at once."""

    def __delitem__(self, token: str) -> None:
        import duckdb  # noqa: PLC0415 - slow

        session = self[token]
        super().__delitem__(token)
        session._duck_conn.interrupt()  # a query whose result nobody reads may run for ever
        with suppress(duckdb.Error):  # still busy; once interrupted, nothing holds the session
            session.close()


class IdleSessionTimeout:
    """ASGI middleware that closes idle sessions. Their clients get HTTP 401 and log in again.

    If only the transaction were rolled back, its remaining statements would be committed one by one.
    """

    def __init__(self, app: Any, sessions: dict[str, Any], idle_s: float, idle_in_transaction_s: float) -> None:
        self._app = app
        self._sessions = sessions
        self._idle_s, self._idle_in_transaction_s = idle_s, idle_in_transaction_s
        self._used: dict[str, float] = {}
        self._busy: Counter[str] = Counter()
        threading.Thread(target=self._watch, daemon=True).start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on, and note that its session is in use."""
        token = None
        if scope["type"] == "http":
            token = dict(scope["headers"]).get(b"authorization", b"").decode()[17:-1]
        if not token:
            await self._app(scope, receive, send)
            return
        self._busy[token] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._busy[token] -= 1
            self._used[token] = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOKS_EVERY_S)
            now = time.monotonic()
            for token, session in list(self._sessions.items()):
                limit = self._idle_in_transaction_s if getattr(session, "f1stream_open", False) else self._idle_s
                if not self._busy[token] and now - self._used.setdefault(token, now) > limit:
                    self._sessions.pop(token, None)
                    session.close()  # rolls back
            for token in self._used.keys() - self._sessions.keys():
                del self._used[token], self._busy[token]


def serve(data: Path, host: str, port: int, idle_s: float, idle_in_transaction_s: float, settings: Settings) -> None:
    """Run until SIGTERM or Ctrl-C. Raises WarehouseFailed when it cannot use the folder, the port or the address."""
    import duckdb  # noqa: PLC0415 - slow, like the next ones; the parent needs none
    import fakesnow.server as emulator_server  # noqa: PLC0415
    import uvicorn  # noqa: PLC0415
    from fakesnow.instance import FakeSnow  # noqa: PLC0415

    from f1stream.embedded import fakesnow_patches as patches  # noqa: PLC0415
    from f1stream.embedded import warehouse_access as access  # noqa: PLC0415

    require_password_beyond_loopback(settings, host)
    if listens(port):
        raise WarehouseFailed(f"Port {port} is in use: set F1STREAM_EMBEDDED_WAREHOUSE_PORT to another one.")
    if "?" in str(data.resolve()):  # DuckDB would parse the rest as options
        raise WarehouseFailed(
            f"The embedded warehouse cannot keep data in {data}: choose one without a question mark."
        )
    data = data.resolve()
    stages = data / "stages"
    try:
        stages.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseFailed(
            f"The embedded warehouse cannot keep data in {data} ({error.strerror}): free space, or choose another."
        ) from None
    patches.apply(stages)
    emulator = FakeSnow(db_path=str(data), nop_regexes=patches.IGNORED_STATEMENTS)
    emulator.results_cache = patches.LatestResults()
    try:
        for file in sorted(data.glob("*.db")):
            emulator.connect(database=file.stem).close()
    except duckdb.IOException as error:
        said = str(error).splitlines()[0]
        raise WarehouseFailed(
            f"The data in {data} cannot be opened; is another warehouse using it? {said}"
        ) from error
    patches.restore_stages(emulator)
    shutil.rmtree(data / "spill", ignore_errors=True)  # left by a killed process
    access.restrict_file_access(emulator.duck_conn, data, settings.embedded_warehouse_memory_mb)
    emulator_server.shared_fs = emulator
    emulator_server.app.debug = False
    patches.add_master_token(emulator_server.app)
    patches.report_full_disk(emulator_server)
    access.require_password(emulator_server.app, settings.embedded_password())
    access.sign_uploads(emulator_server)
    for name in ("fakesnow.server", "sqlglot"):  # they log every statement
        logging.getLogger(name).setLevel(logging.ERROR)
    emulator_server.sessions = OpenSessions()
    app = access.RequestFilter(
        IdleSessionTimeout(emulator_server.app, emulator_server.sessions, idle_s, idle_in_transaction_s),
        names={settings.embedded_warehouse_host},
    )

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            super().handle_exit(sig, frame)
            for session in list(emulator_server.sessions.values()):
                session._duck_conn.interrupt()

    gc.freeze()  # modules and databases stay; a statement's syntax tree is many short-lived objects
    gc.set_threshold(10_000, 50, 100)
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="off"
    )
    try:
        Server(config).run()
    finally:
        with suppress(duckdb.Error):  # a busy connection ends with the process
            emulator.duck_conn.close()


def main() -> None:
    """``python -m f1stream.embedded.warehouse``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=EMBEDDED_HOST, help="address to listen on")
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds until an idle session is closed")
    parser.add_argument("--tx-idle", type=float, default=IDLE_IN_TRANSACTION_S, help="the same within a transaction")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until uvicorn installs its own handler
    try:
        serve(given.data, given.host, given.port, given.idle, given.tx_idle, settings())
    except (WarehouseFailed, WrongSetting) as failed:
        print(f"f1stream: {failed}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    except SystemExit:  # uvicorn raises the signal that ended it again
        pass
    sys.stdout.flush()
    os._exit(0)  # everything is closed; DuckDB would print what it has not cleaned up


if __name__ == "__main__":
    main()
