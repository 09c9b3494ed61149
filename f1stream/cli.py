"""The one command, ``f1stream``. Its commands' options are in ``f1stream/commands``, by subject."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from f1stream.commands import jobs, jolpica, operations, services, sessions, warehouse
from f1stream.errors import UserError

app = typer.Typer(
    help="Follow a Formula 1 session, live or past, as a stream: through Kafka and Faust to a live page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    services.demo, sessions.fetch, sessions.sessions, sessions.check, sessions.replay, sessions.live,
    services.race, services.archive, services.web, services.schedule, services.broker,
    operations.doctor, operations.topics,
):  # fmt: skip
    app.command()(command)
app.command("whole", hidden=True)(sessions.republish)
app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})(
    operations.dbt
)
app.add_typer(warehouse.app, name="warehouse")
app.add_typer(jolpica.app, name="jolpica")
app.add_typer(jobs.app, name="jobs")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - slow to import

        print(f"f1stream {version('f1stream')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Which version this is.")
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command. An error that the user can fix is printed as one sentence, with exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no error
    try:
        app()
    except OSError as error:
        text = _file_error(error)
        if text is None:
            raise
        print(f"f1stream: {text}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    except UserError as error:
        print(f"f1stream: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


def _file_error(error: OSError) -> str | None:
    from f1stream import disk  # noqa: PLC0415 - only for errors
    from f1stream.settings import settings  # noqa: PLC0415

    return disk.explain(error, settings().home)
