"""The loader on the embedded warehouse: offsets, gaps, fencing, and a transaction that fails at any step."""

from __future__ import annotations

import re
import resource
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import snowflake.connector

from f1stream import topics
from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.topics import RecordHeaders
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.ensure_tables import ensure_tables
from f1stream.warehouse.errors import DataRefused, Fenced, WarehouseError
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch, halves, rows_of
from f1stream.warehouse.schema import create, status
from models import DeadLetter
from tests.support.ports import free_port

LAPS = Partition(topics.LAPS, 3)
ODD = "it's a home [1] at 100%20 #*"
"""A folder name with characters that are special in SQL, URLs or glob patterns."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("home") / ODD
    settings = Settings(_env_file=None, home=home, embedded_warehouse_port=free_port())
    with embedded_warehouse(settings):
        with closing(Warehouse(settings)) as warehouse:
            list(create(warehouse, "F1STREAM"))
        yield settings


@pytest.fixture
def loader(settings: Settings) -> Iterator[Loader]:
    warehouse = Warehouse(settings)
    for name in ("LOAD_OFFSETS", "LOAD_LOCKS", "TELEMETRY_COUNTS", *(table.name for table in tables.ALL)):
        warehouse.execute(f"delete from RAW.{name}")
    yield Loader(warehouse, "test")
    warehouse.close()


def message(topic: str, offset: int, value: bytes, headers: Any = (), key: bytes = b"1:4", partition: int = 3) -> Any:
    return SimpleNamespace(
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        value=value,
        headers=headers,
        timestamp=1_700_000_000.5,
    )


@pytest.fixture(scope="module")
def lap_messages() -> list[Any]:
    items = [item for item in pack(simulate(3, cars=2, laps=6), 1, 3_000) if item.topic == topics.LAPS]
    one = [item for item in items if item.key == items[0].key]
    return [
        message(topics.LAPS, n, topics.encode(item.record), item.headers.encode(), item.key)
        for n, item in enumerate(one)
    ]


def batch_of(messages: list[Any], first: int, until: int) -> PartitionBatch:
    return PartitionBatch(LAPS, 0, first, [tables.LAPS.decode_record(one, 0) for one in messages[first:until]])


def lap_numbers(loader: Loader) -> list[int]:
    return [row["lap_number"] for row in loader.warehouse.rows("select lap_number from RAW.LAPS order by 1")]


def test_home_and_temporary_folder_may_have_any_name_and_no_temporary_file_is_left(
    loader: Loader, settings: Settings, lap_messages: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ODD).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ODD))
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    assert loader.load([batch_of(lap_messages, 0, 3)]) == {"LAPS": 3}
    assert lap_numbers(loader) == [1, 2, 3]
    assert list((tmp_path / ODD).iterdir()) == []
    assert settings.home.name == ODD
    loader.warehouse.execute("create database if not exists ANOTHER")
    assert {file.name for file in (settings.home / "warehouse").glob("*.db")} == {"F1STREAM.db", "ANOTHER.db"}


def test_a_batch_is_loaded_once(loader: Loader, lap_messages: list[Any]) -> None:
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    loader.begin_at({LAPS: LoadedOffset(0, 5)})  # known already: nothing changes
    assert loader.load([batch_of(lap_messages, 0, 3)]) == {"LAPS": 3}
    with pytest.raises(Fenced):
        loader.load([batch_of(lap_messages, 0, 3)])
    assert lap_numbers(loader) == [1, 2, 3]
    assert loader.offsets()[LAPS].next_offset == 3


@pytest.mark.parametrize(("first", "until"), [(2, 6), (4, 6)])
def test_a_batch_that_overlaps_or_leaves_a_gap_is_not_loaded(
    loader: Loader, lap_messages: list[Any], first: int, until: int
) -> None:
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    loader.load([batch_of(lap_messages, 0, 3)])
    with pytest.raises(Fenced):
        loader.load([batch_of(lap_messages, first, until)])
    assert lap_numbers(loader) == [1, 2, 3]


def test_one_fenced_partition_fences_the_whole_load(loader: Loader, lap_messages: list[Any]) -> None:
    other = Partition(topics.LAPS, 4)
    loader.begin_at({LAPS: LoadedOffset(0, 0), other: LoadedOffset(0, 1)})
    with pytest.raises(Fenced):
        loader.load([batch_of(lap_messages, 0, 3), PartitionBatch(other, 0, 0, batch_of(lap_messages, 0, 2).records)])
    assert lap_numbers(loader) == []


def test_a_batch_covers_offsets_and_can_be_cut_and_halved() -> None:
    records = [tables.undecoded(message(topics.LAPS, offset, b"{}"), 0) for offset in (5, 6, 9)]
    whole = PartitionBatch(LAPS, 0, 4, records)
    assert whole.next_offset == 10
    assert whole.from_offset(10) is None
    rest = whole.from_offset(6)
    assert rest is not None
    assert (rest.first_offset, rest.next_offset) == (6, 10)
    assert halves([whole]) is not None
    first, second = halves([whole]) or ([], [])
    assert [(part.first_offset, part.next_offset) for part in [*first, *second]] == [(4, 6), (6, 10)]
    assert halves([PartitionBatch(LAPS, 0, 9, records[2:])]) is None
    assert rows_of([whole]) == 0


def test_a_value_that_does_not_fit_its_column_is_refused(loader: Loader, lap_messages: list[Any]) -> None:
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    read = tables.LAPS.decode_record(lap_messages[0], 0)
    spoiled = read.without_rows()
    too_much = replace(read, record=read.record.model_copy(update={"position": 2**70}))
    with pytest.raises(DataRefused, match="does not fit"):
        loader.load([PartitionBatch(LAPS, 0, 0, [too_much])])
    assert loader.load([PartitionBatch(LAPS, 0, 0, [spoiled])]) == {}
    assert loader.offsets()[LAPS].next_offset == 1


def test_a_dead_letter_that_is_sent_again_is_loaded_once(loader: Loader) -> None:
    of = Partition(topics.DEAD_LETTERS, 3)
    loader.begin_at({of: LoadedOffset(0, 0)})

    def letter(offset: int, timestamp_ms: int = 9) -> Any:
        refused = DeadLetter(
            consumer="race", topic="laps", partition=3, offset=7, timestamp_ms=timestamp_ms, key=None, reason="no",
            body_base64=None, length=0, sha256="",
        )  # fmt: skip
        return tables.DEAD_LETTERS.decode_record(message(topics.DEAD_LETTERS, offset, topics.encode(refused)), 0)

    assert loader.load([PartitionBatch(of, 0, 0, [letter(0), letter(1)])]) == {"DEAD_LETTERS": 1}
    assert loader.load([PartitionBatch(of, 0, 2, [letter(2), letter(3, timestamp_ms=10)])]) == {"DEAD_LETTERS": 1}
    assert loader.offsets()[of].next_offset == 4


def test_status_shows_rows_and_offsets(loader: Loader, lap_messages: list[Any]) -> None:
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    loader.load([batch_of(lap_messages, 0, 4)])
    laps = next(part for part in status(loader.warehouse) if part.table == "LAPS")
    assert (laps.rows, laps.next_offsets) == (4, {3: 4})
    assert laps.last_load is not None


def test_a_table_gains_the_column_of_a_new_field(loader: Loader) -> None:
    loader.warehouse.execute("alter table RAW.LAPS drop column compound")
    done = list(create(loader.warehouse, "F1STREAM"))
    assert done[-1] == "RAW.LAPS: column compound added."
    assert not [text for text in create(loader.warehouse, "F1STREAM") if "added" in text]


@pytest.mark.parametrize("table", ["LOAD_LOCKS", "TELEMETRY_COUNTS"])
def test_status_reports_an_upgrade_without_init(loader: Loader, table: str) -> None:
    """`doctor` reports what it raises."""
    loader.warehouse.execute(f"drop table RAW.{table}")
    with pytest.raises(WarehouseError, match=f"{table} does not exist.*`f1stream warehouse init`"):
        status(loader.warehouse)
    list(create(loader.warehouse, "F1STREAM"))
    assert len(status(loader.warehouse)) == len(tables.ALL)


def test_a_table_of_a_new_release_is_created_at_the_first_use(loader: Loader) -> None:
    loader.warehouse.execute("drop table RAW.TELEMETRY_COUNTS")
    ensure_tables(loader.warehouse, "F1STREAM")
    assert loader.warehouse.rows("select * from RAW.TELEMETRY_COUNTS") == []


def test_samples_are_counted_by_run_in_the_transaction_that_loads_them(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The marts see from the counts whether a run has changed; `warehouse init` counts what is not counted."""
    of, records = Partition(topics.TELEMETRY, 3), []
    for epoch in (1, 2):
        for item in pack(simulate(3, cars=2, laps=3), epoch, 10_000):
            if item.topic == topics.TELEMETRY:
                packet = message(of.topic, len(records), topics.encode(item.record), item.headers.encode(), item.key)
                records.append(tables.TELEMETRY.decode_record(packet, 0))
    loader.begin_at({of: LoadedOffset(0, 0)})
    columns = "session_key, source, epoch, session_date"

    def counted() -> tuple[list[Any], list[Any]]:
        """By the samples, and by the counts."""
        samples, counts = (
            loader.warehouse.rows(f"select {columns}, {n} as n from RAW.{table} group by {columns} order by epoch")
            for table, n in (("TELEMETRY", "count(*)"), ("TELEMETRY_COUNTS", "sum(row_count)"))
        )
        return samples, counts

    third = len(records) // 3
    loader.load([PartitionBatch(of, 0, 0, records[:third])])
    samples, counts = counted()
    assert len(samples) == 1
    assert counts == samples
    with monkeypatch.context() as patch:
        patch.setattr(loader, "_commit", lambda execute: execute("select no_such_column"))
        with pytest.raises(snowflake.connector.Error):
            loader.load([PartitionBatch(of, 0, third, records[third:])])
    assert counted() == (samples, samples)
    loader.load([PartitionBatch(of, 0, third, records[third:])])
    samples, counts = counted()
    assert [row["epoch"] for row in samples] == [1, 2]
    assert counts == samples
    assert not any("COUNTS:" in text for text in create(loader.warehouse, "F1STREAM"))
    loader.warehouse.execute("delete from RAW.TELEMETRY_COUNTS where epoch = 1")
    loader.warehouse.execute("delete from RAW.TELEMETRY where epoch = 2 and driver_number = '1'")
    assert list(create(loader.warehouse, "F1STREAM"))[-1].startswith("RAW.TELEMETRY_COUNTS: ")
    samples, counts = counted()
    assert counts == samples


@pytest.mark.parametrize(
    ("fails", "advice"),
    [("select column_name", ""), ("select (select count", ".*init` once more.*larger F1STREAM_SNOWFLAKE_WAREHOUSE")],
    ids=["reading the columns", "counting the samples"],
)
def test_an_error_of_init_is_a_sentence(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, fails: str, advice: str
) -> None:
    run = loader.warehouse.execute

    def execute(sql: str, *parameters: Any) -> Any:
        if sql.startswith(fails):
            raise snowflake.connector.errors.ProgrammingError("Statement reached its timeout.", errno=630)
        return run(sql, *parameters)

    monkeypatch.setattr(loader.warehouse, "execute", execute)
    with pytest.raises(WarehouseError, match=f"Statement reached its timeout.{advice}"):
        list(create(loader.warehouse, "F1STREAM"))


def test_a_full_disk_is_an_error_and_loading_continues_when_there_is_space(
    loader: Loader, settings: Settings, lap_messages: list[Any]
) -> None:
    """A limit on file sizes stands for a full disk: first for the file in the stage, then for the database."""
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    warehouse, folder = server_of(settings), settings.home / "warehouse"
    for limit, said in (
        (1, "507 Server Error: Insufficient Storage"),
        ((folder / "F1STREAM.db.wal").stat().st_size, r'Could not write file ".*/F1STREAM.db.wal": File too large'),
    ):
        resource.prlimit(warehouse, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            with pytest.raises(snowflake.connector.Error, match=said):
                loader.load([batch_of(lap_messages, 0, 3)])
        finally:
            resource.prlimit(warehouse, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert lap_numbers(loader) == []
    assert loader.load([batch_of(lap_messages, 0, 3)]) == {"LAPS": 3}
    assert lap_numbers(loader) == [1, 2, 3]


def server_of(settings: Settings) -> int:
    """The process of the embedded warehouse that a fixture has started."""
    port = str(settings.embedded_warehouse_port)
    (server,) = (each for each in psutil.Process().children() if port in each.cmdline())
    return int(server.pid)


STEPS = ["_put", "_copy", "_compare_and_set", "_commit"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_session_that_ends_at_any_step_loads_all_or_nothing_and_the_next_attempt_the_rest(
    loader: Loader, settings: Settings, lap_messages: list[Any], monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """Another connection sees everything or nothing, and the same loader continues in a new session."""
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    loader.load([batch_of(lap_messages, 0, 2)])
    done = getattr(loader, step)

    def fails(*arguments: Any) -> Any:
        if when == "after":
            done(*arguments)
        loader.warehouse.close()
        raise snowflake.connector.errors.OperationalError("the session was lost")

    monkeypatch.setattr(loader, step, fails)
    with pytest.raises(snowflake.connector.Error, match="the session was lost"):
        loader.load([batch_of(lap_messages, 2, 5)])
    monkeypatch.undo()
    committed = (step, when) == ("_commit", "after")
    with closing(Warehouse(settings)) as other:
        other_loader = Loader(other, "other")
        assert lap_numbers(other_loader) == [1, 2, *([3, 4, 5] if committed else [])]
        assert other_loader.offsets()[LAPS].next_offset == (5 if committed else 2)
        if committed:
            with pytest.raises(Fenced):
                loader.load([batch_of(lap_messages, 2, 5)])
        else:
            assert loader.load([batch_of(lap_messages, 2, 5)]) == {"LAPS": 3}
        assert lap_numbers(other_loader) == [1, 2, 3, 4, 5]


def test_of_two_workers_in_a_transaction_one_loads_and_the_other_does_not(
    loader: Loader, settings: Settings, lap_messages: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker freezes after it has compared and set the offset; its session ends before it commits."""
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    commit = loader._commit
    with closing(Warehouse(settings)) as warehouse:
        second = Loader(warehouse, "second")

        def stand_still(*arguments: Any) -> None:
            frozen, loader.warehouse._connection = loader.warehouse._connection, None
            assert frozen is not None
            frozen.close(retry=False)  # as the server closes an idle session
            assert second.load([batch_of(lap_messages, 0, 3)]) == {"LAPS": 3}
            commit(*arguments)

        monkeypatch.setattr(loader, "_commit", stand_still)
        with pytest.raises((snowflake.connector.Error, Fenced)):
            loader.load([batch_of(lap_messages, 0, 3)])
        assert lap_numbers(second) == [1, 2, 3]
        (row,) = warehouse.rows("select loaded_by from RAW.LOAD_OFFSETS where kafka_topic = 'laps'")
        assert row["loaded_by"] == "second"


@pytest.mark.parametrize(("step", "blocks"), [("_compare_and_set", False), ("_commit", True)])
def test_a_worker_that_dies_before_it_has_locked_its_offsets_stops_no_other(
    loader: Loader, settings: Settings, lap_messages: list[Any], monkeypatch: pytest.MonkeyPatch, step: str,
    *, blocks: bool,
) -> None:  # fmt: skip
    """Its transaction stays open: nobody has ended its session yet."""
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    sessions = []

    def die(*_: Any) -> None:
        sessions.append(loader.warehouse._connection)
        loader.warehouse._connection = None
        raise KeyError

    monkeypatch.setattr(loader, step, die)
    with pytest.raises(KeyError):
        loader.load([batch_of(lap_messages, 0, 3)])
    with closing(Warehouse(settings)) as warehouse:
        second = Loader(warehouse, "second")
        if blocks:
            with pytest.raises(snowflake.connector.Error, match=r"[Cc]onflict"):
                second.load([batch_of(lap_messages, 0, 3)])
            sessions[0].close(retry=False)  # as the server closes an idle session
        assert second.load([batch_of(lap_messages, 0, 3)]) == {"LAPS": 3}
        sessions[0].close(retry=False)
        assert lap_numbers(second) == [1, 2, 3]


def test_workers_load_different_partitions_at_the_same_time(
    loader: Loader, settings: Settings, lap_messages: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one loads while the first one is between COPY and its comparison."""
    other = Partition(topics.LAPS, 4)
    loader.begin_at({LAPS: LoadedOffset(0, 0), other: LoadedOffset(0, 0)})
    compare_and_set = loader._compare_and_set
    with closing(Warehouse(settings)) as warehouse:
        second = Loader(warehouse, "second")

        def meanwhile(*arguments: Any) -> None:
            assert second.load([replace(batch_of(lap_messages, 0, 2), partition=other)]) == {"LAPS": 2}
            compare_and_set(*arguments)

        monkeypatch.setattr(loader, "_compare_and_set", meanwhile)
        assert loader.load([batch_of(lap_messages, 0, 3)]) == {"LAPS": 3}
    assert {of: loaded.next_offset for of, loaded in loader.offsets().items()} == {LAPS: 3, other: 2}


def test_two_rows_of_a_partitions_offset_are_a_sentence_and_the_runbook_removes_one(
    loader: Loader, lap_messages: list[Any]
) -> None:
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    loader.load([batch_of(lap_messages, 0, 3)])
    loader.warehouse.execute(
        "insert into RAW.LOAD_OFFSETS select * from RAW.LOAD_OFFSETS union all"
        " select kafka_topic, kafka_incarnation, kafka_partition, 0, null, null, null, null from RAW.LOAD_OFFSETS"
    )
    said = r"LOAD_OFFSETS has two rows of laps\[3\], incarnation 0: next offsets \d and \d.*RUNBOOKS"
    with pytest.raises(WarehouseError, match=said):
        loader.load([batch_of(lap_messages, 3, 5)])
    with pytest.raises(WarehouseError, match=said):
        loader.offsets()
    (statement,) = re.findall(
        r"create or replace table RAW.LOAD_OFFSETS[^;]*;", Path("deploy/RUNBOOKS.md").read_text(), re.DOTALL
    )
    loader.warehouse.execute(statement)
    assert loader.load([batch_of(lap_messages, 3, 5)]) == {"LAPS": 2}
    assert lap_numbers(loader) == [1, 2, 3, 4, 5]


def test_rows_that_the_warehouse_did_not_load_are_an_error_and_nothing_is_loaded(
    loader: Loader, lap_messages: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    copy = loader._copy
    monkeypatch.setattr(loader, "_copy", lambda execute, table, file, rows: copy(execute, table, file, rows + 1))
    with pytest.raises(WarehouseError, match="loaded 3 rows of 4 into LAPS"):
        loader.load([batch_of(lap_messages, 0, 3)])
    assert lap_numbers(loader) == []
    assert loader.offsets()[LAPS].next_offset == 0


def test_only_errors_about_values_count_as_refused_data(
    loader: Loader, lap_messages: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.begin_at({LAPS: LoadedOffset(0, 0)})

    def fails(errno: int) -> Any:
        def put(*_: Any) -> None:
            raise snowflake.connector.errors.ProgrammingError("Numeric value 'x' is not recognized", errno=errno)

        return put

    monkeypatch.setattr(loader, "_put", fails(100_038))
    with pytest.raises(DataRefused, match=r"the warehouse refused it: .*Numeric value 'x' is not recognized"):
        loader.load([batch_of(lap_messages, 0, 3)])
    for errno, raised in ((2_003, WarehouseError), (1_003, snowflake.connector.errors.ProgrammingError)):
        monkeypatch.setattr(loader, "_put", fails(errno))  # an object does not exist; syntax
        with pytest.raises(raised):
            loader.load([batch_of(lap_messages, 0, 3)])


def test_two_runs_of_a_session_are_distinguished_and_each_is_complete(
    loader: Loader, lap_messages: list[Any]
) -> None:
    again = [
        SimpleNamespace(
            **{
                **vars(one),
                "offset": n,
                "headers": replace(RecordHeaders.decode(one.headers, one.timestamp), run_id=2).encode(),
            }
        )
        for n, one in enumerate(lap_messages[:4], len(lap_messages))
    ]
    loader.begin_at({LAPS: LoadedOffset(0, 0)})
    loader.load([batch_of([*lap_messages, *again], 0, len(lap_messages) + 4)])
    rows = loader.warehouse.rows("select epoch, lap_number from RAW.LAPS order by epoch, lap_number")
    assert [(row["epoch"], row["lap_number"]) for row in rows] == [
        *((1, n) for n in range(1, len(lap_messages) + 1)),
        *((2, n) for n in range(1, 5)),
    ]
