"""`send`: a campaign in one command, from the list to the last email."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from cli import content, options
from cli.commands.controls import accepted
from cli.commands.lists import given, parsed, put_list, recipients, warnings
from cli.commands.reports import watch_to_end
from cli.errors import CommandError
from cli.output import check_answerable
from cli.session import Session, path_of, session_of
from cli.wording import duration, number

app = typer.Typer()


@app.command()
def send(
    context: typer.Context,
    file: options.ListFile,
    *,
    sender: options.From = None,
    subject: options.Subject = None,
    html: options.Html = None,
    text: options.PlainText = None,
    tpm: options.Tpm = None,
    reply_to: options.ReplyTo = None,
    header: options.Header = None,
    on_unknown: options.OnUnknown = None,
    weight: options.Weight = None,
    more_fields: options.Set = None,
    body: options.Body = None,
    email_column: options.EmailColumn = "",
    encoding: options.Encoding = "",
    delimiter: options.Delimiter = "",
    sheet: options.Sheet = "",
    accept_warnings: options.AcceptWarnings = False,
    name: Annotated[str | None, typer.Option(metavar="ID", help="The campaign's id; else one is made.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Watch the campaign until it ends.")] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Create a campaign, upload its list, ask, and start it."""
    check_answerable(yes=yes)
    session = session_of(context, as_json=as_json)
    campaign_id = name or content.id_for(file, datetime.now().astimezone())
    fields = {"from": sender, "subject": subject, "html": html, "text": text, "tpm": tpm, "reply_to": reply_to}
    more = {"headers": content.headers_of(header), "on_unknown": on_unknown, "weight": weight}
    _create(session, campaign_id, content.body_of(body, more_fields, **fields, **more))
    try:
        put_list(session, campaign_id, file, given(email_column, encoding, delimiter, sheet))
        status = parsed(session, campaign_id)
        for line in warnings(status):
            session.output.note(line)
        session.output.confirm(_question(session, campaign_id, status), yes=yes)
        started = session.connection().call(
            "POST", path_of(campaign_id, "/start"), accepted(accept_warnings=accept_warnings)
        )
    except (CommandError, KeyboardInterrupt):
        session.output.note(
            f"{campaign_id} is kept and has not been started. To go on: postrider upload {campaign_id} {file}, then "
            f"postrider start {campaign_id}."
        )
        raise
    if watch:
        watch_to_end(session, campaign_id)
        return
    summary = f"{campaign_id} is {started['status']}: {recipients(status)}. Next: postrider watch {campaign_id}"
    session.output.result({"id": campaign_id, **started}, [summary])


def _create(session: Session, campaign_id: str, body: dict[str, Any]) -> None:
    new_only = {"If-None-Match": "*"}  # RFC 9110, 13.1.2: an existing campaign is refused
    session.connection().call("PUT", path_of(campaign_id), body, headers=new_only, repeatable=False)


def _question(session: Session, campaign_id: str, status: dict[str, Any]) -> str:
    campaign = session.connection().call("GET", path_of(campaign_id))
    tpm = campaign["tpm"]
    takes = duration(status["total"] * 60 / tpm)
    return (
        f"{campaign_id}: {recipients(status)}, from {campaign['from']}, subject {campaign['subject']!r}, "
        f"at {number(tpm)} emails per minute: about {takes}. Start now?"
    )
