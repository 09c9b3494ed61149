"""The records of runs that did not end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import snowflake.connector
import time_machine

from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs import runs, work
from f1stream.jobs.runs import LONGEST, Ended, JobRuns
from f1stream.jobs.work import JOBS, run_job
from f1stream.marts.build import Build
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.schema import create
from tests.support.ports import free_port

pytestmark = pytest.mark.system
NOON = datetime(2025, 3, 16, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings(
        _env_file=None, home=tmp_path_factory.mktemp("home"), embedded_warehouse_port=free_port(),
        embedded_broker_port=free_port(),
    )  # fmt: skip
    with embedded_warehouse(settings):
        with closing(Warehouse(settings)) as warehouse:
            list(create(warehouse, settings.snowflake_database))
        yield settings


def test_an_unfinished_run_of_another_host_is_interrupted_after_the_longest_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(host: str, at: datetime) -> None:
        monkeypatch.setattr(runs.socket, "gethostname", lambda: host)
        with time_machine.travel(at, tick=False):
            recorded.begin("season", 1)

    with closing(Warehouse(settings)) as warehouse:
        recorded = JobRuns(warehouse)
        begin("first", NOON)
        begin("second", NOON + LONGEST - timedelta(hours=1))
        assert [run["outcome"] for run in recorded.latest(2)] == [None, None], "by hand, elsewhere: it may be on"
        begin("third", NOON + LONGEST + timedelta(hours=1))
        assert [run["outcome"] for run in recorded.latest(3)] == [None, None, "interrupted"]
        begin("third", NOON + LONGEST + timedelta(hours=2))
        assert [run["outcome"] for run in recorded.latest(4)] == [None, "interrupted", None, "interrupted"]


def test_an_unexpected_error_ends_the_run_as_failed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Settings) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(work, "build", breaks)
    with pytest.raises(RuntimeError):
        run_job(JOBS["build"], settings)
    with closing(Warehouse(settings)) as warehouse:
        (run,) = JobRuns(warehouse).latest(1)
    assert (run["job"], run["outcome"], run["error"]) == ("build", Ended.FAILED, "RuntimeError: no such thing")
    assert run["ended_at"] is not None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("last_modified"), "KeyError('last_modified')"),
        (snowflake.connector.errors.ProgrammingError("Insufficient privileges."), "Insufficient privileges."),
    ],
)
def test_old_files_that_cannot_be_removed_neither_fail_nor_repeat_the_weekly_job(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, text: str
) -> None:
    """They are the last part of it."""
    done = []

    def removes(_: Warehouse) -> int:
        done.append("removes")
        raise error

    def builds(_: Settings) -> Build:
        done.append("builds")
        return Build(0, 0, [], 0.0)

    monkeypatch.setattr(work, "build", builds)
    monkeypatch.setattr(work, "read", lambda *_: [])
    monkeypatch.setattr(work, "remove_old_files", removes)
    job = replace(JOBS["weekly"], loads="nothing")
    result = run_job(job, settings)
    assert done == ["builds", "removes"]
    assert (result.ended, result.errors, result.build_pending) == (Ended.COMPLETE, [], False)
    assert result.sentences[-1].endswith(f"the next run tries again: {text}")
    assert "Old files could not be removed from the stage." in caplog.text
    with closing(Warehouse(settings)) as warehouse:
        (run,) = JobRuns(warehouse).latest(1)
    assert (run["outcome"], run["error"]) == (Ended.COMPLETE, None)
