"""The arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Campaign = Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)]
ListFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The list of recipients.", exists=True, dir_okay=False, readable=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the result.")]
EmailColumn = Annotated[str, typer.Option(metavar="NAME", help="The column with the addresses, if it is not found.")]
Encoding = Annotated[str, typer.Option(metavar="NAME", help="The list's encoding, if it is recognised wrongly.")]
Delimiter = Annotated[str, typer.Option(metavar="CHARACTER", help="The list's delimiter, likewise.")]
Sheet = Annotated[str, typer.Option(metavar="NAME", help="The sheet of a workbook; else the first one.")]
AcceptWarnings = Annotated[
    bool, typer.Option("--accept-warnings", help="Start in spite of warnings about the content and the list.")
]
AcceptBrake = Annotated[
    bool, typer.Option("--accept-brake", help="Resume in spite of the bounces or complaints that paused it.")
]

# The content of a campaign
From = Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help='The sender: "News <news@example.com>".')]
Subject = Annotated[str | None, typer.Option(help="The subject, a Jinja2 template over the list's columns.")]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="The HTML part, a template.", dir_okay=False)]
PlainText = Annotated[Path | None, typer.Option("--text", metavar="FILE", help="The text part.", dir_okay=False)]
Tpm = Annotated[int | None, typer.Option(min=1, help="Emails per minute; the server's default if left out.")]
ReplyTo = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The Reply-To address.")]
Header = Annotated[list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="A header; may be given repeatedly.")]
OnUnknown = Annotated[str | None, typer.Option(metavar="hold|resend", help="What to do with unknown rows.")]
Weight = Annotated[int | None, typer.Option(min=1, help="The share of the queue, relative to other campaigns.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Any other field of the API, its value as JSON; repeatable."),
]
Body = Annotated[
    Path | None,
    typer.Option("--body", metavar="FILE", help="JSON with any fields of the API; options win.", dir_okay=False),
]
