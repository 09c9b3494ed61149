"""Season data from the Jolpica API: calendars, results, standings, laps and pit stops, loaded into the warehouse.

In the order of the data: ``plan`` (which queries are due), ``client`` (reads an answer within ``rate_limit``),
``resources`` and ``models`` (the shape of its rows), ``repair`` (invalid values), ``landing`` (the tables), ``sync``
(a whole run). See docs/jolpica.md.
"""

from datetime import timedelta

PUBLISHED_AFTER = timedelta(hours=4)
"""A session's results are due this long after its start: the longest race takes three hours, the API about one."""
