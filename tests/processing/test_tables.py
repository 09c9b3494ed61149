"""Stored values have a version, and recovery keeps the greatest."""

from __future__ import annotations

import pytest

from f1stream.processing.tables import newest, with_version, without_version

OLD, NEW, NEW_RUN = (1, 5), (1, 6), (2, 0)


def test_a_value_is_read_without_its_version() -> None:
    assert without_version(with_version(1, 2, b"value")) == b"value"
    assert without_version(None) is None


@pytest.mark.parametrize(("first", "second"), [(NEW, OLD), (OLD, NEW), (NEW_RUN, NEW), (NEW, NEW_RUN)])
@pytest.mark.parametrize("split", [True, False], ids=["in two stretches", "in one"])
def test_the_greatest_version_wins_at_any_position(
    first: tuple[int, int], second: tuple[int, int], split: bool
) -> None:
    """A frozen worker delivers its write after newer writes of the partition's new owner."""
    changes = [(b"key", with_version(*version, repr(version).encode())) for version in (first, second)]
    table: dict[bytes, bytes] = {}
    for stretch in [changes[:1], changes[1:]] if split else [changes]:
        table |= newest(table, stretch)
    assert without_version(table[b"key"]) == repr(max(first, second)).encode()


def test_of_equal_versions_the_later_wins() -> None:
    changes = [(b"key", with_version(1, 1, value)) for value in (b"earlier", b"later")]
    assert without_version(newest({}, changes)[b"key"]) == b"later"
