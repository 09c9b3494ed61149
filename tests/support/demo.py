"""``f1stream demo`` as a child of a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

DEMO = [sys.executable, "-m", "f1stream", "demo"]
PORTS = ("EMBEDDED_BROKER", "WEB", "RACE", "ARCHIVE", "SCHEDULE", "EMBEDDED_WAREHOUSE")


def ports() -> dict[str, str]:
    """A free port for each process of a demo, as environment."""
    return {f"F1STREAM_{name}_PORT": str(free_port()) for name in PORTS}


def environment_in(home: Path) -> dict[str, str]:
    """The environment of a demo that leaves nothing outside ``home``."""
    return {**os.environ, "F1STREAM_HOME": str(home), "TMPDIR": str(home), "F1STREAM_BROKER": "", **ports()}


def run_demo(environment: dict[str, str], *options: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """A demo that ends by itself."""
    return subprocess.run(
        [*DEMO, *options], env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


class RunningDemo:
    """A demo that goes on until it is stopped."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        self.environment = environment
        self.process = subprocess.Popen(
            [*DEMO, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = ""

    def wait_for(self, text: str) -> None:
        assert self.process.stdout is not None
        while text not in self.output:
            line = self.process.stdout.readline()
            assert line, f"it ended and said: {self.output}"
            print(line, end="")  # pytest shows it when the text does not come in time
            self.output += line

    def get(self, path: str) -> Any:
        port = self.environment["F1STREAM_WEB_PORT"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return json.load(answer)

    def get_soon(self, path: str) -> Any:
        """An answer of the page, as soon as it has one."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return self.get(path)
            except urllib.error.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
