"""Single emails of a campaign: preview, test-send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options
from cli.content import columns_of
from cli.errors import CommandError, ExitCode
from cli.session import path_of, session_of
from cli.wording import finding_line, size

app = typer.Typer()

Row = Annotated[int | None, typer.Option(min=1, metavar="N", help="A row of the list; else the first recipient.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="NAME=VALUE", help="A value for the templates instead of a row; repeatable."),
]


@app.command()
def preview(
    context: typer.Context,
    campaign_id: options.Campaign,
    *,
    row: Row = None,
    column: Columns = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the HTML part to a file, for a browser.", dir_okay=False)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show one email as it would be sent; nothing is sent."""
    session = session_of(context, as_json=as_json)
    found = session.connection().call("POST", path_of(campaign_id, "/preview"), sample(row, column))
    if html is not None:
        if found["html"] is None:
            raise CommandError(f"{campaign_id} has no HTML part: leave out --html.")
        html.write_text(found["html"], encoding="utf-8")
    session.output.result(found, _email(found))


@app.command("test-send")
def send_test(
    context: typer.Context,
    campaign_id: options.Campaign,
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS...", help="1 to 10 email addresses.", show_default=False)
    ],
    *,
    row: Row = None,
    column: Columns = None,
    as_json: options.Json = False,
) -> None:
    """Send one email to up to 10 addresses. Its subject begins with [Test], and no count changes."""
    session = session_of(context, as_json=as_json)
    wanted = {"to": addresses, **sample(row, column)}
    found = session.connection().call("POST", path_of(campaign_id, "/test-send"), wanted, repeatable=False)
    lines = [f"{one['to']}: {', '.join(filter(None, (one['outcome'], one['reason'])))}" for one in found["results"]]
    session.output.result(found, lines)
    failed = [one for one in found["results"] if one["outcome"] != "accepted"]
    if failed:
        raise CommandError(f"{len(failed)} of {len(found['results'])} test emails were not accepted.")


def sample(row: int | None, column: list[str] | None) -> dict[str, Any]:
    """Which email, as a body of the API."""
    if row is not None and column:
        raise CommandError("--row and --column do not go together: leave one of them out.", ExitCode.USAGE)
    if column:
        return {"columns": columns_of(column)}
    return {"row": row} if row is not None else {}


def _email(found: dict[str, Any]) -> list[str]:
    """An email as lines: headers, text, and what is worth a look."""
    headers = {"To": found["to"], "Subject": found["subject"], **found["headers"]}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if found["text"]:
        lines += ["", *found["text"].splitlines()]
    if found["html"]:
        lines += ["", f"The HTML part has {size(len(found['html'].encode()))}: --html FILE writes it."]
    return [*lines, "", f"size: {size(found['size'])}", *(finding_line(one) for one in found["warnings"])]
