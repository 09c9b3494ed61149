"""Removes and lists the invalid values of an answer, so that the rest can be used.

The API has no schema: a position is ``-``, a duration empty, a time negative. A value that the model rejects is
removed from its row and is null in the marts; a row without a required value is left out.
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
"""Field names and list indexes that lead to a value."""
MOST_REMOVED = 50
"""A row with more invalid values is left out."""
NOTHING = ("", "-", "\\N")
"""The API's values for \"none\": many of them do not mean that the shape has changed."""
SHOWN_CHARACTERS = 60
"""A value is listed cut to this length."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """An invalid value."""

    row: str
    """The row's entity, such as ``albon:17``, or its number in the answer."""
    field: str
    """``Time.millis``."""
    value: str
    """As sent, cut."""
    reason: str
    row_left_out: bool = False

    def __str__(self) -> str:
        what = "its row is left out" if self.row_left_out else "null"
        return f"{self.row} {self.field} {self.value} ({self.reason}): {what}"


def repaired(model: type[BaseModel], row: Any, name: str) -> tuple[Row | None, list[Flaw]]:
    """``row`` without the values that ``model`` rejects, and these; None if one of them is required.

    ``name`` is the row's name in the flaws.
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
            if not _remove(row, path, nulls):
                return None, [*flaws[:-1], replace(flaws[-1], row_left_out=True)]
        else:
            for path in nulls:
                _drop_null(row, path)
            return row, flaws
    return None, [Flaw(name, "", "", f"more than {MOST_REMOVED} values are wrong", row_left_out=True)]


def _remove(row: Any, path: Path, nulls: list[Path]) -> bool:
    """Set a value to null or, where it is already null, the object that requires it; False if that is the row."""
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


def _drop_null(row: Any, path: Path) -> None:
    """Delete a null field: a missing field is NULL in SQL, a JSON null is not."""
    holder = _at(row, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)


def _at(row: Any, path: Path) -> Any:
    for part in path:
        row = row[part] if row is not None else None
    return row


def changed_shape(flaws: Iterable[Flaw], rows: int, left_out: int) -> str | None:
    """The reason why an answer of ``rows`` has another shape, rather than some invalid values; None without one.

    A field that is invalid in most rows has changed its format: nulls must not replace known values.
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
