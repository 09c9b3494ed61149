"""What the warehouse and its loader raise."""

from __future__ import annotations

from f1stream.errors import UserError


class WarehouseError(UserError):
    """The warehouse cannot be used; the text is one sentence for the user."""


class Fenced(Exception):
    """Another worker has loaded some of these records, or the offsets are not what they were thought to be."""


class DataRefused(Exception):
    """Among these records is one whose values do not fit its table; the text says why."""
