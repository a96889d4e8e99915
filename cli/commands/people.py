"""One person, over all campaigns: what is known of an address, and its erasure."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli import options
from cli.session import session_of
from cli.wording import number

app = typer.Typer()

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An email address.", show_default=False)]


@app.command()
def person(context: typer.Context, address: Address, *, as_json: options.Json = False) -> None:
    """Print all that is known of an address: its rows in all campaigns, and the suppression list."""
    session = session_of(context, as_json=as_json)
    connection = session.connection()
    found = connection.call("GET", f"/recipients?email={quote(address, safe='')}")
    while (following := found["next"]) is not None:
        more = connection.call("GET", following)
        for name in ("campaigns", "unsearched"):
            more[name] = found[name] + more[name]
        found = more
    session.output.result(found, _known(found))


@app.command()
def erase(context: typer.Context, address: Address, *, yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Erase an address everywhere. Only a hash of it stays, so that it gets no email again."""
    session = session_of(context, as_json=as_json)
    session.output.confirm(f"Erase {address} from all campaigns, lists and records? It cannot be restored.", yes=yes)
    found = session.connection().call("DELETE", f"/recipients?email={quote(address, safe='')}")
    session.output.result(found, [f"{address} is erased from {number(found['campaigns'])} campaigns."])


def _known(found: dict[str, Any]) -> list[str]:
    rows = [
        f"{campaign['id']}  row {row['row']}  {row['state']}  {row['reason']}".rstrip()
        for campaign in found["campaigns"]
        for row in campaign["recipients"]
    ]
    entries = found["suppression"]["entries"]
    return [
        *(rows or [f"{found['email']} is in no campaign."]),
        *(f"{one['id']}: not searched: {one['reason']}" for one in found["unsearched"]),
        *(f"suppression list: {entry['at']}  {entry['what']}  {entry['note']}".rstrip() for entry in entries),
    ]
