"""One bad value of an answer is left out and listed; the rest of the answer is used.

The API has no schema: a position is ``-``, a duration empty, a time negative. What a model refuses is removed from
the row, so that it is null in the marts; where the row cannot be without it, the row is left out.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

Row = dict[str, Any]
Path = tuple[int | str, ...]
"""Names and indexes down to a value."""
MOST_REMOVED = 50
"""Of one row; with more it is left out."""
NOTHING = ("", "-", "\\N")
"""What the API sends for no value, however often."""
SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Flaw:
    """A value that could not be used."""

    row: str
    """What the row is about, such as ``albon:17``; its number in the answer where that is not known."""
    field: str
    """``Time.millis``."""
    value: str
    """As it was sent, cut."""
    reason: str
    row_left_out: bool = False

    def __str__(self) -> str:
        what = "its row is left out" if self.row_left_out else "null"
        return f"{self.row} {self.field} {self.value} ({self.reason}): {what}"


def repaired(model: type[BaseModel], row: Any, name: str) -> tuple[Row | None, list[Flaw]]:
    """``row`` without the values that ``model`` refuses, and those; None if it cannot be without one.

    ``name`` is what the row is called in the flaws.
    """
    if not isinstance(row, dict):
        return None, [Flaw(name, "", _short(row), "it is no object", row_left_out=True)]
    row, flaws, nulls = copy.deepcopy(row), list[Flaw](), list[Path]()
    for _ in range(MOST_REMOVED):
        try:
            model.model_validate(row)
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            path, value = wrong["loc"], wrong["input"] if wrong["type"] != "missing" else "missing"
            if path not in nulls:
                flaws.append(Flaw(name, ".".join(map(str, path)), _short(value), wrong["msg"]))
            if not _take_out(row, path, nulls):
                return None, [*flaws[:-1], replace(flaws[-1], row_left_out=True)]
        else:
            for path in nulls:
                _forget(row, path)
            return row, flaws
    return None, [Flaw(name, "", "", f"more than {MOST_REMOVED} values are wrong", row_left_out=True)]


def _take_out(row: Any, path: Path, nulls: list[Path]) -> bool:
    """Make a value null, or what cannot be without it when it is null already; False if that is the row."""
    while path in nulls:
        path = path[:-1]
    if not path:
        return False
    holder = _at(row, path[:-1])
    if isinstance(holder, list):
        del holder[int(path[-1])]
        nulls[:] = [null for null in nulls if null[: len(path) - 1] != path[:-1]]
    else:
        holder[path[-1]] = None
        nulls.append(path)
    return True


def _forget(row: Any, path: Path) -> None:
    """A value that is missing is null in SQL, whatever the warehouse makes of a JSON null."""
    holder = _at(row, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)


def _at(row: Any, path: Path) -> Any:
    for part in path:
        row = row[part] if row is not None else None
    return row


def changed_shape(flaws: Iterable[Flaw], rows: int, left_out: int) -> str | None:
    """Why an answer of ``rows`` is no answer with some bad values; None if it is.

    A field that is wrong in most rows has changed its form: nulls must not take the place of what is known.
    """
    flaws = list(flaws)
    if left_out == rows:
        return f"no row can be used: {flaws[0]}"
    wrong = Counter(
        re.sub(r"\.\d+\b", "", flaw.field) for flaw in flaws if flaw.value not in {repr(each) for each in NOTHING}
    )
    for field, count in wrong.most_common(1):
        if count > 2 and count > rows / 2:
            example = next(flaw for flaw in flaws if re.sub(r"\.\d+\b", "", flaw.field) == field)
            return f"{field} is wrong in {count} of {rows} rows, as in {example}"
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
