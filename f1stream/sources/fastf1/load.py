"""Loads a session's data frames with FastF1, completely or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from f1stream.sources.fastf1.client import LIVETIMING, FastF1
from f1stream.sources.fastf1.driver_ahead import fast_driver_ahead
from f1stream.sources.fastf1.schedule import SessionRef, title
from f1stream.sources.session import SourceError

ENDED = {"Finalised", "Ends"}
STEPS = 12
"""The usual number of FastF1's progress lines about a download."""
NEEDED = {
    "laps": "_laps", "session information": "_session_info", "session status": "_session_status",
    "track status": "_track_status", "car data": "_car_data", "positions": "_pos_data",
}  # fmt: skip
"""Required attributes. Weather, race control, results and grid may be missing."""
LOADS_MORE_SOON = "it is usually complete half an hour after the session; try again then"


def load(client: FastF1, session: Any, wanted: SessionRef, livedata: Any = None) -> None:
    """Load ``session`` completely (``livedata``: from a recording). Raises SourceError.

    After an error the cached answers are deleted: FastF1 would use an answer that came too early for 12 hours.
    """
    try:
        _load(client, session, wanted, livedata)
    except SourceError:
        api = client.module._api
        for page in api.pages.values():
            for server in (api.base_url, api.base_url_mirror):
                client.module.Cache.delete_response(f"{server}{session.api_path}{page}")
        raise


def _load(client: FastF1, session: Any, wanted: SessionRef, livedata: Any) -> None:
    """Load, and check what an archive needs: FastF1 only warns about what it could not load."""
    session.load(livedata=livedata)
    missing = [what for what, attribute in NEEDED.items() if not len(getattr(session, attribute, ()))]
    if missing or session.t0_date is None or session.session_start_time is None:
        what = f"The {title(wanted)}"
        lacking = ", ".join(missing) or "a clock"
        raise client.unreachable(what, LIVETIMING) or SourceError(
            f"{what} is not available yet: no {lacking}; {LOADS_MORE_SOON}."
        )
    if not ENDED & set(session.session_status["Status"]):
        raise SourceError(f"The {title(wanted)} has not ended yet; {LOADS_MORE_SOON}.")


def circuit(client: FastF1, session: Any, note: Callable[[str], None]) -> dict[str, Any]:
    """The circuit's ``corners.json`` and ``circuit.json``; if it is not available, ``note`` gets the reason.

    Corners have a number (with a letter, ``9A``), X and Y in 1/10 m, an angle in degrees and a distance in m. The map
    has a rotation (degrees, counterclockwise) and the beginnings of the marshal sectors.
    """
    import requests  # noqa: PLC0415 - imported with FastF1, which needs it

    try:
        with fast_driver_ahead(session):
            found = session.get_circuit_info()
        corners, sectors = found.corners, found.marshal_sectors
    except (AttributeError, LookupError, TypeError, ValueError, requests.RequestException) as error:
        why = ", ".join(client.servers.failed) or type(error).__name__
        note(f"The circuit's corners are not available ({why}) and are left out.")
        return {}
    named = zip(corners["Number"], corners["Letter"], strict=True)
    begins = zip(sectors["Number"], sectors["X"], sectors["Y"], strict=True)
    return {
        "corners": {
            "CornerNumber": [f"{number}{letter}" if letter else int(number) for number, letter in named],
            **{name: [float(value) for value in corners[name]] for name in ("X", "Y", "Angle", "Distance")},
        },
        "circuit": {
            "Rotation": float(found.rotation),
            "MarshalSectors": [{"Number": int(number), "X": float(x), "Y": float(y)} for number, x, y in begins],
        },
    }
