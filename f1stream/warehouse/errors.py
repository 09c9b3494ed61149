"""What a user is told of the warehouse."""

from __future__ import annotations


class WarehouseError(Exception):
    """The warehouse cannot be used; the text is one sentence for the user."""
