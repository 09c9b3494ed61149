"""Upstream functions that we override or depend on are unchanged since we read them.

When an upgrade changes one: read it again, decide whether the patch is still right and needed, record the new hash.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agents import faust_patches
from tests.support.required import ROOT

FOLDER = "agents/faust_patches"
DOCUMENT = "docs/faust.md"
FETCH_WAIT = "fetch_wait.py"
"""Of ``f1stream``, for workers and page; tests/test_fetch_wait.py checks its private attribute."""
UPSTREAM = ("aiokafka", "faust", "mode")
PRIVATE = re.compile(r"_[a-z]")

REACHED: dict[str, list[str]] = {
    "_committed_offset": ["faust.transport.consumer.Consumer._commit_offsets",
                          "faust.transport.consumer.Consumer._new_offset",
                          "faust.transport.consumer.Consumer._should_commit"],
    "_consumer": ["faust.app.base.App.consumer"],
    "_crashed": ["mode.services.Service.wait_first"],
    "_ensure_consumer": ["faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._ensure_consumer"],
    "_ensure_producer": ["faust.transport.drivers.aiokafka.Producer._ensure_producer"],
    "_fetch_max_wait_ms": ["aiokafka.consumer.consumer.AIOKafkaConsumer.start"],
    "_fetch_min_bytes": ["aiokafka.consumer.consumer.AIOKafkaConsumer.start"],
    "_generation_id": ["faust.tables.recovery.Recovery.on_rebalance"],
    "_buffered_partitions": ["faust.transport.consumer.Consumer.on_buffer_drop",
                             "faust.transport.consumer.Consumer.on_buffer_full"],
    "_get_active_partitions": ["faust.transport.consumer.Consumer._get_active_partitions"],
    "_is_changelog_tp": ["faust.transport.consumer.Consumer._is_changelog_tp"],
    "_read_offset": ["faust.transport.consumer.Consumer._drain_messages",
                     "faust.transport.consumer.Consumer.on_partitions_revoked"],
    "_replace": [],
    "_resume": ["mode.utils.queues.FlowControlEvent.suspend"],
    "_stopped": ["mode.services.Service.wait_first"],
    "_suspend": ["mode.utils.queues.FlowControlEvent.suspend"],
    "_thread": ["faust.transport.consumer.ThreadDelegateConsumer.__init__"],
    "_update_channels": ["faust.tables.manager.TableManager._update_channels"],
}  # fmt: skip
"""Private attributes of Faust, mode and aiokafka that we use, and the functions that define their meaning."""

RELIED_ON = {
    "consumer.py": ["faust.tables.recovery.Recovery._resume_streams"],
    "positions.py": [
        "faust.transport.conductor.Conductor.acks_enabled_for",
        "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.topic_partitions",
    ],
    "stream.py": [
        "faust.streams.Stream._py_aiter",
        "faust.streams.Stream.ack",
        "faust.transport.consumer.Consumer.track_message",
    ],
    "transport.py": ["faust.app.base.App._new_transport", "faust.app.base.App._new_producer_transport"],
}
"""Functions that a patch depends on without overriding them, by our module."""

READ: dict[str, str] = {
    "aiokafka.consumer.consumer.AIOKafkaConsumer.start": "509f7b941208ea56",
    "faust.app.base.App._new_producer_transport": "dfd2e1c1b839fb7d",
    "faust.app.base.App._new_transport": "fd2f766213d799f1",
    "faust.app.base.App.consumer": "e222b180c92648d1",
    "faust.app.base.App.flow_control": "640417b3c723f9a0",
    "faust.streams.Stream._py_aiter": "1ca6ad128ad0973e",
    "faust.streams.Stream.ack": "df4aa6fe22907f32",
    "faust.tables.base.Collection.apply_changelog_batch": "aebca0a2691b88dd",
    "faust.tables.base.Collection.partition_for_key": "b4829d3afb819031",
    "faust.tables.base.Collection.send_changelog": "8269787f2830ab79",
    "faust.tables.manager.TableManager._update_channels": "fbf8c1558b2d8743",
    "faust.tables.manager.TableManager.on_start": "35aa469ac19e96ab",
    "faust.tables.recovery.Recovery._resume_streams": "c68b1634b3c34da8",
    "faust.tables.recovery.Recovery.on_rebalance": "121a73ad43cf0b0f",
    "faust.transport.conductor.Conductor.acks_enabled_for": "4179761a8c21891d",
    "faust.transport.consumer.Consumer._get_active_partitions": "6b98b2ea23ded9c4",
    "faust.transport.consumer.Consumer.on_buffer_drop": "0bbeaf64270b4a6d",
    "faust.transport.consumer.Consumer.on_buffer_full": "db7cc809ec3075f8",
    "faust.transport.consumer.Consumer._commit_offsets": "469ed514dff09b09",
    "faust.transport.consumer.Consumer._drain_messages": "fc0f1b9abdb1dd3c",
    "faust.transport.consumer.Consumer._filter_committable_offsets": "3df385bdd0a401ea",
    "faust.transport.consumer.Consumer._is_changelog_tp": "4dd9b830fc62ce1e",
    "faust.transport.consumer.Consumer._new_offset": "e78f3cb3251000a7",
    "faust.transport.consumer.Consumer._should_commit": "f364ecf8620dfc7c",
    "faust.transport.consumer.Consumer._wait_next_records": "74fe90e7be72f114",
    "faust.transport.consumer.Consumer.getmany": "235d66a223f24536",
    "faust.transport.consumer.Consumer.on_partitions_revoked": "bee0e9c2c08ff55f",
    "faust.transport.consumer.Consumer.perform_seek": "d3e8527bdb719700",
    "faust.transport.consumer.Consumer.track_message": "68b2ee2f2fcbf474",
    "faust.transport.consumer.ConsumerThread.__init__": "6719cc345e315898",
    "faust.transport.consumer.ConsumerThread.on_partitions_assigned": "35e870601064f139",
    "faust.transport.consumer.ConsumerThread.on_partitions_revoked": "8f3c1dcf6a4c7e84",
    "faust.transport.consumer.ThreadDelegateConsumer.__init__": "8808053470854617",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._create_worker_consumer": "ddc57d7aa150f631",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._ensure_consumer": "7ad1994abb323d86",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._fetch_records": "390594ddd941b59a",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._highwaters": "6a6d54f09c7082aa",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._seek_wait": "2f16c19b557c1f85",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.topic_partitions": "936a5f142a1f649c",
    "faust.transport.drivers.aiokafka.Consumer._new_consumer_thread": "c4a2821269c4f9d3",
    "faust.transport.drivers.aiokafka.Consumer.verify_event_path": "67770280d2b4984f",
    "faust.transport.drivers.aiokafka.Producer._ensure_producer": "9bc6e296ff77e57f",
    "faust.transport.drivers.aiokafka.Producer._settings_extra": "ba7092064d8bba85",
    "faust.transport.drivers.aiokafka.Producer.create_topic": "853d34b315122499",
    "faust.transport.drivers.aiokafka.Producer.send": "e87f08d4e6c7711b",
    "mode.services.Service.wait_first": "f801bc9f49cd407b",
    "mode.utils.queues.FlowControlEvent.resume": "9cc7fb6b619c5810",
    "mode.utils.queues.FlowControlEvent.suspend": "852da0ad3346160c",
}
"""Hashes of the functions when we read them."""


def modules() -> Iterator[tuple[str, ModuleType]]:
    """The package's modules by file name."""
    for found in pkgutil.iter_modules(faust_patches.__path__):
        yield f"{found.name}.py", importlib.import_module(f"{faust_patches.__name__}.{found.name}")


def function(member: Any) -> Any:
    """The function of a method or property; None for anything else."""
    for getter in ("fget", "_cached_property__get"):  # Python's properties, and mode's cached ones
        member = getattr(member, getter, member)
    return member if inspect.isfunction(member) else None


def overridden() -> Iterator[tuple[str, str, str]]:
    """Every upstream function that one of our classes overrides: our file, our name, upstream's name."""
    for file, module in modules():
        for ours in vars(module).values():
            if not inspect.isclass(ours) or ours.__module__ != module.__name__:
                continue
            for name, member in vars(ours).items():
                if getattr(function(member), "__module__", None) != module.__name__:
                    continue
                for base in ours.__mro__[1:]:
                    if base.__module__.split(".")[0] in UPSTREAM and function(vars(base).get(name)):
                        yield file, f"{ours.__name__}.{name}", f"{base.__module__}.{base.__qualname__}.{name}"
                        break


def reached(tree: ast.AST) -> set[str]:
    """Private attributes that a module uses and the package does not define."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and PRIVATE.match(node.attr)}


def defined(tree: ast.AST) -> set[str]:
    """Private attributes that a module defines: methods, and attributes set on ``self``."""
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)} | {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }


def needed() -> dict[str, str]:
    """Every upstream function that must be read, with the file of ours that depends on it."""
    trees = {file: ast.parse(inspect.getsource(module)) for file, module in modules()}
    ours = set().union(*map(defined, trees.values()))
    found = {upstream: file for file, _, upstream in overridden()}
    for file, tree in trees.items():
        for name in reached(tree) - ours:
            assert name in REACHED, f"{FOLDER}/{file} reaches into {name}: say in REACHED which functions it is of"
            found |= dict.fromkeys(REACHED[name], file)
    for file, names in RELIED_ON.items():
        found |= dict.fromkeys(names, file)
    return dict(sorted(found.items()))


def source_hash(name: str) -> str:
    """Hash of an upstream function's source without indentation and blank lines."""
    path = name.split(".")
    at = next(n for n in range(len(path) - 1, 0, -1) if _is_module(".".join(path[:n])))
    member = reduce(lambda owner, part: vars(owner)[part], path[at:], importlib.import_module(".".join(path[:at])))
    lines = textwrap.dedent(inspect.getsource(function(member))).splitlines()
    return hashlib.sha256("\n".join(line.rstrip() for line in lines if line.strip()).encode()).hexdigest()[:16]


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


NEEDED = needed()


@pytest.mark.parametrize("name", NEEDED)
def test_upstream_function_is_unchanged_since_we_read_it(name: str) -> None:
    file = f"{FOLDER}/{NEEDED[name]}"
    now = source_hash(name)
    assert name in READ, f"{file}: read {name} and record its hash: {now}"
    assert READ[name] == now, f"{file}: re-read {name}: it has changed (now {now})"


def test_no_hash_is_recorded_for_an_unpatched_function() -> None:
    assert READ.keys() - NEEDED.keys() == set()


def test_every_patch_is_in_the_table_with_a_test_that_exists() -> None:
    table = (ROOT / DOCUMENT).read_text().partition("## Patches")[2].partition("\n## ")[0]
    missing = {ours for _, ours, _ in overridden() if f"`{ours}`" not in table}
    assert missing == set(), f"not in the table of {DOCUMENT}"
    tests = set(re.findall(r"\btest_\w+", table))
    assert tests
    here = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert tests <= here


def test_nothing_else_of_ours_reaches_into_faust() -> None:
    """Only that package uses private attributes of Faust, mode and aiokafka, but for one with a test of its own."""
    found = []
    for path in (path for folder in ("agents", "f1stream", "web") for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text()
        if (
            FOLDER in path.as_posix()
            or path.name == FETCH_WAIT
            or not re.search(r"^(from|import) (agents|aiokafka|faust|mode)\b", text, re.M)
        ):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and PRIVATE.match(node.attr):
                owner = ast.unparse(node.value)
                if owner not in {"self", "cls", "os"}:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {owner}.{node.attr}")
    assert found == []
