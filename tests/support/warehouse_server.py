"""The embedded warehouse as a child of a test."""

from __future__ import annotations

import subprocess
from pathlib import Path

from f1stream.child_environment import environment_for
from f1stream.embedded import warehouse
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from tests.support.ports import free_port


class Server:
    """A process that can be killed and started again on its data."""

    def __init__(self, home: Path, *options: str) -> None:
        self.data, self.port = home / "warehouse", free_port()
        self.clients: list[Warehouse] = []
        self.settings = Settings(_env_file=None, home=home, embedded_warehouse_port=self.port)
        self.start(*options)

    def start(self, *options: str) -> None:
        command = [*warehouse.command(self.data, self.port), *options]
        self.process = subprocess.Popen(command, env=environment_for(self.settings, "warehouse"))
        warehouse.wait_until_up(self.process, self.port)

    def client(self) -> Warehouse:
        self.clients.append(Warehouse(self.settings))
        return self.clients[-1]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        self.kill()
