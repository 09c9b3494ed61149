"""``fastf1:YEAR/EVENT/SESSION``: a past session, loaded with FastF1 and kept as a session archive.

In the order of the data: ``client`` (FastF1, set up), ``season_index`` (when and where), ``schedule`` (which
session), ``load`` (its frames), ``ahead`` and ``telemetry`` (samples), ``tables`` (everything else), ``fetch`` (into
a folder). FastF1 takes seconds to import: only functions import it.
"""
