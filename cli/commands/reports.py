"""What a campaign has done: status, watch, recipients."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from http.client import HTTPResponse
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from cli import options, progress_view, wording
from cli.connection import BROKEN, reason
from cli.errors import CommandError, Unreachable
from cli.live_status import statuses
from cli.session import Session, path_of, session_of

app = typer.Typer()

_READ_BYTES = 64 * 1024


class State(StrEnum):
    """The states by which `recipients` selects rows."""

    ALL = "all"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    PENDING = "pending"
    REJECTED = "rejected"


@app.command()
def status(context: typer.Context, campaign_id: options.Campaign, *, as_json: options.Json = False) -> None:
    """Print the campaign's status now."""
    session = session_of(context, as_json=as_json)
    found = session.connection().call("GET", path_of(campaign_id, "/status"))
    session.output.result(found, [wording.line(campaign_id, found, datetime.now().astimezone())])


@app.command()
def watch(context: typer.Context, campaign_id: options.Campaign, *, as_json: options.Json = False) -> None:
    """Watch the campaign until it ends. Ctrl-C ends the watch alone; the campaign keeps running."""
    watch_to_end(session_of(context, as_json=as_json), campaign_id)


def watch_to_end(session: Session, campaign_id: str) -> None:
    """Show a campaign until it has ended.

    Raises:
        CommandError: the campaign has ended, and not every recipient is done.
        KeyboardInterrupt: Ctrl-C; the user has been told what goes on.
    """
    try:
        last = progress_view.show(campaign_id, statuses(session.connection(), campaign_id), session.output)
    except KeyboardInterrupt:
        session.output.note(f"No longer watching. {campaign_id} goes on; `postrider pause {campaign_id}` pauses it.")
        raise
    if not wording.reached_all(last):
        raise CommandError(_shortfall(campaign_id, last))


def _shortfall(campaign_id: str, last: dict[str, Any]) -> str:
    if last["status"] != "completed":
        return f"{campaign_id} is {last['status']}: {last.get('reason') or wording.counts(last)}"
    return (
        f"{campaign_id} is completed, but not every recipient is done: {wording.counts(last)}. "
        f"`postrider recipients {campaign_id} --state failed` names the failed rows."
    )


@app.command()
def recipients(
    context: typer.Context,
    campaign_id: options.Campaign,
    *,
    state: Annotated[State, typer.Option(help="The rows to print.")] = State.ALL,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write.", dir_okay=False)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print each row with its address, state and reason, as CSV; with --json, one object per line."""
    session = session_of(context, as_json=as_json)
    save_csv(session, path_of(campaign_id, f"/recipients.csv?state={state}"), output)


def save_csv(session: Session, path: str, file: Path | None) -> None:
    """Download a CSV of the API to a file; None: to stdout. With `--json` it is one object per line."""
    with session.connection().open(path) as response:
        chunks = _objects(response) if session.output.as_json else _chunks(response)
        if file is None:
            _write(chunks, sys.stdout.buffer)
        else:
            _write_file(chunks, file)


def _write_file(chunks: Iterator[bytes], file: Path) -> None:
    """Write the file only once all of it has arrived."""
    draft = file.with_name(f"{file.name}.part")
    try:
        with draft.open("wb") as out:
            _write(chunks, out)
        draft.replace(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _write(chunks: Iterator[bytes], out: BinaryIO) -> None:
    out.writelines(chunks)
    out.flush()


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body. A body that ends too early is an error, so that no one takes a part of the rows for all of them."""
    try:
        while chunk := response.read(_READ_BYTES):
            yield chunk
    except BROKEN as error:
        raise _broken_off(reason(error)) from error
    if response.length:  # of a body with a Content-Length, http.client reports no early end
        raise _broken_off(f"{response.length} bytes are missing")


def _broken_off(why: str) -> Unreachable:
    return Unreachable(f"The download broke off ({why}); run the command again.")


def _objects(response: HTTPResponse) -> Iterator[bytes]:
    for row in csv.DictReader(line.decode() for line in _lines(_chunks(response))):
        yield json.dumps(row | ({"row": int(row["row"])} if "row" in row else {})).encode() + b"\n"


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, cut after each line feed."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest
