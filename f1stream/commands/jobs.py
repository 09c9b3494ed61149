"""``f1stream jobs``: what ran, what is due, and a run by hand."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Runs of the scheduled jobs, and when they are due.")


@app.callback(invoke_without_command=True)
def jobs(context: typer.Context) -> None:
    """The jobs, when each is due, and the latest runs."""
    if context.invoked_subcommand is not None:
        return
    from f1stream.jobs.commands import show
    from f1stream.settings import settings

    show(settings())


@app.command()
def run(name: Annotated[str, typer.Argument(help="The job; `f1stream jobs` lists them.")]) -> None:
    """Run a job now, on record, after one that is running. Exit code 1 if it is not complete."""
    from f1stream.jobs.commands import run_now
    from f1stream.jobs.work import JOBS
    from f1stream.settings import settings

    if name not in JOBS:
        raise typer.BadParameter(f"There is no job {name!r}; there are {', '.join(JOBS)}.")
    raise SystemExit(0 if run_now(settings(), JOBS[name]) else 1)
