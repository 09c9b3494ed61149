"""``deploy/compose.yaml``, and its services as plain processes: in their order, with their commands and checks."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from f1stream.processes import stop
from f1stream.settings import Settings
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
PATIENCE_S = 180
OURS = "f1stream"
"""The image of our processes."""


def compose() -> dict[str, Any]:
    """The file, merged as YAML says."""
    parsed: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return parsed


def environment_of(service: dict[str, Any]) -> dict[str, Any]:
    return service.get("environment") or {}


def filled_in(value: str) -> str:
    """With ``${NAME:-what else}`` in it as Docker reads it: empty is as good as unset."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: os.environ.get(found[1]) or found[2], value)


def in_order(services: dict[str, Any], wanted: list[str]) -> Iterator[str]:
    """Names so that each comes after all that it depends on."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done:
            return
        done.add(name)
        for before in services[name].get("depends_on", {}):
            yield from visit(before)
        yield name

    for name in wanted:
        yield from visit(name)


class Services:
    """Services of our image as processes of this machine.

    What differs from containers: hosts are loopback, ports are free ones, and each has a folder instead of a volume.
    """

    def __init__(self, folder: Path, bootstrap: str, **more: str) -> None:
        self.folder = folder
        self.file = compose()["services"]
        self.warehouse_port = free_port()
        self.processes: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        """By name and number, with the port that its service listens on."""
        self._instead = {
            "F1STREAM_BROKER": bootstrap,
            "F1STREAM_WEB_HOST": "127.0.0.1",
            # Not 127.0.0.1: that one is started by whoever needs it.
            "F1STREAM_EMBEDDED_WAREHOUSE_HOST": "localhost",
            "F1STREAM_EMBEDDED_WAREHOUSE_PASSWORD": secrets.token_urlsafe(16),
            **more,
        }

    def environment(self, name: str) -> dict[str, str]:
        """What a container would have: what the image and the file set, and of ours what is passed on."""
        own = environment_of(self.file[name])
        passed = {key: os.environ.get(key) if value is None else filled_in(str(value)) for key, value in own.items()}
        others = {key: value for key, value in os.environ.items() if not key.startswith("F1STREAM_")}
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return {
            **others,
            **{key: value for key, value in passed.items() if value is not None},
            **{key: value for key, value in self._instead.items() if key in own},
            "F1STREAM_HOME": str(home),
            "F1STREAM_LOG_FORMAT": "json",
            "F1STREAM_EMBEDDED_WAREHOUSE_PORT": str(self.warehouse_port),
            "F1STREAM_LIVE_PORT": str(free_port()),
        }

    def up(self, wanted: list[str]) -> None:
        """Start services and what they need of ours, as ``docker compose up --wait`` does."""
        waiting: list[str] = []
        for name in in_order(self.file, wanted):
            service = self.file[name]
            if service["image"] != OURS:
                continue
            for before, how in service.get("depends_on", {}).items():
                if how["condition"] == "service_healthy" and self.file[before]["image"] == OURS:
                    self.until_healthy(before)
            if service["restart"] == "no":
                assert self.run(name, *service["command"]) is not None
                continue
            for number in range(1, service.get("deploy", {}).get("replicas", 1) + 1):
                self.start(name, number)
            waiting.append(name)
        for name in waiting:
            self.until_healthy(name)

    def run(self, name: str, *command: str) -> str:
        """A command of the image in a service's environment; what it printed. Fails unless it succeeds."""
        done = subprocess.run(
            [sys.executable, "-m", "f1stream", *command], env=self.environment(name), cwd=self.folder / name,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"{name}: {' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}"
        )
        return done.stdout

    def start(self, name: str, number: int) -> None:
        """One replica of a service, on a port of its own."""
        service = self.file[name]
        environment = self.environment(name)
        port = self.warehouse_port if name == "warehouse" else free_port()
        setting = f"F1STREAM_{service['command'][0].upper()}_PORT"
        home = self.folder / f"{name}-{number}"
        home.mkdir()
        with (self.folder / f"{name}-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "f1stream", *service["command"]], cwd=home, stdout=log, stderr=log,
                env={**environment, "F1STREAM_HOME": str(home), setting: str(port)}, start_new_session=True,
            )  # fmt: skip
        self.processes[f"{name}-{number}"] = process, port

    def of(self, name: str) -> list[tuple[subprocess.Popen[bytes], int]]:
        """The replicas of a service, with their ports."""
        return [found for key, found in self.processes.items() if key.rpartition("-")[0] == name]

    def until_healthy(self, name: str) -> None:
        """Return when the service's own check succeeds for every replica."""
        default = Settings.model_fields[f"{self._port_of(name)}"].default
        kind, python, flag, check = healthcheck(self.file[name])
        assert (kind, python, flag) == ("CMD", "python", "-c")
        assert str(default) in check, f"the check of {name} asks another port than {default}"
        for process, port in self.of(name):
            own = check.replace(str(default), str(port))
            until = time.monotonic() + PATIENCE_S
            while subprocess.run([sys.executable, "-c", own], capture_output=True, check=False).returncode != 0:
                assert process.poll() is None, f"{name} ended with {process.returncode}; see {self.folder}"
                assert time.monotonic() < until, f"{name} is not healthy after {PATIENCE_S} s; see {self.folder}"
                time.sleep(0.3)

    def _port_of(self, name: str) -> str:
        process = self.file[name]["command"][0]
        return "embedded_warehouse_port" if process == "warehouse" else f"{process}_port"

    def down(self) -> dict[str, int]:
        """Stop everything, newest first, as Docker does; how each ended."""
        ended = {}
        for name, (process, _) in reversed(self.processes.items()):
            stop(process, within_s=30)
            ended[name] = process.returncode
        return ended


def healthcheck(service: dict[str, Any]) -> list[str]:
    """Its own, or the image's."""
    if "test" in service.get("healthcheck", {}):
        own: list[str] = service["healthcheck"]["test"]
        return own
    text = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    return ["CMD", *yaml.safe_load(text.partition("HEALTHCHECK ")[2].partition(" CMD ")[2])]
