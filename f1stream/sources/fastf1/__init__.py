"""``fastf1:YEAR/EVENT/SESSION``: a past session, loaded with FastF1 and stored as a session archive.

The modules in the order of the data: ``client`` (FastF1, configured), ``season_index`` (the feed's list of sessions),
``schedule`` (which session is meant), ``load`` (FastF1's data frames), ``driver_ahead`` and ``telemetry`` (samples),
``tables`` (everything else), ``fetch`` (writes the folder). Importing FastF1 takes seconds, so only functions do it.
"""
