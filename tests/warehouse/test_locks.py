"""Two workers on the same partitions, on what Snowflake documents of transactions and locks: each record once.

The first worker stands still before each of its statements in turn, and the second one runs until it has ended or
waits for a lock. Then the first one continues, or its session ends.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from importlib import resources
from types import SimpleNamespace
from typing import Any

import pytest

from f1stream import topics
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.topics import RecordHeaders
from f1stream.warehouse import tables
from f1stream.warehouse.errors import Fenced, WarehouseError
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from f1stream.warehouse.schema import _recount
from models import SessionEnd
from tests.support.lock_double import PATIENCE_S, Session, SessionEnded, Transactions

FIRST, SECOND, THIRD = (Partition(topics.MESSAGES, n) for n in range(3))
SCRIPT = resources.files("f1stream.warehouse").joinpath("ddl/030_loading.sql").read_text()
DDL = tuple(re.findall(r"create table.*?\)", SCRIPT, re.DOTALL))
SERVERS = pytest.mark.parametrize("rereads", [True, False], ids=["reads again", "keeps its snapshot"])
GRANULARITY = pytest.mark.parametrize("locks_tables", [True, False], ids=["locks tables", "locks rows"])


def batch(partition: Partition, records: int) -> PartitionBatch:
    decoded = [
        tables.MESSAGES.decode_record(
            SimpleNamespace(
                topic=partition.topic, partition=partition.partition, offset=offset, key=b"1", timestamp=1.0,
                value=topics.encode(SessionEnd(session_time_ms=offset)),
                headers=RecordHeaders(1, 0, 0, 0, 0, 1_700_000_000_000, "test").encode(),
            ),
            0,
        )
        for offset in range(records)
    ]  # fmt: skip
    return PartitionBatch(partition, 0, 0, decoded)


def loader_of(session: Session) -> Loader:
    return Loader(session, "a worker")  # type: ignore[arg-type] - it has the methods that the loader calls


@dataclass
class Worker:
    """A loader in a thread, which can stand still before its nth statement."""

    server: Transactions
    work: Callable[[Loader], Any]
    stands_at: int = -1
    statements: list[str] = field(default_factory=list)
    outcome: Any = None
    done: bool = False

    def __post_init__(self) -> None:
        self.session = Session(self.server, self.reached)
        self.stands, self.go_on = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def reached(self, sql: str) -> None:
        self.statements.append(sql)
        if len(self.statements) - 1 == self.stands_at:
            self.stands.set()
            assert self.go_on.wait(PATIENCE_S)

    def run(self) -> None:
        try:
            self.outcome = self.work(loader_of(self.session))
        except (Fenced, SessionEnded) as error:
            self.outcome = error
        with self.server.changed:
            self.done = True
            self.stands.set()
            self.server.changed.notify_all()

    def until_it_ends_or_waits(self) -> None:
        with self.server.changed:
            assert self.server.changed.wait_for(lambda: self.done or self.session.waits, PATIENCE_S)

    def end(self) -> Any:
        self.go_on.set()
        self.thread.join(PATIENCE_S)
        assert self.done
        return self.outcome


def server_of(*, rereads: bool, locks_tables: bool) -> Transactions:
    server = Transactions(DDL, rereads, locks_tables)
    first = [(of.topic, 0, of.partition, 0, None, None, None, None) for of in (FIRST, SECOND, THIRD)]
    server.insert("RAW.LOAD_OFFSETS", *first)
    return server


def assert_exact(server: Transactions) -> None:
    """The loaded records of each partition are those before its stored offset, each once."""
    stored = {(row[0], row[2]): row[3] for row in server.tables["RAW.LOAD_OFFSETS"].values()}
    assert len(stored) == len(server.tables["RAW.LOAD_OFFSETS"])
    expected = [(topic, part, offset) for (topic, part), end in stored.items() for offset in range(end)]
    assert sorted(server.copied) == sorted(expected)


Work = Callable[[Loader], Any]


def load(*own: tuple[Partition, int]) -> Work:
    return lambda loader: loader.load([batch(*each) for each in own])


def each_step(make: Callable[[], Transactions], first: Work, second: Work) -> Iterator[tuple[Worker, Worker]]:
    """The two workers when the first stands before its nth statement, and the second has ended or waits."""
    for nth in itertools.count():
        server = make()
        workers = Worker(server, first, nth), Worker(server, second)
        workers[0].thread.start()
        assert workers[0].stands.wait(PATIENCE_S)
        if workers[0].done:
            return
        workers[1].thread.start()
        workers[1].until_it_ends_or_waits()
        yield workers


SAME = load((FIRST, 3)), load((FIRST, 3))
OVERLAPPING = load((FIRST, 3), (SECOND, 2)), load((SECOND, 4), (THIRD, 1))


@SERVERS
@GRANULARITY
@pytest.mark.parametrize("work", [SAME, OVERLAPPING], ids=["the same partition", "one partition of both"])
def test_of_two_workers_with_the_same_records_one_loads_them(
    work: tuple[Work, Work], *, rereads: bool, locks_tables: bool
) -> None:
    for first, second in each_step(lambda: server_of(rereads=rereads, locks_tables=locks_tables), *work):
        outcomes = [first.end(), second.end()]
        assert sorted(isinstance(each, Fenced) for each in outcomes) == [False, True], first.statements[-1]
        assert_exact(first.server)


def test_without_the_lock_both_load_where_a_statement_that_has_waited_keeps_its_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The double is one on which the lock is needed."""
    monkeypatch.setattr(Loader, "_lock", lambda *_: None)
    fenced = [
        [isinstance(each, Fenced) for each in (first.end(), second.end())]
        for first, second in each_step(lambda: server_of(rereads=False, locks_tables=True), *SAME)
    ]
    assert [False, False] in fenced


@SERVERS
def test_two_workers_insert_the_first_offset_of_a_partition_once(*, rereads: bool) -> None:
    def begin(loader: Loader) -> None:
        loader.begin_at({FIRST: LoadedOffset(1, 5)})

    for first, second in each_step(lambda: server_of(rereads=rereads, locks_tables=True), begin, begin):
        assert [first.end(), second.end()] == [None, None]
        offsets = [row[:4] for row in first.server.tables["RAW.LOAD_OFFSETS"].values()]
        assert offsets.count((FIRST.topic, 1, FIRST.partition, 5)) == 1, first.statements[-1]


@GRANULARITY
@pytest.mark.parametrize("of", [FIRST, SECOND], ids=["its partition", "another partition"])
def test_a_worker_that_dies_stops_the_others_only_between_its_lock_and_its_commit(
    of: Partition, *, locks_tables: bool
) -> None:
    """Its transaction stays open until the server rolls it back, on Snowflake after 5 idle minutes."""
    waited = set()
    for dead, other in each_step(
        lambda: server_of(rereads=False, locks_tables=locks_tables), load((FIRST, 3)), load((of, 4))
    ):
        if not other.done:
            waited.add(" ".join(dead.statements[-1].split()[:2]))
        dead.session.end()
        assert other.end() == {"MESSAGES": 4}
        assert_exact(other.server)
        assert isinstance(dead.end(), SessionEnded)
    # It died before one of these; "update" is that of the offsets.
    apart = of != FIRST and not locks_tables
    assert waited == (set() if apart else {"select kafka_topic,", "update RAW.LOAD_OFFSETS", "commit"})


@pytest.mark.parametrize("table", ["LOAD_LOCKS", "TELEMETRY_COUNTS"])
def test_a_warehouse_of_an_earlier_release_without_a_table_is_a_sentence(table: str) -> None:
    """Where nobody has run ``warehouse init`` again."""
    server = Transactions(tuple(ddl for ddl in DDL if table not in ddl), rereads=True, locks_tables=True)
    assert len(server.ddl) == len(DDL) - 1
    item = next(item for item in pack(simulate(3, cars=1, laps=1), 1, 10_000) if item.topic == topics.TELEMETRY)
    packet = SimpleNamespace(
        topic=item.topic, partition=0, offset=0, key=item.key, value=topics.encode(item.record), timestamp=1.0,
        headers=item.headers.encode(),
    )  # fmt: skip
    of, record = Partition(item.topic, 0), tables.TELEMETRY.decode_record(packet, 0)
    with pytest.raises(WarehouseError, match=rf"{table} does not exist.*f1stream warehouse init"):
        loader_of(Session(server)).load([PartitionBatch(of, 0, 0, [record])])


def test_deleted_rows_of_locks_are_inserted_again() -> None:
    server = server_of(rereads=True, locks_tables=True)
    loader = loader_of(Session(server))
    loader.load([batch(FIRST, 3)])
    server.tables["RAW.LOAD_LOCKS"].clear()
    again = replace(batch(FIRST, 5), first_offset=3)
    with pytest.raises(WarehouseError, match="LOAD_LOCKS were deleted"):
        loader.load([again])
    assert server.locks == {}


def test_two_rows_of_a_lock_do_not_hide_that_another_one_is_missing() -> None:
    """Two workers that begin at once insert two rows."""
    server = server_of(rereads=True, locks_tables=True)
    loader = loader_of(Session(server))
    loader.load([batch(FIRST, 3), batch(SECOND, 3)])
    server.tables["RAW.LOAD_LOCKS"].clear()
    server.insert("RAW.LOAD_LOCKS", (FIRST.topic, FIRST.partition, None), (FIRST.topic, FIRST.partition, None))
    again = [replace(batch(of, 5), first_offset=3) for of in (FIRST, SECOND)]
    with pytest.raises(WarehouseError, match="LOAD_LOCKS were deleted"):
        loader.load(again)
    assert_exact(server)
    assert len(server.tables["RAW.LOAD_OFFSETS"]) == 3


@SERVERS
@GRANULARITY
def test_samples_that_are_not_counted_are_counted_by_one_of_two_init_at_once(
    *, rereads: bool, locks_tables: bool
) -> None:
    columns = "session_key varchar, source varchar, epoch int, session_date date"

    def make() -> Transactions:
        server = Transactions((*DDL, f"create table RAW.TELEMETRY ({columns})"), rereads, locks_tables)
        runs = [("1", "test", epoch, date(2025, 3, 16)) for epoch in (1, 2)]
        server.insert("RAW.TELEMETRY", *runs, *runs)
        server.insert("RAW.TELEMETRY_COUNTS", (*runs[0], 1))
        return server

    def init(loader: Loader) -> list[str]:
        return list(_recount(loader.warehouse))

    for first, second in each_step(make, init, init):
        said = [*first.end(), *second.end()]
        counted: Counter[int] = Counter()
        for *_, epoch, _, n in first.server.tables["RAW.TELEMETRY_COUNTS"].values():
            counted[epoch] += n
        assert counted == {1: 2, 2: 2}, first.statements[-1]
        assert said == ["RAW.TELEMETRY_COUNTS: samples of 2 runs counted."]


def test_put_has_a_quoted_path_and_copy_reads_logical_types() -> None:
    """The emulator ignores both."""
    worker = Worker(server_of(rereads=True, locks_tables=True), load((FIRST, 1)))
    worker.run()
    put, copy = (next(sql for sql in worker.statements if sql.startswith(word)) for word in ("put", "copy"))
    assert re.match(r"put 'file://messages-\w+\.parquet' @RAW\.LOADS ", put)
    assert "file_format = (type = parquet use_logical_type = true)" in copy
