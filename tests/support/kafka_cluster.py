"""Apache Kafka on loopback: one or three brokers (KRaft) that tests may break."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DeleteGroupsRequest

from f1stream.processes import stop
from tests.support.certificates import certificates
from tests.support.required import ROOT, missing

UP_WITHIN_S = 90
JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
POM = ROOT / "deploy" / "kafka" / "pom.xml"
USER = "f1stream"


def jars() -> Path:
    """Kafka's jars; fetched where they are not there yet."""
    for tool in ("java", "mvn", "openssl"):
        if shutil.which(tool) is None:
            missing(f"{tool} is not installed, which Apache Kafka needs")
    folder = POM.parent / "target" / "jars"
    if not list(folder.glob("kafka_*.jar")):
        got = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"],
            capture_output=True,
            text=True,
            check=False,
        )
        if got.returncode:
            missing(f"Apache Kafka's jars cannot be fetched: {got.stdout[-300:]}")
    return folder


@dataclass
class Broker:
    """One broker of a cluster."""

    number: int
    port: int
    controller_port: int
    secure_port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None


class Cluster:
    """One or three brokers, each with a PLAINTEXT and a SASL over TLS listener on loopback."""

    def __init__(self, folder: Path, brokers: int = 1) -> None:
        self._jars = jars()
        self._folder = folder
        self._id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.password = secrets.token_hex(16)
        self.brokers = [
            Broker(n, *_free_ports(3), folder / f"broker-{n}")
            for n in range(1, brokers + 1)  # type: ignore[arg-type]
        ]
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = _certificates(folder)

    @property
    def bootstrap(self) -> str:
        """Without TLS."""
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    @property
    def secure_bootstrap(self) -> str:
        """SASL over TLS."""
        return ",".join(f"127.0.0.1:{broker.secure_port}" for broker in self.brokers)

    def environment(self) -> dict[str, str]:
        """Settings of a process that uses the cluster."""
        return {
            "F1STREAM_BROKER": self.bootstrap,
            "F1STREAM_TOPIC_REPLICATION": str(len(self.brokers)),
        }

    def secure_environment(self) -> dict[str, str]:
        """The same with SASL over TLS."""
        return {
            **self.environment(),
            "F1STREAM_BROKER": self.secure_bootstrap,
            "F1STREAM_BROKER_SECURITY": "SASL_SSL",
            "F1STREAM_BROKER_USER": USER,
            "F1STREAM_BROKER_PASSWORD": self.password,
            "F1STREAM_BROKER_CA_FILE": str(self.ca_file),
        }

    async def start(self) -> None:
        """Format and start every broker; returns when all of them answer."""
        formats = []
        for broker in self.brokers:
            broker.folder.mkdir(parents=True)
            (broker.folder / "server.properties").write_text(self._properties(broker))
            formats.append(
                # With "=": an id may begin with a dash.
                self._java(broker, "kafka.tools.StorageTool", "format", f"--cluster-id={self._id}", "--config",
                           str(broker.folder / "server.properties"))
            )  # fmt: skip
        for process in formats:
            assert await asyncio.to_thread(process.wait) == 0, "a broker's folder could not be formatted"
        await self.start_all()

    async def start_all(self) -> None:
        """Start the brokers that do not run, and wait for all."""
        for broker in self.brokers:
            if broker.process is None or broker.process.poll() is not None:
                broker.process = self._java(broker, "kafka.Kafka", str(broker.folder / "server.properties"))
        await self._until_up()

    async def _until_up(self) -> None:
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=2_000)
            with suppress(KafkaError, OSError, TimeoutError):
                await admin.start()
                described = await admin.describe_cluster()
                if len(described["brokers"]) == len(self.brokers):
                    await admin.close()
                    return
            with suppress(Exception):
                await admin.close()
            await asyncio.sleep(0.2)
        raise TimeoutError(f"the cluster did not come up; see {self._folder}/broker-*/log")

    def kill(self, number: int) -> None:
        """SIGKILL one broker."""
        process = self.brokers[number - 1].process
        assert process is not None
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End all of them."""
        stop(*(broker.process for broker in self.brokers if broker.process), within_s=10)

    async def reset(self) -> None:
        """Delete every topic and consumer group: the next test begins with nothing."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            async with asyncio.timeout(UP_WITHIN_S):
                while groups := [group for group, _ in await admin.list_consumer_groups()]:
                    for group in groups:
                        await delete_group(admin, group)  # one that has members yet stays for now
                    await asyncio.sleep(0.3)
                while topics := [name for name in await admin.list_topics() if name != "__consumer_offsets"]:
                    await admin.delete_topics(topics)
                    await asyncio.sleep(0.3)
        finally:
            await admin.close()

    async def until_members(self, group: str, members: int) -> None:
        """Return when a consumer group has so many members: one that was killed or frozen is out of it."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            async with asyncio.timeout(UP_WITHIN_S):
                while True:
                    (described,) = (await admin.describe_consumer_groups([group]))[0].groups
                    _, _, state, _, _, found, *_ = described
                    if state == "Stable" and len(found) == members:
                        return
                    await asyncio.sleep(0.2)
        finally:
            await admin.close()

    def _java(self, broker: Broker, *command: str) -> subprocess.Popen[bytes]:
        with (broker.folder / "log").open("ab") as log:
            return subprocess.Popen(
                ["java", *JVM, "-cp", f"{self._jars}/*", *command], stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True, cwd=broker.folder, env=dict(os.environ),
            )  # fmt: skip

    def _properties(self, broker: Broker) -> str:
        copies = len(self.brokers)
        voters = ",".join(f"{b.number}@127.0.0.1:{b.controller_port}" for b in self.brokers)
        listeners = ",".join([
            f"PLAINTEXT://127.0.0.1:{broker.port}", f"CONTROLLER://127.0.0.1:{broker.controller_port}",
            f"SASL_SSL://127.0.0.1:{broker.secure_port}",
        ])  # fmt: skip
        settings: dict[str, Any] = {
            "process.roles": "broker,controller",
            "node.id": broker.number,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": listeners,
            "advertised.listeners": ",".join(part for part in listeners.split(",") if "CONTROLLER" not in part),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{self.password}";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._folder / "server.pem",
            "log.dirs": broker.folder / "data",
            "num.partitions": 1,
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": min(copies, 2),
            "min.insync.replicas": min(copies, 2),
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1_000,
            "num.recovery.threads.per.data.dir": 1,
            "log.retention.check.interval.ms": 2_000,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


async def delete_group(admin: AIOKafkaAdminClient, group: str) -> None:
    """Delete a consumer group with its offsets, if nobody is in it."""
    coordinator = await admin.find_coordinator(group)
    await admin._send_request(DeleteGroupsRequest([group]), coordinator)


def _free_ports(n: int) -> list[int]:
    from tests.support.ports import free_port

    return [free_port() for _ in range(n)]


def _certificates(folder: Path) -> Path:
    """An authority, and a server certificate of it for loopback, for this cluster; returns the authority's file."""
    certificates(folder, "DNS:localhost", "IP:127.0.0.1")
    key = ["-in", "server.key", "-out", "server.pk8"]
    subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", *key], check=True, capture_output=True, cwd=folder)
    (folder / "server.pem").write_text((folder / "server.pk8").read_text() + (folder / "server.crt").read_text())
    return folder / "ca.pem"
