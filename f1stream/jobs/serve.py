"""``f1stream schedule``: the scheduler with its health and metrics, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from f1stream import logs
from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs.scheduler import JobScheduler
from f1stream.monitoring import monitoring_routes
from f1stream.process_health import register_process_metrics
from f1stream.settings import Settings
from f1stream.sources.livetiming.connection.token import Tokens


def health(jobs: JobScheduler) -> dict[str, Any]:
    """The body of ``/health``, from this process and its file: a suspended Snowflake warehouse stays suspended."""
    failing = jobs.failing()
    return {
        "status": "dead" if not jobs.alive else "failing" if failing else "ok",
        "running": jobs.running(),
        "failing": failing,
        "last": {
            name: {"outcome": str(last.ended), "at": last.at.isoformat(timespec="seconds")}
            for name, last in jobs.last.items()
        },
        "next": {name: at.isoformat(timespec="seconds") for name, at in sorted(jobs.next_runs().items())},
    }


class JobMetrics(Collector):
    """The jobs' metrics, computed when Prometheus scrapes them."""

    def __init__(self, jobs: JobScheduler) -> None:
        self._jobs = jobs
        self._tokens = Tokens(jobs.settings)

    def collect(self) -> Iterator[Metric]:
        """The metric families."""
        runs = CounterMetricFamily("f1stream_job_runs", "Runs of jobs, by how they ended.", labels=["job", "outcome"])
        for (name, outcome), count in self._jobs.counts.items():
            runs.add_metric([name, outcome], count)
        yield runs
        failing = self._jobs.failing()
        last = self._jobs.last
        for metric, text, values in (
            ("failing", "1 while a job's last run was not complete.",
             dict.fromkeys(last, 0.0) | dict.fromkeys(failing, 1.0)),
            ("running", "1 while a job runs or is queued.",
             dict.fromkeys(last, 0.0) | dict.fromkeys(self._jobs.running(), 1.0)),
            ("last_end_timestamp_seconds", "When a job's last run ended.",
             {name: each.at.timestamp() for name, each in last.items()}),
            ("last_seconds", "How long a job's last run took.", {name: each.seconds for name, each in last.items()}),
            ("next_run_timestamp_seconds", "When a job runs next.",
             {name: at.timestamp() for name, at in self._jobs.next_runs().items()}),
        ):  # fmt: skip
            gauge = GaugeMetricFamily(f"f1stream_job_{metric}", text, labels=["job"])
            for name, value in values.items():
                gauge.add_metric([name], value)
            yield gauge
        # The live client exports it too, but runs only during a session: too late to get a new token.
        yield GaugeMetricFamily(
            "f1stream_live_token_ends_seconds", "When the F1TV token ends (Unix s); 0 without one.",
            value=self._tokens.ends_s(),
        )  # fmt: skip


def create_app(jobs: JobScheduler) -> web.Application:
    """Health and metrics. A failing job leaves the process healthy: a restart would not fix it."""
    registry = CollectorRegistry()
    register_process_metrics(registry, healthy=lambda: jobs.alive)
    registry.register(JobMetrics(jobs))

    def check() -> tuple[bool, dict[str, Any]]:
        return jobs.alive, health(jobs)

    app = web.Application()
    app.add_routes(monitoring_routes(check, check, registry))
    return app


async def _serve(settings: Settings, jobs: JobScheduler) -> None:
    stopped = asyncio.Event()
    hanging_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]  # nohup
    for number in (signal.SIGINT, signal.SIGTERM, *hanging_up):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(create_app(jobs), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.web_host, settings.schedule_port).start()
    await stopped.wait()
    await runner.cleanup()


def schedule(settings: Settings) -> None:
    """Run until SIGTERM, Ctrl-C or a closed terminal, then end the process at once.

    A running job is not waited for: what it has landed is consistent, and it is retried at the next start.
    """
    logs.configure("schedule", settings)
    with embedded_warehouse(settings):
        jobs = JobScheduler(settings)
        jobs.start()
        for name, at in sorted(jobs.next_runs().items(), key=lambda each: each[1]):
            logging.getLogger(__name__).info("%s is due at %s", name, _utc(at))
        asyncio.run(_serve(settings, jobs))
        jobs.stop()
    sys.stdout.flush()
    os._exit(0)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
