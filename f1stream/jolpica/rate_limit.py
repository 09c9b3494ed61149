"""How often the Jolpica API may be asked, counted across all processes of a user and across restarts."""

from __future__ import annotations

from pathlib import Path

from pyrate_limiter import Duration, Rate, SQLiteBucket

from f1stream.private_folder import private_folder
from f1stream.settings import Settings

PER_SECOND = Rate(4, 1_250)
"""The API's limit of 4 requests a second, with 1,250 ms for a second: requests sent evenly do not arrive evenly."""


def rate_limits(settings: Settings) -> tuple[Rate, ...]:
    """The limits per second and per hour (``jolpica_requests_per_hour``)."""
    return PER_SECOND, Rate(settings.jolpica_requests_per_hour, Duration.HOUR)


def shared_bucket(home: Path, limits: tuple[Rate, ...]) -> SQLiteBucket:
    """The recent requests, in a file in ``home`` that all processes of this user share."""
    private_folder(home)
    bucket: SQLiteBucket = SQLiteBucket.init_from_file(
        list(limits), table="jolpica", db_path=str(home / "jolpica-requests.sqlite"), use_file_lock=True
    )
    bucket.leak(bucket.now())  # type: ignore[no-untyped-call]
    return bucket
