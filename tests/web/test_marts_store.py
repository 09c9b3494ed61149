from __future__ import annotations

from f1stream import topics
from models import Season, SessionResult
from tests.support.page_marts import BUILT_MS, result, season
from web.marts_store import MartsStore


def test_the_latest_record_of_a_key_is_stored_unchanged() -> None:
    results = MartsStore()
    results.put(result())
    results.put(season())
    revised = result(built_ms=BUILT_MS + 1, rows=[])
    results.put(revised)
    kept, year = results.session("test_race"), results.season(2023)
    assert kept is not None
    assert year is not None
    assert SessionResult.model_validate_json(kept.value) == revised
    assert Season.model_validate_json(year.value) == season()
    assert topics.decode_marts(kept.value) == revised


def test_equal_values_have_equal_etags_and_others_differ() -> None:
    first, second = MartsStore(), MartsStore()
    for results, record in ((first, result()), (second, result()), (second, result(session="other", rows=[]))):
        results.put(record)
    tags = [results.session(key).etag for results, key in ((first, "test_race"), (second, "test_race"))]  # type: ignore[union-attr]
    assert tags[0] == tags[1]
    other = second.session("other")
    assert other is not None
    assert other.etag != tags[0]


def test_the_version_changes_with_every_record_of_a_build_and_only_then() -> None:
    results = MartsStore()
    versions = [results.version]
    for record in (result(), season(), result(built_ms=BUILT_MS + 1), season(built_ms=BUILT_MS + 1)):
        results.put(record)
        versions.append(results.version)
    assert versions[0] is None
    assert len(set(versions)) == 5
    results.put(season(built_ms=BUILT_MS + 1))
    assert results.version == versions[-1]


def test_keys_are_limited_and_the_least_recently_updated_is_dropped() -> None:
    results = MartsStore(sessions=2, seasons=2)
    for name in ("a", "b", "a", "c"):
        results.put(result(session=name))
    for year in (2021, 2022, 2023):
        results.put(season(year=year))
    assert [results.session(name) is not None for name in "abc"] == [True, False, True]
    assert [year for year, _ in results.seasons()] == [2023, 2022]
