"""Campaigns as such: new, list, show, delete."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import content, options
from cli.session import path_of, session_of
from cli.wording import Status, number

app = typer.Typer()


@app.command()
def new(
    context: typer.Context,
    campaign_id: options.Campaign,
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
    replace: Annotated[bool, typer.Option("--replace", help="Change the campaign if it exists.")] = False,
    as_json: options.Json = False,
) -> None:
    """Create a campaign: its sender, subject and templates."""
    session = session_of(context, as_json=as_json)
    fields = {"from": sender, "subject": subject, "html": html, "text": text, "tpm": tpm, "reply_to": reply_to}
    more = {"headers": content.headers_of(header), "on_unknown": on_unknown, "weight": weight}
    wanted = content.body_of(body, more_fields, **fields, **more)
    headers = {} if replace else {"If-None-Match": "*"}  # RFC 9110, 13.1.2: an existing campaign is refused
    found = session.connection().call("PUT", path_of(campaign_id), wanted, headers=headers, repeatable=replace)
    session.output.result(found, [f"{campaign_id} is {found['status']}. Next: postrider upload {campaign_id} FILE"])


@app.command("list")
def list_campaigns(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=200, help="The most campaigns to show.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="How many of the newest campaigns to skip.")] = 0,
    as_json: options.Json = False,
) -> None:
    """List the campaigns, the newest first."""
    session = session_of(context, as_json=as_json)
    page = session.connection().call("GET", f"/campaigns?limit={limit}&offset={offset}")
    header = ("id", "status", "done", "failed", "pending", "total", "per minute", "subject")
    session.output.table(page, header, [_row(campaign) for campaign in page["campaigns"]])
    shown = offset + len(page["campaigns"])
    if shown < page["total"] and not as_json:
        session.output.note(f"{number(page['total'] - shown)} older campaigns: add --offset {shown}.")


def _row(campaign: dict[str, Any]) -> tuple[str, ...]:
    status: Status = campaign["progress"]
    figures = (str(status[name]) for name in ("done", "failed", "pending", "total"))
    return (campaign["id"], campaign["status"], *figures, str(campaign["tpm"]), campaign["subject"])


@app.command()
def show(context: typer.Context, campaign_id: options.Campaign, *, as_json: options.Json = False) -> None:
    """Show a campaign's content and list."""
    session = session_of(context, as_json=as_json)
    found = session.connection().call("GET", path_of(campaign_id))
    empty: tuple[object, ...] = (None, "", [], {})
    lines = [f"{name}: {value}" for name, value in found.items() if value not in empty and name not in {"html", "text"}]
    session.output.result(found, [*lines, *_parts(found)])


def _parts(campaign: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name in ("text", "html"):
        if campaign.get(name):
            lines += ["", f"{name}:", *str(campaign[name]).splitlines()]
    return lines


@app.command()
def delete(
    context: typer.Context, campaign_id: options.Campaign, *, yes: options.Yes = False, as_json: options.Json = False
) -> None:
    """Delete a campaign with its list and its reports."""
    session = session_of(context, as_json=as_json)
    session.output.confirm(f"Delete {campaign_id} with its list and all its reports?", yes=yes)
    session.connection().call("DELETE", path_of(campaign_id))
    session.output.result({"id": campaign_id, "deleted": True}, [f"{campaign_id} is deleted."])
