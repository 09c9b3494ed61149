"""How large the values of records may be. A record with a value out of bounds is refused, with the reason.

The bounds are far wider than anything recorded: they keep out what the rules, a table or a message could not bear,
not what is merely unlikely. Times are ms, distances metres, coordinates 1/10 m, speeds km/h, as everywhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

LONGEST_MS = 86_400_000
"""ms. No session is longer. A time far ahead would be waited for, by all that comes after it."""
MOST_INT64 = 2**63 - 1
MOST_SEQ = 2**31 - 1
"""The last number in a sequence. Versions of table values have 32 bits for it."""
MOST_KEY_BYTES = 200
"""Of a Kafka key."""
MOST_SOURCE = 200
"""Characters of a run's source."""
MOST_CODE, MOST_NAME = 50, 200
"""Characters of a word that the feed chooses from a list, and of a name."""
MOST_PATH = 500
MOST_REASON = 120
MOST_TEXT = 1_000
"""Characters of a message of race control, or of a reason."""
MOST_NUMBER = 10
"""Characters of a car's number."""
MOST_CARS = 100
MOST_MEASURE = 10_000_000
MOST_KMH = 10_000
MOST_SAMPLES = 3_000
"""Of one packet: five minutes of a car. Sources make packets of 10 s at most."""
MOST_UPDATE_SAMPLES = 3_000
"""Of one car in a record of ``updates``."""
MOST_LAPS = 1_000
"""Of one car; also the highest number of a lap."""
MOST_POINTS = 20_000
"""Of a track's line: one each 5 m of the longest."""
MOST_MARKS = 200
"""Corners and marshals' sectors on a track."""

# -- numbers ---------------------------------------------------------------------------------------------------------

Int64 = Annotated[int, Field(ge=-(2**63), le=MOST_INT64)]
"""Whatever is there: Kafka's timestamps; gears and codes as recorded, corrupt ones among them."""
Count = Annotated[int, Field(ge=0, le=MOST_INT64)]
"""Bytes, offsets, samples: as many as there are."""
Epoch = Annotated[int, Field(ge=0, le=MOST_INT64)]
"""A run."""
Seq = Annotated[int, Field(ge=0, le=MOST_SEQ)]
"""A place in a sequence, or how many there were."""
SessionMs = Annotated[int, Field(ge=-LONGEST_MS, le=LONGEST_MS)]
"""A time on the session clock, ms."""
TimeMs = Annotated[int, Field(json_schema_extra={"minimum": -LONGEST_MS, "maximum": LONGEST_MS})]
"""The same in a column that is in time order: its model looks at the first and the last one only."""
EmittedMs = Annotated[int, Field(ge=0, le=LONGEST_MS)]
"""A time on the session clock at which something is published, ms: never before 0."""
SpanMs = Annotated[int, Field(ge=-7 * LONGEST_MS, le=7 * LONGEST_MS)]
"""Between two session times, or the difference of two such, ms."""
UtcMs = Annotated[int, Field(ge=-2_208_988_800_000, le=7_258_118_400_000)]
"""Unix ms, from 1900 to 2200."""
LapNumber = Annotated[int, Field(ge=0, le=MOST_LAPS)]
"""A lap, or how many there are, as a source has it."""
TyreLife = Annotated[int, Field(ge=-MOST_LAPS, le=MOST_LAPS)]
"""Laps on a set of tyres; corrupt values are negative."""
Laps = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
"""A number of laps that follows from others or from measuring."""
Position = Annotated[int, Field(ge=0, le=1_000)]
"""A place in an order; 0 where a source means none."""
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
"""Anything else that is measured: rpm, per cent, metres, degrees, hPa."""
Year = Annotated[int, Field(ge=1950, le=2200)]
"""A year of the championship."""
Points = Annotated[float, Field(ge=-10_000, le=10_000)]


def _of_our_time(instant: datetime) -> datetime:
    if not 1900 <= instant.year <= 2200:
        raise ValueError("its year is not within 1900 and 2200")
    return instant


Instant = Annotated[datetime, AfterValidator(_of_our_time)]
"""From 1900 to 2200."""

# -- texts -----------------------------------------------------------------------------------------------------------

Code = Annotated[str, Field(max_length=MOST_CODE)]
"""A word or two that the feed chooses from a list: a flag, a status, an abbreviation."""
Compound = Annotated[str, Field(max_length=20, pattern=r"^[ -~]*$")]
"""Of tyres; a frame repeats it for each stint."""
CarNumber = Annotated[str, Field(max_length=MOST_NUMBER)]
"""As the feed has it: a text."""
Key = Annotated[str, Field(max_length=MOST_KEY_BYTES)]
"""A session's key."""
Source = Annotated[str, Field(max_length=MOST_SOURCE)]
"""Of a run."""
Name = Annotated[str, Field(max_length=MOST_NAME)]
"""Of a person, a team or a place."""
Path = Annotated[str, Field(max_length=MOST_PATH)]
Sentence = Annotated[str, Field(max_length=300)]
"""One of ours, for viewers."""
Reason = Annotated[str, Field(max_length=MOST_REASON)]
"""Of a penalty: a frame repeats it for each car."""
Text = Annotated[str, Field(max_length=MOST_TEXT)]
"""A message of race control, or a reason."""
CutText = Annotated[
    str,
    BeforeValidator(lambda text: text[:MOST_TEXT] if isinstance(text, str) else text),
    Field(max_length=MOST_TEXT),
]
"""A reason of ours, which may quote an error: cut to what there is room for."""
TopicName = Annotated[str, Field(max_length=249)]
"""As long as Kafka lets it be."""
Sha256 = Annotated[str, Field(max_length=64)]
