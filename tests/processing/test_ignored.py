"""Ignored records are counted, and logged once a run."""

from __future__ import annotations

import pytest

from f1stream.metrics import IGNORED_RECORDS
from f1stream.processing import ignored
from f1stream.processing.ignored import IgnoredRecords


def test_every_record_is_counted_and_each_run_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    records = IgnoredRecords("test")
    first = [records.add(b"s", run_id, "older run", "run 9 is newer") for run_id in (1, 1, 2, 1)]
    assert first == [True, False, True, False]
    assert IGNORED_RECORDS.labels("test", "older run")._value.get() == 4
    assert caplog.messages == [f"Records of run {run_id} are ignored: run 9 is newer." for run_id in (1, 2)]


def test_the_runs_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignored, "REMEMBERED", 2)
    records = IgnoredRecords("test")
    for run_id in range(5):
        assert records.add(b"s", run_id, "refused run", "it has no beginning")
    assert len(records._logged) == 2
    assert not records.add(b"s", 4, "refused run", "it has no beginning")
    assert records.add(b"s", 0, "refused run", "it has no beginning")
