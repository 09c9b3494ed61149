"""``f1stream schedule``: the scheduler, with its health and metrics, until it is told to stop."""

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
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from f1stream import logs
from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs.scheduler import JobScheduler
from f1stream.process_health import register_process_metrics
from f1stream.settings import Settings
from f1stream.sources.livetiming.connection.token import Tokens


def health(jobs: JobScheduler) -> dict[str, Any]:
    """What ``/health`` says. It is answered from this process and its file: the warehouse is left asleep."""
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
    """The same for Prometheus."""

    def __init__(self, jobs: JobScheduler) -> None:
        self._jobs = jobs
        self._tokens = Tokens(jobs.settings)

    def collect(self) -> Iterator[Metric]:
        """As Prometheus asks."""
        runs = CounterMetricFamily("f1stream_job_runs", "Runs of jobs, by how they ended.", labels=["job", "outcome"])
        for (name, outcome), count in self._jobs.counts.items():
            runs.add_metric([name, outcome], count)
        yield runs
        failing = self._jobs.failing()
        last = self._jobs.last
        for metric, text, values in (
            ("failing", "1 while a job's last run was not complete.",
             dict.fromkeys(last, 0.0) | dict.fromkeys(failing, 1.0)),
            ("running", "1 while a job runs, or waits for the one that does.",
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
        # The live client tells it as well, but runs only while there is a session: too late for a new token.
        yield GaugeMetricFamily(
            "f1stream_live_token_ends_seconds", "When the F1TV token ends (Unix s); 0 without one.",
            value=self._tokens.ends_s(),
        )  # fmt: skip


def create_app(jobs: JobScheduler) -> web.Application:
    """Its routes. A job that fails does not make the process ill: a restart would not mend it."""
    registry = CollectorRegistry()
    register_process_metrics(registry, healthy=lambda: jobs.alive)
    registry.register(JobMetrics(jobs))

    async def answer_health(_: web.Request) -> web.Response:
        return web.json_response(health(jobs), status=200 if jobs.alive else 503)

    async def answer_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get(path, answer_health) for path in ("/health", "/alive")])
    app.add_routes([web.get("/metrics", answer_metrics)])
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

    A run that is on is not waited for: what it landed is whole, and it is tried again at the next start.
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
