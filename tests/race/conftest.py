"""What several tests of the rules share."""

from __future__ import annotations

import pytest

from f1stream.race.timing_points import TimingPoints
from tests.support.oval import LAP_M


@pytest.fixture
def points() -> TimingPoints:
    """Of a track on which nothing is learned yet."""
    return TimingPoints(LAP_M)
