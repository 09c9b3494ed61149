"""How the feed's changes are put into the state that they change."""

from __future__ import annotations

from typing import Any

DELETED = "_deleted"
"""A change's list of names that the state loses."""


class Misfit(ValueError):
    """A change that does not fit the state: an object where a value was, or the other way round."""


def merge(state: Any, change: Any) -> Any:
    """The state after ``change``, in a copy. Lists change by index, sent as a dict; values replace each other.

    Raises Misfit: a damaged change must not make the state one that good changes do not fit.
    """
    if state is not None and isinstance(state, dict | list) != isinstance(change, dict | list):
        raise Misfit("an object stands where a value was, or the other way round")
    if not isinstance(change, dict):
        if isinstance(state, dict):
            return merge(state, {str(index): value for index, value in indexed(change)})
        return change
    if isinstance(state, list):
        return _merge_list(state, change)
    merged = dict(state) if isinstance(state, dict) else {}
    for name, value in change.items():
        if name != DELETED:
            merged[name] = merge(merged.get(name), value)
    for name in change.get(DELETED, ()):
        merged.pop(name, None)
    return merged


def _merge_list(state: list[Any], change: dict[str, Any]) -> list[Any]:
    merged = list(state)
    for index, value in indexed(change):
        if index < len(merged):
            merged[index] = merge(merged[index], value)
        else:
            merged.append(merge(None, value))
    return merged


def indexed(items: Any) -> list[tuple[int, Any]]:
    """What a list holds or changes, by index: the feed sends either the list or a dict of indices."""
    if isinstance(items, list):
        return list(enumerate(items))
    if isinstance(items, dict):
        return [(int(index), value) for index, value in items.items() if index.isdecimal()]
    return []
