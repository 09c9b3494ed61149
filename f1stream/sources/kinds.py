"""What users write for a source, for help texts: this module imports nothing."""

KINDS = "archive:PATH, fastf1:YEAR/EVENT/SESSION, recording:PATH, sim:[cars=22,laps=57,seed=1,sessions=1]"
WHICH = (
    "After a recording's path, #KEY selects one of several sessions in it, and #YEAR/EVENT/SESSION names the session "
    "of a recording that does not name it itself"
)
