"""Yellow flags: which marshals' sectors are under them, by race control's messages."""

from __future__ import annotations

from models import RaceControl, YellowSector
from models.bounds import MOST_MARKS

YELLOW = {"YELLOW": False, "DOUBLE YELLOW": True}
"""Flag of a sector: whether it is double. The latest holds: a double yellow can become a single one."""
OF_ALL = {"CLEAR", "RED"}
"""Flags of the whole track that end those of its sectors.

A safety car ends none: sectors are cleared one by one behind it, the rest by TRACK CLEAR. Nor does GREEN, which is
about the light at the pit exit.
"""


def flagged(yellow: list[YellowSector], message: RaceControl) -> list[YellowSector]:
    """The sectors under yellow after ``message``, by number; ``yellow`` itself if it does not concern them."""
    if message.scope == "Track" and message.flag in OF_ALL:
        return []
    if message.scope != "Sector" or message.sector is None or message.flag not in {*YELLOW, "CLEAR"}:
        return yellow
    others = [other for other in yellow if other.sector != message.sector]
    if message.flag == "CLEAR":
        return others
    flagged_sector = YellowSector(sector=message.sector, double=YELLOW[message.flag])
    return sorted([*others[-(MOST_MARKS - 1) :], flagged_sector], key=lambda each: each.sector)
