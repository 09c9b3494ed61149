"""The base of all errors that the user can fix."""

from __future__ import annotations


class UserError(Exception):
    """An error that the user can fix.

    The text is one sentence: what is wrong, where, and what to do. ``f1stream`` prints it and exits with code 2.
    """
