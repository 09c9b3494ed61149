"""Season data from the Jolpica API: calendars, results, standings, laps and pit stops, loaded into the warehouse.

In the order of the data: ``plan`` (which queries are due), ``client`` (reads an answer within ``rate_limit``),
``resources`` and ``models`` (the shape of its rows), ``repair`` (invalid values), ``landing`` (the tables), ``sync``
(a whole run). See docs/jolpica.md.
"""
