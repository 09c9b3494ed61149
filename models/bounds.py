"""Bounds of the values of records. A record with a value out of bounds is refused, with the reason.

The bounds are far wider than anything recorded: they refuse what the rules, a table or a Kafka record cannot hold,
not what is merely unlikely. Times are ms, distances metres, coordinates 1/10 m, speeds km/h, as everywhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

LONGEST_MS = 86_400_000
"""ms. No session is longer. All later records would wait for a time far ahead."""
MOST_INT64 = 2**63 - 1
MOST_SEQ = 2**31 - 1
"""Largest sequence number. Versions of table values have 32 bits for it."""
MOST_KEY_BYTES = 200
"""Bytes of a Kafka key."""
MOST_SOURCE = 200
"""Characters of a run's source."""
MOST_CODE, MOST_NAME = 50, 200
"""Characters of a code (one of a list of the feed's), and of a name."""
MOST_PATH = 500
"""Characters of a path below the feed's static files."""
MOST_REASON = 120
"""Characters of the reason of a penalty."""
MOST_TEXT = 1_000
"""Characters of a message of race control, or of a reason."""
MOST_NUMBER = 10
"""Characters of a car's number."""
MOST_CARS = 100
"""Cars of a session."""
MOST_MEASURE = 10_000_000
"""Largest measured value of any unit."""
MOST_KMH = 10_000
MOST_SAMPLES = 3_000
"""Samples of one packet: five minutes of a car. Sources make packets of 10 s at most."""
MOST_UPDATE_SAMPLES = 3_000
"""Samples of one car in a record of ``updates``."""
MOST_LAPS = 1_000
"""Laps of one car; also the highest number of a lap."""
MOST_POINTS = 20_000
"""Points of a track's line: one each 5 m of the longest."""
MOST_MARKS = 200
"""Corners and marshals' sectors on a track."""

# -- numbers ---------------------------------------------------------------------------------------------------------

Int64 = Annotated[int, Field(ge=-(2**63), le=MOST_INT64)]
"""Any integer of 64 bits: Kafka's timestamps; gears and codes as recorded, corrupt ones included."""
Count = Annotated[int, Field(ge=0, le=MOST_INT64)]
"""A number of bytes or samples, or an offset."""
Epoch = Annotated[int, Field(ge=0, le=MOST_INT64)]
"""A run id."""
Seq = Annotated[int, Field(ge=0, le=MOST_SEQ)]
"""A sequence number, or a number of records."""
SessionMs = Annotated[int, Field(ge=-LONGEST_MS, le=LONGEST_MS)]
"""A time on the session clock, ms."""
TimeMs = Annotated[int, Field(json_schema_extra={"minimum": -LONGEST_MS, "maximum": LONGEST_MS})]
"""The same in a column in time order, of which the model checks the first and the last value only."""
EmittedMs = Annotated[int, Field(ge=0, le=LONGEST_MS)]
"""A time on the session clock at which a record is published, ms: never before 0."""
SpanMs = Annotated[int, Field(ge=-7 * LONGEST_MS, le=7 * LONGEST_MS)]
"""A duration, or the difference of two, ms."""
UtcMs = Annotated[int, Field(ge=-2_208_988_800_000, le=7_258_118_400_000)]
"""Unix ms, from 1900 to 2200."""
LapNumber = Annotated[int, Field(ge=0, le=MOST_LAPS)]
"""A lap's number, or a number of laps, of a source."""
TyreLife = Annotated[int, Field(ge=-MOST_LAPS, le=MOST_LAPS)]
"""Laps on a set of tyres; corrupt values are negative."""
Laps = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
"""A number of laps that is computed."""
Position = Annotated[int, Field(ge=0, le=1_000)]
"""A position in an order; 0 means none in some sources."""
Small = Annotated[int, Field(ge=0, le=10_000)]
"""Parts, cars, seconds of a penalty, a marshals' sector, 1/10,000."""
Open = Annotated[int, Field(ge=0, le=1)]
"""1 open, 0 closed."""
WholeKmh = Annotated[int, Field(ge=-MOST_KMH, le=MOST_KMH)]
"""km/h."""
Metres = Annotated[int, Field(ge=0, le=1_000_000)]
"""Along a track's line."""
WholeDm = Annotated[int, Field(ge=-MOST_MEASURE, le=MOST_MEASURE)]
"""A coordinate, 1/10 m."""
Kmh = Annotated[float, Field(ge=-MOST_KMH, le=MOST_KMH)]
"""km/h."""
Dm = Annotated[float, Field(ge=-MOST_MEASURE, le=MOST_MEASURE)]
"""A coordinate, 1/10 m."""
TrackDm = Annotated[float, Field(ge=-1_000_000, le=1_000_000)]
"""A coordinate of a track, 1/10 m."""
Degrees = Annotated[float, Field(ge=-360_000, le=360_000)]
Measure = Annotated[float, Field(ge=-MOST_MEASURE, le=MOST_MEASURE)]
"""Any other measured value: rpm, per cent, metres, degrees, hPa."""
Year = Annotated[int, Field(ge=1950, le=2200)]
"""A year of the championship."""
Points = Annotated[float, Field(ge=-10_000, le=10_000)]


def _within_1900_and_2200(instant: datetime) -> datetime:
    if not 1900 <= instant.year <= 2200:
        raise ValueError("its year is not within 1900 and 2200")
    return instant


Instant = Annotated[datetime, AfterValidator(_within_1900_and_2200)]
"""From 1900 to 2200."""

# -- texts -----------------------------------------------------------------------------------------------------------

Code = Annotated[str, Field(max_length=MOST_CODE)]
"""One of a list of the feed's: a flag, a status, an abbreviation."""
Compound = Annotated[str, Field(max_length=20, pattern=r"^[ -~]*$")]
"""A tyre compound. Short: a frame has one for each stint."""
CarNumber = Annotated[str, Field(max_length=MOST_NUMBER)]
"""The car's number, a text as in the feed."""
Key = Annotated[str, Field(max_length=MOST_KEY_BYTES)]
"""A session's key."""
Source = Annotated[str, Field(max_length=MOST_SOURCE)]
"""The source of a run."""
Name = Annotated[str, Field(max_length=MOST_NAME)]
"""A name of a person, a team or a place."""
Path = Annotated[str, Field(max_length=MOST_PATH)]
Sentence = Annotated[str, Field(max_length=300)]
"""A sentence of ours for viewers."""
Reason = Annotated[str, Field(max_length=MOST_REASON)]
"""The reason of a penalty. Short: a frame has it for each car."""
Text = Annotated[str, Field(max_length=MOST_TEXT)]
"""A message of race control, or a reason."""
CutText = Annotated[
    str,
    BeforeValidator(lambda text: text[:MOST_TEXT] if isinstance(text, str) else text),
    Field(max_length=MOST_TEXT),
]
"""A reason of ours, which may quote an error: cut to ``MOST_TEXT`` characters."""
TopicName = Annotated[str, Field(max_length=249)]
"""A topic's name, at Kafka's limit."""
Sha256 = Annotated[str, Field(max_length=64)]
