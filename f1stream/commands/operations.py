"""Commands for whoever runs f1stream: ``doctor``, ``topics`` and ``dbt``."""

from __future__ import annotations

from contextlib import closing, nullcontext

import typer

from f1stream.commands.options import run_async

DBT_WRITES = {"build", "run", "seed", "snapshot", "test"}
"""Commands of dbt that write to the warehouse. They hold the lock of the jobs: two at once would collide."""
COLORS = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor() -> None:
    """Check configuration, broker, topics, warehouse, rights, clock and token. Exit code 1 if a check fails."""
    from rich.console import Console

    from f1stream.doctor import examine
    from f1stream.settings import settings

    console = Console(highlight=False)
    problems = 0
    for finding in examine(settings()):
        problems += finding.level == "problem"
        console.print(f"[{COLORS[finding.level]}]{finding.level:8}[/] {finding.about:14}", end="")
        console.print(finding.text, markup=False, soft_wrap=True)
    raise SystemExit(1 if problems else 0)


def topics() -> None:
    """Create the topics that do not exist yet, and make existing ones use the broker's timestamps."""
    from f1stream.kafka import configure_topics, create_topics
    from f1stream.settings import settings

    created = run_async(create_topics(settings()))
    run_async(configure_topics(settings()))
    print("Created " + ", ".join(created) + "." if created else "All topics exist.")


def dbt(context: typer.Context) -> None:
    """dbt on the project of the marts, with a profile made from the settings: build, test, docs generate, …"""
    from f1stream.embedded.running import embedded_warehouse
    from f1stream.lock import one_at_a_time
    from f1stream.marts.project import run_dbt
    from f1stream.settings import settings
    from f1stream.warehouse.connection import Warehouse
    from f1stream.warehouse.ensure_tables import ensure_tables

    arguments = context.args or ["--help"]
    writes = bool(DBT_WRITES & set(arguments))
    with one_at_a_time(settings()) if writes else nullcontext(), embedded_warehouse(settings()):
        # On Snowflake `warehouse init` does it: a role that builds for pull requests does not see schema OPS.
        if writes and settings().embedded_warehouse:
            with closing(Warehouse(settings())) as warehouse:
                ensure_tables(warehouse, settings().snowflake_database)
        succeeded = run_dbt(settings(), arguments)
    raise SystemExit(0 if succeeded else 1)
