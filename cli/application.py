"""Puts the commands together, and turns what they raise into one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from cli import profile
from cli.commands import (
    campaigns,
    checking,
    controls,
    lists,
    people,
    records,
    reports,
    samples,
    sending,
    server,
    suppression,
    tokens,
)
from cli.errors import CommandError
from cli.session import Session

#: The program's name in its texts, however it was started.
NAME: Final = "postrider"
#: How long a failing request is repeated unless `--patience` says otherwise, in seconds.
PATIENCE_S: Final = 30.0


class Commands(TyperGroup):
    """The group of all commands: no error of theirs ends as a traceback. Typer itself exits with 130 after Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        session = ctx.ensure_object(Session)
        try:
            return super().invoke(ctx)
        except CommandError as error:
            session.output.error(error)
            raise typer.Exit(error.code) from error
        except BrokenPipeError:  # the reader of a pipe, such as head, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from None
        except OSError as error:  # a file of the user's that cannot be read or written
            failed = CommandError(f"{error.filename or 'A file'}: {error.strerror or error}.")
            session.output.error(failed)
            raise typer.Exit(failed.code) from error


app = typer.Typer(
    name=NAME,
    cls=Commands,
    help="Send email campaigns with a Postrider server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (
    sending,
    campaigns,
    lists,
    checking,
    samples,
    controls,
    reports,
    records,
    people,
    suppression,
    tokens,
    server,
):
    app.add_typer(part.app)


@app.callback()
def options(
    context: typer.Context,
    *,
    url: Annotated[
        str | None, typer.Option(envvar="POSTRIDER_URL", help=f"The server; default: {profile.DEFAULT_URL}.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="POSTRIDER_TOKEN", help="The API token; the variable keeps it out of the process list."),
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to retry while the server is away.")
    ] = PATIENCE_S,
) -> None:
    """Send email campaigns with a Postrider server."""
    session = context.ensure_object(Session)
    session.profile = profile.load(url, token, profile.config_file(os.environ))
    session.patience_s = patience


def main() -> None:
    """Run the program; it exits with an exit code of `cli.errors`, or 0."""
    app(prog_name=NAME)
