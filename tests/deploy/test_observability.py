"""Dashboards, alerts and runbooks: they speak of metrics that the processes have, and of each other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from f1stream import metrics as workers
from f1stream.cli import app
from f1stream.jobs.serve import JobMetrics
from f1stream.settings import Settings
from f1stream.sources.livetiming import metrics as live
from f1stream.sources.livetiming.message import FeedMessage
from tests.support.containers import ROOT, compose
from tests.support.livetiming_server import LiveTimingServer
from tests.support.ports import free_port
from tests.support.required import missing
from web.metrics import Metrics

DEPLOY = ROOT / "deploy"
PATIENCE_S = 120
PORTS = {"race": "race_port", "archive": "archive_port", "web": "web_port", "schedule": "schedule_port",
         "live": "live_port"}  # fmt: skip
"""By Prometheus's job: the setting of the port that it asks."""
TARGET = {"job", "instance"}
"""What Prometheus adds to each sample; a metric's own ``job`` becomes ``exported_job``."""
WORDS = re.compile(
    "sum|min|max|count|rate|increase|changes|deriv|time|absent|histogram_quantile|(min|present)_over_time|"
    "by|on|group_left|and|or|unless|offset"
)
NAME = re.compile(r"\b[a-z_][a-z_0-9]*")
SELECTOR = re.compile(r"\b([a-z_][a-z_0-9]*)(\{[^}]*\})?")
LISTED = re.compile(r"\b(?:by|on|group_left) \(([^)]*)\)")

Known = dict[str, dict[str, set[str]]]
"""By job, the labels of each metric's samples."""


@pytest.fixture(scope="module")
def boards() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in (DEPLOY / "grafana/dashboards").iterdir()}


@pytest.fixture(scope="module")
def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels(boards: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, board in boards.items():
        for panel in board["panels"]:
            yield f"{name}: {panel['title']}", panel


# -- metrics of the processes --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """The metrics of every process of a demo, and of a live client beside it."""
    folder = tmp_path_factory.mktemp("observed")
    ports = {setting: free_port() for setting in (*PORTS.values(), "embedded_broker_port", "embedded_warehouse_port")}
    environment = {
        **os.environ, "F1STREAM_HOME": str(folder), "F1STREAM_BROKER": "",
        **{f"F1STREAM_{setting.upper()}": str(port) for setting, port in ports.items()},
    }  # fmt: skip
    said = FeedMessage("Heartbeat", {"Utc": "2025-10-25T21:00:00.0000000Z"}, 1_761_426_000_000)
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str, **more: str) -> None:
        with (folder / f"{command[0]}.log").open("wb") as log:
            started.append(subprocess.Popen(
                [sys.executable, "-m", "f1stream", *command], env={**environment, **more}, cwd=folder, stdout=log,
                stderr=log, start_new_session=True,
            ))  # fmt: skip

    def scrape(job: str, *awaited: str) -> dict[str, set[str]]:
        until = time.monotonic() + PATIENCE_S
        while True:
            assert all(each.poll() is None for each in started), f"one has ended; see {folder}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{ports[PORTS[job]]}/metrics", timeout=5) as answer:
                    text = answer.read().decode()
                if all(f"\n{each}" in text for each in awaited):
                    return labels_by_metric(text)
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                pass
            assert time.monotonic() < until, f"{job} does not export {' and '.join(awaited)}; see {folder}"
            time.sleep(0.3)

    try:
        start("demo", "--source", "sim:cars=4,laps=2", "--speed", "max")
        found = {
            "race": scrape("race", "f1stream_lag_records{", "f1stream_healthy 1.0"),
            "archive": scrape("archive", "f1stream_archive_rows_total{", "f1stream_healthy 1.0"),
            "web": scrape("web", "f1stream_lag_records{", "f1stream_healthy 1.0"),
            "schedule": scrape("schedule", "f1stream_job_next_run_timestamp_seconds{", "f1stream_healthy 1.0"),
        }
        with LiveTimingServer([said], waits=True) as server:
            start("live", F1STREAM_LIVE_URL=server.url)
            found["live"] = scrape("live", "f1stream_live_connected 1.0")
    finally:
        for each in reversed(started):
            each.send_signal(signal.SIGTERM)
        for each in started:
            try:
                each.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(each.pid, signal.SIGKILL)
    return found


def declared() -> dict[str, set[str]]:
    """Labels of metrics of which a process has no sample until something happens."""
    objects = [*vars(workers).values(), *vars(live).values(), Metrics().skipped]
    ran = SimpleNamespace(at=datetime.now(UTC), seconds=1.0)
    jobs: Any = SimpleNamespace(
        settings=Settings(_env_file=None), counts={("build", "complete"): 1}, last={"build": ran}, failing=dict,
        running=list, next_runs=dict,
    )  # fmt: skip
    return {each._name: set(each._labelnames) for each in objects if isinstance(each, MetricWrapperBase)} | {
        family.name: {label for sample in family.samples for label in sample.labels}
        for family in JobMetrics(jobs).collect()
    }


def labels_by_metric(text: str) -> dict[str, set[str]]:
    found, without = {"up": set(TARGET)}, declared()
    for family in text_string_to_metric_families(text):
        own = {label for sample in family.samples for label in sample.labels} or without.get(family.name, set())
        own = {"exported_job" if label == "job" else label for label in own if label != "le"}
        names = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        for suffix in names:
            found[family.name + suffix] = own | TARGET | ({"le"} if suffix == "_bucket" else set())
    return found


# -- what dashboards and alerts ask --------------------------------------------------------------------------


def wrong(query: str, known: Known, legend: str = "") -> list[str]:
    """What a PromQL expression, and the text made of its result, name that no process exports."""
    found: list[str] = []
    mentioned: set[str] = set()
    bare = LISTED.sub(" ", re.sub(r"\[[^]]*\]|offset \w+|\b[0-9.]+\w*", " ", re.sub(r'"[^"]*"', '""', query)))
    values = re.findall(r'\bjob="([^"]*)"', query)
    found += [f"job {value} is not scraped" for value in values if value not in known]
    for name, matchers in SELECTOR.findall(bare):
        if WORDS.fullmatch(name):
            continue
        tellers = [job for job, metrics in known.items() if name in metrics]
        if not tellers:
            found.append(f"{name} is exported by no process")
            continue
        own = set.union(*(known[job][name] for job in tellers))
        found += [f"{name} has no label {each}" for each in NAME.findall(matchers) if each not in own]
        mentioned |= own
    for name, job in re.findall(r'\b([a-z_0-9]+)\{[^}]*\bjob="([^"]*)"', query):
        found += [f"{job} does not export {name}"] * (name not in known.get(job, {}))
    listed = [label for group in LISTED.findall(query) for label in NAME.findall(group)]
    shown = re.findall(r"\{\{ ?(?:\$labels\.)?([a-z_]+)", legend)
    found += [f"there is no label {each}" for each in [*listed, *shown] if each not in mentioned]
    return found


@pytest.mark.system
def test_dashboards_show_metrics_that_the_processes_export(boards: dict[str, dict[str, Any]], known: Known) -> None:
    found = [
        f"{where}: {each}"
        for where, panel in panels(boards)
        for target in panel["targets"]
        for each in wrong(target["expr"], known, target["legendFormat"])
    ]
    assert not found, "\n".join(found)


@pytest.mark.system
def test_alerts_use_metrics_that_the_processes_export(alerts: dict[str, dict[str, Any]], known: Known) -> None:
    found = [
        f"{name}: {each}"
        for name, rule in alerts.items()
        for each in wrong(rule["expr"], known, " ".join(rule["annotations"].values()))
    ]
    assert not found, "\n".join(found)


@pytest.mark.system
def test_a_metric_that_no_process_exports_is_found(known: Known) -> None:
    assert wrong('sum by (topic) (rate(f1stream_lag_records{job="race"}[5m])) > 1e3', known, "{{topic}}") == []
    assert wrong("rate(f1stream_lag[5m])", known) == ["f1stream_lag is exported by no process"]
    assert wrong('f1stream_lag_records{car="4"}', known) == ["f1stream_lag_records has no label car"]
    assert wrong("sum by (car) (up)", known) == wrong("up", known, "{{car}}") == ["there is no label car"]
    assert wrong('f1stream_web_viewers{job="race"}', known) == ["race does not export f1stream_web_viewers"]
    assert wrong('up{job="racer"}', known) == ["job racer is not scraped", "racer does not export up"]


@pytest.mark.system
def test_every_metric_of_ours_is_on_a_dashboard(boards: dict[str, dict[str, Any]], known: Known) -> None:
    shown = " ".join(target["expr"] for _, panel in panels(boards) for target in panel["targets"])
    ours = {name for metrics in known.values() for name in metrics if name.startswith("f1stream_")}
    ours -= {name for name in ours if name.endswith(("_sum", "_count", "_created"))}  # of histograms the buckets
    assert len(ours) > 30
    assert not {name for name in ours if not re.search(rf"\b{name}\b", shown)}


@pytest.mark.system
def test_every_process_exports_version_memory_and_start(known: Known) -> None:
    for job, metrics in known.items():
        for name in ("f1stream_build_info", "process_resident_memory_bytes", "process_start_time_seconds"):
            assert name in metrics, f"{job} does not export {name}"
    assert all("f1stream_healthy" in metrics for job, metrics in known.items() if job != "live")
    assert all("partition" in known[job]["f1stream_lag_records"] for job in ("race", "archive", "web"))


# -- files ---------------------------------------------------------------------------------------------------


def test_dashboards_are_whole_and_readable(boards: dict[str, dict[str, Any]]) -> None:
    assert boards.keys() == {"overview", "race", "archive", "web", "feed"}
    assert len({board["uid"] for board in boards.values()} | {board["title"] for board in boards.values()}) == 10
    for name, board in boards.items():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids), name
        assert board["description"], name
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
            assert not cells & taken, f"{name}: {panel['title']} lies on another"
            assert at["x"] + at["w"] <= 24, f"{name}: {panel['title']} is cut off"
            taken |= cells
    for where, panel in panels(boards):
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], where
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, where
        assert all("datasource" not in target for target in panel["targets"]), where
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == sorted(set(refs)), where


def test_grafana_finds_datasource_and_dashboards_where_compose_puts_them() -> None:
    services = compose()["services"]
    mounts = {volume.split(":")[1]: DEPLOY / volume.split(":")[0] for volume in services["grafana"]["volumes"]}
    provisioning = mounts["/etc/grafana/provisioning"]
    (provider,) = yaml.safe_load((provisioning / "dashboards/f1stream.yaml").read_text())["providers"]
    assert mounts[provider["options"]["path"]] == DEPLOY / "grafana/dashboards"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["uid"] == "prometheus"
    port = services["prometheus"]["ports"][0].split(":")[-1]
    assert source["url"] == f"http://prometheus:{port}"
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (mounts[str(home.parent)] / home.name).is_file()


def test_prometheus_asks_every_process_at_its_name_and_port() -> None:
    services = compose()["services"]
    (volume,) = (each for each in services["prometheus"]["volumes"] if each.startswith("./"))
    inside = volume.split(":")[1]
    (option,) = (each for each in services["prometheus"]["command"] if each.startswith("--config.file="))
    config = DEPLOY / volume.split(":")[0] / option.partition("=")[2].removeprefix(f"{inside}/")
    scraped = yaml.safe_load(config.read_text())
    assert all((config.parent / each).is_file() for each in scraped["rule_files"])
    jobs = {each["job_name"]: each["dns_sd_configs"][0] for each in scraped["scrape_configs"]}
    assert jobs.keys() == PORTS.keys()
    for job, found in jobs.items():
        (service,) = found["names"]
        assert found["port"] == Settings.model_fields[PORTS[job]].default, job
        assert services[service]["command"] == [{"live": "schedule"}.get(job, job)], job


def test_every_alert_has_a_runbook_and_every_runbook_an_alert(alerts: dict[str, dict[str, Any]]) -> None:
    text = (DEPLOY / "RUNBOOKS.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == alerts.keys()
    for name, rule in alerts.items():
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}, name
        assert rule["annotations"]["runbook"] == f"RUNBOOKS.md#{name.lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert all(f"- **{part}**: " in sections[name] for part in ("Means", "Look at", "Do")), name


def test_runbooks_name_commands_and_settings_that_there_are(alerts: dict[str, dict[str, Any]]) -> None:
    text = (DEPLOY / "RUNBOOKS.md").read_text()
    commands: Any = get_command(app)
    assert set(re.findall(r"f1stream ([a-z]+)", text)) <= commands.commands.keys()
    for setting in set(re.findall(r"F1STREAM_([A-Z0-9_]+)", text)):
        assert setting.lower() in Settings.model_fields, setting
    named = set(re.findall(r"(?:see|for|and) ([A-Z][a-z]+[A-Z]\w+)", text))
    assert named <= alerts.keys()


def test_every_alert_is_tried_where_it_fires_and_where_it_does_not(alerts: dict[str, dict[str, Any]]) -> None:
    cases = yaml.safe_load(Path(__file__).with_name("alerts_test.yaml").read_text())["tests"]
    tried: dict[str, set[bool]] = {}
    for case in cases:
        (asked,) = case["promql_expr_test"]
        (alert,) = re.findall(r'alertname="(\w+)"', asked["expr"])
        assert case["name"].startswith(f"{alert} {'fires' if asked['exp_samples'] else 'is quiet'}: ")
        tried.setdefault(alert, set()).add(bool(asked["exp_samples"]))
    assert tried == {name: {True, False} for name in alerts}


@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "deploy/prometheus/prometheus.yaml"],
        ["check", "rules", "deploy/prometheus/alerts.yaml"],
        ["test", "rules", "tests/deploy/alerts_test.yaml"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
@pytest.mark.system
def test_promtool_finds_nothing(command: list[str]) -> None:
    if shutil.which("promtool") is None:
        missing("promtool is not there: it is in Debian's package prometheus")
    done = subprocess.run(["promtool", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
