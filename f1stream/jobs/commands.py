"""``f1stream jobs``: what ran, what will run, and a run by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import settings

SHOWN = 20
app = typer.Typer(help="Runs of the scheduled jobs, and when they are due.")


@app.callback(invoke_without_command=True)
def jobs(context: typer.Context) -> None:
    """The jobs, when each is due, and the latest runs."""
    if context.invoked_subcommand is not None:
        return
    from f1stream.jobs.scheduler import on_file  # noqa: PLC0415 - APScheduler and the connector are slow to import
    from f1stream.jobs.sessions import LIVE, REPUBLISH  # noqa: PLC0415
    from f1stream.jobs.times import REPUBLISH_AFTER  # noqa: PLC0415
    from f1stream.jobs.work import JOBS  # noqa: PLC0415

    console = Console()
    due, failing = on_file(settings())
    table = Table("job", "runs", "next (UTC)", "to be tried again because")
    for job in JOBS.values():
        table.add_row(job.name, job.when, _utc(due.get(job.name)), failing.get(job.name, ""))
    when = f"{REPUBLISH_AFTER.seconds // 3600} hours after each session starts: all of it, as it was published"
    table.add_row(REPUBLISH, when, _utc(due.get(REPUBLISH)), failing.get(REPUBLISH, ""))
    table.add_row(LIVE, "the live timing, from 15 minutes before each session to its end", _utc(due.get(LIVE)), "")
    console.print(table)
    if not due:
        console.print("No scheduler has run here yet: `f1stream schedule` starts it.")
    runs = _latest_runs()
    table = Table("job", "attempt", "began (UTC)", "took", "outcome", "rows", "error")
    for run in runs:
        ended = run["ended_at"]
        took = "" if ended is None else str(ended - run["started_at"]).partition(".")[0]
        rows = "" if run["row_count"] is None else f"{run['row_count']:,}"
        outcome = run["outcome"] or "has not ended"
        table.add_row(
            run["job"], str(run["attempt"]), _utc(run["started_at"]), took, outcome, rows, run["error"] or ""
        )
    console.print(table if runs else "No run is on record.")


@app.command()
def run(name: Annotated[str, typer.Argument(help="Which; `f1stream jobs` lists them.")]) -> None:
    """Run a job now, here, on record; wait for one that runs already. Exit code 1 when it is not complete."""
    from f1stream.jobs.runs import Ended  # noqa: PLC0415
    from f1stream.jobs.work import JOBS, run_job  # noqa: PLC0415

    if name not in JOBS:
        raise typer.BadParameter(f"There is no job {name!r}; there are {', '.join(JOBS)}.")
    console = Console()
    with console.status(f"Job {name}"):
        done = run_job(JOBS[name], settings())
    for said in done.sentences + done.errors:
        console.print(said, highlight=False)
    console.print(f"{name}: {done.ended}.", highlight=False)
    raise SystemExit(0 if done.ended is Ended.COMPLETE else 1)


def _latest_runs() -> list[dict[str, Any]]:
    import snowflake.connector  # noqa: PLC0415

    from f1stream.jobs.runs import JobRuns  # noqa: PLC0415
    from f1stream.warehouse.connection import Warehouse, error_text  # noqa: PLC0415
    from f1stream.warehouse.errors import WarehouseError  # noqa: PLC0415
    from f1stream.warehouse.schema import create  # noqa: PLC0415

    with embedded_warehouse(settings()):
        warehouse = Warehouse(settings())
        try:
            list(create(warehouse, settings().snowflake_database))
            return JobRuns(warehouse).latest(SHOWN)
        except snowflake.connector.Error as error:
            raise WarehouseError(error_text(error)) from error
        finally:
            warehouse.close()


def _utc(at: object) -> str:
    if not isinstance(at, datetime):
        return ""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
