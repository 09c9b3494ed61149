"""Merging the feed's changes into a topic's state."""

from __future__ import annotations

from typing import Any

DELETED = "_deleted"
"""The member of a change that lists names to remove from the state."""


class MergeError(ValueError):
    """A change of another kind than the state: an object for a value, or a value for an object."""


def merge(state: Any, change: Any) -> Any:
    """A copy of the state with ``change`` applied. Lists change by index, sent as a dict; values are replaced.

    Raises MergeError, so that a damaged change cannot leave a state that later good changes do not fit.
    """
    if state is not None and isinstance(state, dict | list) != isinstance(change, dict | list):
        raise MergeError("an object stands where a value was, or the other way round")
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
    """The items of a list by index: the feed sends either the list or a dict with indices as names."""
    if isinstance(items, list):
        return list(enumerate(items))
    if isinstance(items, dict):
        return [(int(index), value) for index, value in items.items() if index.isdecimal()]
    return []
