"""FastF1's servers on loopback: recorded answers by address, else 404."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import zlib
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCHEDULES = "/raw.githubusercontent.com/theOehrly/f1schedule/master/"
LIVETIMING = "/livetiming.formula1.com/static/"
CIRCUITS = "/api.multiviewer.app/api/v1/circuits/"


class FastF1Servers:
    """A mirror for ``F1STREAM_FASTF1_URL``; Jolpica's answers lie below ``/jolpica/``."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        """Path and headers."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FastF1Servers:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(servers) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                servers.asked.append((path, dict(self.headers)))
                answer = servers.answers.get(path)
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(len(answer or b"")))
                self.end_headers()
                self.wfile.write(answer or b"")

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def serve_streams(self, path: str, folder: Path, drivers: set[str], until: bytes | None = None) -> None:
        """A recorded session's streams under ``path``; the driver list is cut to ``drivers``.

        ``until``: the streams are cut at this time, such as ``b"00:40:00"``, but for the session's status.
        """
        for file in folder.glob("*.jsonStream*"):
            body = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            name = file.name.removesuffix(".gz")
            if name == "DriverList.jsonStream":
                body = _only(body, drivers)
            elif until is not None and name != "SessionStatus.jsonStream":
                lines = body.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
                body = b"".join(line for line in lines if line < until)
            self.answers[f"{LIVETIMING}{path}{name}"] = body


def _only(body: bytes, drivers: set[str]) -> bytes:
    lines = []
    for line in body.decode("utf-8-sig").split("\r\n"):
        if line:
            listed = json.loads(line[12:])
            lines.append(line[:12] + json.dumps({n: entry for n, entry in listed.items() if n in drivers}))
    return "".join(line + "\r\n" for line in lines).encode()


def made_up_samples(drivers: set[str], t0: datetime, seconds: int) -> tuple[bytes, bytes]:
    """CarData.z and Position.z: every car at 180 km/h on a circle, two samples a second."""
    cars, places = [], []
    for n in range(2 * seconds):
        offset = timedelta(milliseconds=500 * n)
        utc = f"{(t0 + offset).isoformat(timespec='milliseconds')}Z"
        channels = {"Channels": {"0": 11_000, "2": 180, "3": 6, "4": 80, "5": 0, "45": 8}}
        entry = {"Utc": utc, "Cars": dict.fromkeys(drivers, channels)}
        cars.append((offset, {"Entries": [entry]}))
        where = {"Status": "OnTrack", "X": 1_000 + n % 170, "Y": 2_000 - n % 170, "Z": 30}
        places.append((offset, {"Position": [{"Timestamp": utc, "Entries": dict.fromkeys(drivers, where)}]}))
    return _stream(cars), _stream(places)


def _stream(messages: list[tuple[timedelta, Any]]) -> bytes:
    lines = []
    for offset, message in messages:
        packer = zlib.compressobj(wbits=-15)
        packed = base64.b64encode(packer.compress(json.dumps(message).encode()) + packer.flush()).decode()
        clock = f"0{offset}" if "." in str(offset) else f"0{offset}.000"
        lines.append(f'{clock[:12]}"{packed}"\r\n')
    return "".join(lines).encode()
