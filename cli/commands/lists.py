"""The list of a campaign: upload. `put_list` also serves the command `send`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from cli import options
from cli.errors import CommandError
from cli.list_upload import ListUpload, described
from cli.live_status import until_parsed
from cli.partial_uploads import PartialUploads
from cli.profile import state_directory
from cli.session import Session, path_of, session_of
from cli.upload_bar import UploadBar
from cli.wording import number

app = typer.Typer()


@app.command()
def upload(
    context: typer.Context,
    campaign_id: options.Campaign,
    file: options.ListFile,
    *,
    email_column: options.EmailColumn = "",
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Upload the list. An interrupted upload continues when the same command runs again."""
    session = session_of(context, as_json=as_json)
    put_list(session, campaign_id, file, email_column)
    if no_wait:
        session.output.result(
            {"status": "parsing"}, [f"{campaign_id}: {described(file)} is uploaded and being parsed."]
        )
        return
    status = parsed(session, campaign_id)
    session.output.result(status, [f"{campaign_id} is {status['status']}: {recipients(status)}."])


def put_list(session: Session, campaign_id: str, file: Path, email_column: str) -> None:
    """Upload a list, with a bar at a terminal.

    Raises:
        KeyboardInterrupt: Ctrl-C; the user has been told how to continue.
    """
    connection, fields = session.connection(), {"email_column": email_column} if email_column else {}
    connection.call("GET", path_of(campaign_id, "/status"))  # an unknown campaign is refused before any byte is sent
    uploads = PartialUploads(state_directory() / "uploads")
    try:
        with UploadBar(file.name, file.stat().st_size) as bar:
            ListUpload(connection, uploads, campaign_id, file, options=fields, bar=bar).run()
    except KeyboardInterrupt:
        session.output.note("The upload is interrupted; the same command continues it.")
        raise


def parsed(session: Session, campaign_id: str) -> dict[str, Any]:
    """Wait until the list is parsed; return the status then.

    Raises:
        CommandError: the list cannot be used.
    """
    status = until_parsed(session.connection(), campaign_id)
    if status["status"] == "rejected":
        raise CommandError(f"The list cannot be used: {status['reason']}")
    return status


def recipients(status: dict[str, Any]) -> str:
    """How many recipients the list has, and how many rows were left out."""
    rejected = f", {number(status['rejected'])} rejected rows" if status["rejected"] else ""
    return f"{number(status['total'])} recipients{rejected}"
