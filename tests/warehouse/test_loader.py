"""The loader against the embedded warehouse: offsets, holes, fences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from f1stream import topics
from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.loader import Fenced, Loader, Lot, Partition, Place, Refused, halves, rows_of
from f1stream.warehouse.schema import create, status
from models import DeadLetter
from tests.support.rig import free_port

LAPS = Partition(topics.LAPS, 3)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("home"), embedded_warehouse_port=free_port())
    with embedded_warehouse(settings):
        with closing(Warehouse(settings)) as warehouse:
            list(create(warehouse, "F1STREAM"))
        yield settings


@pytest.fixture
def loader(settings: Settings) -> Iterator[Loader]:
    warehouse = Warehouse(settings)
    for name in ("LOAD_OFFSETS", *(table.name for table in tables.ALL)):
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
        message(topics.LAPS, n, topics.encode(item.record), item.stamp.headers(), item.key)
        for n, item in enumerate(one)
    ]


def lot(messages: list[Any], first: int, until: int) -> Lot:
    return Lot(LAPS, 0, first, [tables.LAPS.read(one, 0) for one in messages[first:until]])


def lap_numbers(loader: Loader) -> list[int]:
    return [row["lap_number"] for row in loader.warehouse.rows("select lap_number from RAW.LAPS order by 1")]


def test_a_lot_is_loaded_once(loader: Loader, lap_messages: list[Any]) -> None:
    loader.begin_at({LAPS: Place(0, 0)})
    loader.begin_at({LAPS: Place(0, 5)})  # known already: nothing changes
    assert loader.load([lot(lap_messages, 0, 3)]) == {"LAPS": 3}
    with pytest.raises(Fenced):
        loader.load([lot(lap_messages, 0, 3)])
    assert lap_numbers(loader) == [1, 2, 3]
    assert loader.places()[LAPS].next_offset == 3


@pytest.mark.parametrize(("first", "until"), [(2, 6), (4, 6)])
def test_neither_what_overlaps_nor_what_leaves_a_hole_is_loaded(
    loader: Loader, lap_messages: list[Any], first: int, until: int
) -> None:
    loader.begin_at({LAPS: Place(0, 0)})
    loader.load([lot(lap_messages, 0, 3)])
    with pytest.raises(Fenced):
        loader.load([lot(lap_messages, first, until)])
    assert lap_numbers(loader) == [1, 2, 3]


def test_one_partition_that_is_fenced_keeps_the_others_out_too(loader: Loader, lap_messages: list[Any]) -> None:
    other = Partition(topics.LAPS, 4)
    loader.begin_at({LAPS: Place(0, 0), other: Place(0, 1)})
    with pytest.raises(Fenced):
        loader.load([lot(lap_messages, 0, 3), Lot(other, 0, 0, lot(lap_messages, 0, 2).reads)])
    assert lap_numbers(loader) == []


def test_what_a_lot_covers() -> None:
    reads = [tables.unread(message(topics.LAPS, offset, b"{}"), 0) for offset in (5, 6, 9)]
    whole = Lot(LAPS, 0, 4, reads)
    assert whole.next == 10
    assert whole.after(10) is None
    rest = whole.after(6)
    assert rest is not None
    assert (rest.first, rest.next) == (6, 10)
    assert halves([whole]) is not None
    first, second = halves([whole]) or ([], [])
    assert [(part.first, part.next) for part in [*first, *second]] == [(4, 6), (6, 10)]
    assert halves([Lot(LAPS, 0, 9, reads[2:])]) is None
    assert rows_of([whole]) == 0


def test_a_value_no_column_has_room_for_is_refused(loader: Loader, lap_messages: list[Any]) -> None:
    loader.begin_at({LAPS: Place(0, 0)})
    read = tables.LAPS.read(lap_messages[0], 0)
    spoiled = read.nothing()
    too_much = type(read)(
        read.origin, read.key, read.stamp, read.timestamp_ms, read.record.model_copy(update={"position": 2**70}), 1,
        read.size, read.hash,
    )  # fmt: skip
    with pytest.raises(Refused, match="does not fit"):
        loader.load([Lot(LAPS, 0, 0, [too_much])])
    assert loader.load([Lot(LAPS, 0, 0, [spoiled])]) == {}
    assert loader.places()[LAPS].next_offset == 1


def test_a_letter_that_is_sent_again_is_loaded_once(loader: Loader) -> None:
    of = Partition(topics.DEAD_LETTERS, 3)
    loader.begin_at({of: Place(0, 0)})

    def letter(offset: int, timestamp_ms: int = 9) -> Any:
        refused = DeadLetter(
            consumer="race", topic="laps", partition=3, offset=7, timestamp_ms=timestamp_ms, key=None, reason="no",
            body_base64=None, length=0, sha256="",
        )  # fmt: skip
        return tables.DEAD_LETTERS.read(message(topics.DEAD_LETTERS, offset, topics.encode(refused)), 0)

    assert loader.load([Lot(of, 0, 0, [letter(0), letter(1)])]) == {"DEAD_LETTERS": 1}
    assert loader.load([Lot(of, 0, 2, [letter(2), letter(3, timestamp_ms=10)])]) == {"DEAD_LETTERS": 1}
    assert loader.places()[of].next_offset == 4


def test_status_tells_rows_and_offsets(loader: Loader, lap_messages: list[Any]) -> None:
    loader.begin_at({LAPS: Place(0, 0)})
    loader.load([lot(lap_messages, 0, 4)])
    laps = next(part for part in status(loader.warehouse) if part.table == "LAPS")
    assert (laps.rows, laps.next_offsets) == (4, {3: 4})
    assert laps.last_load is not None


def test_a_table_whose_model_has_gained_a_column_gets_it(loader: Loader) -> None:
    loader.warehouse.execute("alter table RAW.LAPS drop column compound")
    done = list(create(loader.warehouse, "F1STREAM"))
    assert done[-1] == "RAW.LAPS: column compound added."
    assert not [text for text in create(loader.warehouse, "F1STREAM") if "added" in text]
