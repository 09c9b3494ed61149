"""The HTTP API: a session as it was known at a viewer's time, results and seasons, health and metrics.

One module per kind of resource. ``requests`` reads parameters; ``responses`` makes JSON, ETags and errors.
"""

from web.api.routes import Api

__all__ = ["Api"]
