"""Partitions are added to a topic while a race worker runs: it becomes unhealthy, and no other one starts."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from f1stream import doctor, topics
from f1stream.kafka import configure_topics
from f1stream.topic_settings import read_settings
from tests.support.kafka_cluster import Cluster
from tests.support.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.system


async def test_the_running_worker_is_unhealthy_and_another_does_not_start(cluster: Cluster, tmp_path: Path) -> None:
    await cluster.reset()
    rig = Rig(tmp_path, 3, cluster.environment())
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    try:
        await rig.start()
        await admin.start()
        await rig.worker()
        wrong = "F1STREAM_TOPIC_PARTITIONS=3: laps (4). They must all have the same"
        await admin.create_partitions({topics.LAPS: NewPartitions(4)})
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"http://127.0.0.1:{rig.workers[0][1]}/health") as answer:
                    if wrong in await answer.text():
                        break
                await asyncio.sleep(0.2)
            async with http.get(f"http://127.0.0.1:{rig.workers[0][1]}/alive") as answer:
                assert answer.status == 200
        second = rig._popen([sys.executable, "-m", "f1stream", "race"], "second")
        assert await asyncio.to_thread(second.wait, PATIENCE_S) == 2
        assert rig.logs[second.pid].read_text().startswith("f1stream: With other numbers of partitions than ")
        assert wrong in rig.logs[second.pid].read_text()
        assert wrong in str(await doctor.broker(rig.settings))
    finally:
        await admin.close()
        await asyncio.to_thread(rig.stop)


async def until_own(admin: AIOKafkaAdminClient, expected: dict[str, str]) -> None:
    """Wait until the topic of laps has these settings: a broker receives a change from the controller."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            settings = (await read_settings(admin, [topics.LAPS]))[topics.LAPS]
            if {name: setting.value for name, setting in settings.items() if setting.is_the_topics_own} == expected:
                return
            await asyncio.sleep(0.1)


async def test_topics_of_an_earlier_release_get_the_brokers_timestamps(cluster: Cluster, tmp_path: Path) -> None:
    await cluster.reset()
    rig = Rig(tmp_path, 3, cluster.environment())
    await rig.start()
    assert [finding.level for finding in await doctor.broker(rig.settings)] == ["ok", "ok"]
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    try:
        earlier = {"retention.ms": "7200000", "max.message.bytes": "900000"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topics.LAPS, earlier)])
        await until_own(admin, earlier)
        wrong = " ".join(finding.text for finding in await doctor.broker(rig.settings) if finding.level == "problem")
        assert "The records of laps have their source's time" in wrong
        assert "laps (900000)" in wrong
        await configure_topics(rig.settings)
        await until_own(admin, earlier | {"message.timestamp.type": "LogAppendTime"})
    finally:
        await admin.close()
