"""The HTTP API: what is known of a session at a viewer's time, results and seasons, health and metrics.

A module for each kind of question. ``asked`` reads what was asked, ``answers`` makes JSON, tags and errors of it.
"""

from web.api.routes import Api

__all__ = ["Api"]
