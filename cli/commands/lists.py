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
    encoding: options.Encoding = "",
    delimiter: options.Delimiter = "",
    sheet: options.Sheet = "",
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Upload the list. An interrupted upload continues when the same command runs again."""
    session = session_of(context, as_json=as_json)
    put_list(session, campaign_id, file, given(email_column, encoding, delimiter, sheet))
    if no_wait:
        session.output.result(
            {"status": "parsing"}, [f"{campaign_id}: {described(file)} is uploaded and being parsed."]
        )
        return
    status = parsed(session, campaign_id)
    session.output.result(status, [f"{campaign_id} is {status['status']}: {recipients(status)}.", *warnings(status)])


def given(email_column: str, encoding: str, delimiter: str, sheet: str) -> dict[str, str]:
    """What the user says of the list, without what is left to the server."""
    said = {"email_column": email_column, "encoding": encoding, "delimiter": delimiter, "sheet": sheet}
    return {name: value for name, value in said.items() if value}


def warnings(found: dict[str, Any]) -> list[str]:
    """The warnings of a status or a dry run as lines."""
    return [f"warning: {warning['message']}" for warning in found.get("warnings", ())]


def put_list(session: Session, campaign_id: str, file: Path, said: dict[str, str]) -> None:
    """Upload a list, with a bar at a terminal. `said`: what the user says of it, as `given` makes it.

    Raises:
        KeyboardInterrupt: Ctrl-C; the user has been told how to continue.
    """
    connection = session.connection()
    connection.call("GET", path_of(campaign_id, "/status"))  # an unknown campaign is refused before any byte is sent
    uploads = PartialUploads(state_directory() / "uploads")
    try:
        with UploadBar(file.name, file.stat().st_size) as bar:
            ListUpload(connection, uploads, campaign_id, file, options=said, bar=bar).run()
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
