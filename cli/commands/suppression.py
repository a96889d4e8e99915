"""The suppression list of the server: who gets no email."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from cli import options
from cli.commands.reports import save_csv
from cli.errors import CommandError, ExitCode
from cli.session import session_of
from cli.wording import number

app = typer.Typer()

Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="Email addresses.", show_default=False)]


@app.command()
def suppress(context: typer.Context, addresses: Addresses, *, as_json: options.Json = False) -> None:
    """Add addresses to the suppression list; if one is invalid, none is added."""
    session = session_of(context, as_json=as_json)
    found = session.connection().call("POST", "/suppressions", {"emails": addresses})
    session.output.result(found, [f"{number(found['added'])} added, {number(found['already'])} on the list already."])


@app.command()
def unsuppress(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address.", show_default=False)],
    *,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Remove an address from the suppression list, whatever it is there for."""
    session = session_of(context, as_json=as_json)
    session.output.confirm(f"Send to {address} again, also if this person has unsubscribed?", yes=yes)
    found = session.connection().call("DELETE", f"/suppressions/{quote(address, safe='')}")
    session.output.result(found, [f"{address} {'is removed' if found['removed'] else 'was not on the list'}."])


@app.command()
def suppressions(
    context: typer.Context,
    *,
    address: Annotated[str | None, typer.Option("--email", metavar="ADDRESS", help="Show this address alone.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write.", dir_okay=False)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print the suppression list as CSV, or what it knows of one address."""
    session = session_of(context, as_json=as_json)
    if address is None:
        save_csv(session, "/suppressions.csv", output)
        return
    if output is not None:
        raise CommandError("--email and --output do not go together: leave one of them out.", ExitCode.USAGE)
    found = session.connection().call("GET", f"/suppressions?email={quote(address, safe='')}")
    entries = [f"{entry['at']}  {entry['what']}  {entry['note']}".rstrip() for entry in found["entries"]]
    state = "gets no email" if found["all_email"] else "gets no marketing email"
    line = f"{found['email']} {state if found['suppressed'] else 'is not suppressed'}"
    session.output.result(found, [line, *entries])
