"""Errors of the warehouse and its loader."""

from __future__ import annotations

from f1stream.errors import UserError


class WarehouseError(UserError):
    """The warehouse cannot be used; the text is one sentence for the user."""


class Fenced(Exception):
    """An offset in the warehouse is not the expected one: another worker has loaded some of these records."""


class DataRefused(Exception):
    """One of these records has a value that does not fit its table; the text says why."""
