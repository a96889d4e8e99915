"""What the server has recorded: accounts, history, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options
from cli.commands.reports import save_csv
from cli.connection import Connection
from cli.errors import ApiError, CommandError, ExitCode
from cli.session import path_of, session_of
from cli.wording import history_line, number

app = typer.Typer()

#: The entries per request of a history.
PAGE = 200


@app.command()
def accounts(context: typer.Context, *, as_json: options.Json = False) -> None:
    """List the provider accounts with their rates and circuit breakers."""
    session = session_of(context, as_json=as_json)
    found = session.connection().call("GET", "/accounts")
    header = ("name", "provider", "limit per minute", "sent in the last minute", "breaker", "reason")
    session.output.table(found, header, [_account(one) for one in found])


def _account(one: dict[str, Any]) -> tuple[str, ...]:
    limit = "none" if one["tpm"] is None else number(one["tpm"])
    return (one["name"], one["provider"], limit, number(one["sent_last_minute"]), one["breaker"], one["reason"] or "")


@app.command()
def history(
    context: typer.Context,
    campaign_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The campaign; else the installation.", show_default=False)
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most entries to show.")] = 50,
    as_json: options.Json = False,
) -> None:
    """Print who did what when, the newest first."""
    session = session_of(context, as_json=as_json)
    entries = _history(session.connection(), campaign_id, limit)
    if as_json:
        for entry in entries:
            session.output.result(entry, ())
        return
    session.output.result(entries, [history_line(entry) for entry in entries] or ["Nothing is recorded yet."])


def _history(connection: Connection, campaign_id: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest entries, over as many pages as they need."""
    path = "/history" if campaign_id is None else path_of(campaign_id, "/history")
    entries: list[dict[str, Any]] = []
    following: str | None = f"{path}?limit={min(limit, PAGE)}"
    while following is not None and len(entries) < limit:
        page = connection.call("GET", following)
        entries += page["history"]
        following = page["next"]
    return entries[:limit]


@app.command()
def export(
    context: typer.Context,
    campaign_id: options.Campaign,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIRECTORY", help="Where to; else the campaign's id.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write a campaign's content, status, recipients, history and last reconciliation as files, to keep."""
    session = session_of(context, as_json=as_json)
    connection = session.connection()
    directory = output or Path(campaign_id)
    status = connection.call("GET", path_of(campaign_id, "/status"))
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise CommandError(f"{directory} exists and is not empty: name another one with --output.", ExitCode.USAGE)
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / "campaign.json", connection.call("GET", path_of(campaign_id)))
    _write(directory / "status.json", status)
    for name, found in (
        ("reconciliation.json", _if_any(lambda: connection.call("GET", path_of(campaign_id, "/reconcile")))),
        ("history.json", _if_any(lambda: _history(connection, campaign_id, 1000))),
    ):
        if found is not None:
            _write(directory / name, found)
    if status["has_list"]:
        session.output.as_json = False  # the file is CSV
        save_csv(session, path_of(campaign_id, "/recipients.csv?state=all"), directory / "recipients.csv")
        session.output.as_json = as_json
    files = sorted(file.name for file in directory.iterdir())
    session.output.result({"directory": str(directory), "files": files}, [f"{directory}: {', '.join(files)}"])


def _if_any(ask: Any) -> Any:
    """What the server has; None: it has none."""
    try:
        return ask()
    except ApiError as error:
        if error.status != 404:
            raise
        return None


def _write(file: Path, found: Any) -> None:
    file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
