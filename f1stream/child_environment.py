"""The environment of a child process: its parent's settings, and only the secrets that the child uses."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pydantic import SecretStr

from f1stream.settings import Settings

SECRETS = frozenset(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)
BROKER = frozenset({"broker_password"})
EMBEDDED_WAREHOUSE = frozenset({"embedded_warehouse_password"})
SNOWFLAKE = frozenset(name for name in SECRETS if name.startswith("snowflake_"))
WAREHOUSE = EMBEDDED_WAREHOUSE | SNOWFLAKE
F1TV = frozenset({"f1tv_token"})
NEEDS: Mapping[str, frozenset[str]] = {
    "archive": BROKER | WAREHOUSE,
    "dbt": WAREHOUSE,
    "live": BROKER | F1TV,
    "marts": BROKER | WAREHOUSE,
    "race": BROKER,
    "schedule": BROKER | WAREHOUSE | F1TV,
    "source": BROKER,
    "streamlit": frozenset(),  # its connection has its own variable
    "warehouse": EMBEDDED_WAREHOUSE,
    "web": BROKER,
    "whole": BROKER,
}
"""The secrets that each child receives, if they are set."""
ALLOCATOR = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
"""Returns freed memory to the system sooner: Arrow's own pool, and an arena of glibc for each thread, keep it.
``deploy/docker/Dockerfile`` sets the same."""
ALLOCATOR_OF_SOURCE = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""The same for a source, which frees much once, after reading. Workers would pay in CPU."""
SYSTEM = re.compile(
    r"(PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|SYSTEMROOT|PYTHON\w+|NO_COLOR|RUST_LOG|MALLOC_\w+|ARROW_DEFAULT_MEMORY_POOL)"
)
"""The only variables that foreign programs get: the embedded broker and warehouse."""


def environment_for(settings: Settings, child: str) -> dict[str, str]:
    """The environment of a child. It contains secrets: never log it.

    Variables of the allocators that are set in ours have precedence over ``ALLOCATOR``.
    """
    system = {name: value for name, value in os.environ.items() if SYSTEM.fullmatch(name)}
    if child == "broker":
        return system
    allocator = ALLOCATOR | (ALLOCATOR_OF_SOURCE if child == "source" else {})
    given = {**allocator, **(system if child == "warehouse" else os.environ), **settings.environment()}
    withheld = SECRETS - (NEEDS[child] & _in_use(settings))
    return given | {f"F1STREAM_{name.upper()}": "" for name in withheld}  # or it would read them from .env


def _in_use(settings: Settings) -> frozenset[str]:
    broker = frozenset() if settings.embedded else BROKER
    return broker | (EMBEDDED_WAREHOUSE if settings.embedded_warehouse else SNOWFLAKE) | F1TV
