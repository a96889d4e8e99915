"""`check`: everything that can be known before a campaign starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from cli import options
from cli.commands.lists import given, warnings
from cli.connection import Body
from cli.errors import CommandError
from cli.session import path_of, session_of
from cli.wording import finding_line, number

app = typer.Typer()

#: Levels of findings with which a campaign does not start.
_STOPPING = frozenset({"error", "stops_start"})


@app.command()
def check(
    context: typer.Context,
    campaign_id: options.Campaign,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A list of up to 10 MiB.", exists=True, dir_okay=False, readable=True,
            show_default=False,
        ),
    ] = None,
    *,
    email_column: options.EmailColumn = "",
    encoding: options.Encoding = "",
    delimiter: options.Delimiter = "",
    sheet: options.Sheet = "",
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Check the content, and what a list would give for the campaign. Nothing is kept. 1: it could not start."""
    session = session_of(context, as_json=as_json)
    connection = session.connection()
    campaign = connection.call("GET", path_of(campaign_id))
    report = {"content": campaign["warnings"], "list": None}
    lines = [finding_line(one) for one in campaign["warnings"]] or ["content: nothing to mend"]
    if file is not None:
        said = given(email_column, encoding, delimiter, sheet)
        query = urlencode({"dry_run": "true", "filename": file.name, **said})
        body = Body(file.read_bytes(), file.stat().st_size, "text/csv")
        report["list"] = connection.call("POST", path_of(campaign_id, f"/upload?{query}"), body)
        lines += _findings(report["list"])
    session.output.result(report, lines)
    if reasons := list(_stopping(report)):
        raise CommandError(f"{campaign_id} cannot start: {'; '.join(reasons)}")


def _stopping(report: dict[str, Any]) -> list[str]:
    """Why the campaign could not start."""
    found = report["list"] or {}
    findings = [*report["content"], *found.get("content_warnings", ())]
    reasons = [finding["message"] for finding in findings if finding["level"] in _STOPPING]
    if found and not found["accepted"]:
        reasons.append("the list has no recipient")
    return list(dict.fromkeys(reasons))


def _findings(found: dict[str, Any]) -> list[str]:
    """A dry run as lines."""
    reasons = ", ".join(f"{reason} {number(count)}" for reason, count in found["reasons"].items())
    rejected = f"rejected: {number(found['rejected'])}" + (f" ({reasons})" if reasons else "")
    return [
        f"format: {found['format']}, encoding {found['encoding']}, delimiter {found['delimiter']!r}",
        f"columns: {', '.join(found['columns'])}; addresses in {found['email_column']!r}",
        f"accepted: {number(found['accepted'])} of {number(found['rows'])} rows",
        rejected,
        f"excluded: {number(found['excluded'])}",
        *(f"row as it would be used: {', '.join(f'{name}={cell}' for name, cell in row.items())}"
          for row in found["sample"]),
        *warnings(found),
        *(finding_line(one) for one in found.get("content_warnings", ())),
    ]  # fmt: skip
