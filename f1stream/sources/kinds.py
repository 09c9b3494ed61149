"""The forms of a source name, for help texts. It imports nothing: the sources take seconds to import."""

KINDS = "archive:PATH, fastf1:YEAR/EVENT/SESSION, recording:PATH, sim:[cars=22,laps=57,seed=1,sessions=1]"
WHICH = (
    "After a recording's path, #KEY selects one of its sessions, and #YEAR/EVENT/SESSION identifies a recording that "
    "has no session information"
)
