"""The controls of a campaign: start, pause, resume, cancel, rate, reconcile."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import options
from cli.connection import Connection, Waits
from cli.errors import ApiError, CommandError, ExitCode
from cli.session import path_of, session_of
from cli.wording import number

app = typer.Typer()

#: How long `reconcile` waits for its report, in seconds.
REPORT_S = 60.0
_DECISIONS = ("resend", "failed", "done")


@app.command()
def start(
    context: typer.Context,
    campaign_id: options.Campaign,
    *,
    accept_warnings: options.AcceptWarnings = False,
    as_json: options.Json = False,
) -> None:
    """Start sending; during parsing, as soon as it ends."""
    _control(context, campaign_id, "start", accepted(accept_warnings=accept_warnings), as_json=as_json)


def accepted(*, accept_warnings: bool) -> dict[str, bool] | None:
    """The body of `start`; None: nothing is accepted, so it needs none."""
    return {"accept_warnings": True} if accept_warnings else None


@app.command()
def pause(context: typer.Context, campaign_id: options.Campaign, *, as_json: options.Json = False) -> None:
    """Pause the campaign; it prints how many emails are still on their way."""
    _control(context, campaign_id, "pause", as_json=as_json)


@app.command()
def resume(
    context: typer.Context,
    campaign_id: options.Campaign,
    *,
    accept_brake: options.AcceptBrake = False,
    as_json: options.Json = False,
) -> None:
    """Continue after a pause."""
    body = {"accept_brake": True} if accept_brake else None
    _control(context, campaign_id, "resume", body, as_json=as_json)


@app.command()
def cancel(
    context: typer.Context, campaign_id: options.Campaign, *, yes: options.Yes = False, as_json: options.Json = False
) -> None:
    """End the campaign for good."""
    session_of(context).output.confirm(f"Cancel {campaign_id}? It cannot be started again.", yes=yes)
    _control(context, campaign_id, "cancel", as_json=as_json)


def _control(context: typer.Context, campaign_id: str, verb: str, body: Any = None, *, as_json: bool) -> None:
    session = session_of(context, as_json=as_json)
    found = session.connection().call("POST", path_of(campaign_id, f"/{verb}"), body)
    in_flight = found.get("in_flight")
    on_their_way = f"; {number(in_flight)} emails are still on their way" if in_flight else ""
    session.output.result(found, [f"{campaign_id} is {found['status']}{on_their_way}."])


@app.command()
def rate(
    context: typer.Context,
    campaign_id: options.Campaign,
    tpm: Annotated[int, typer.Argument(metavar="N", min=1, help="Emails per minute.", show_default=False)],
    *,
    as_json: options.Json = False,
) -> None:
    """Set the emails per minute; it holds from the next email on."""
    session = session_of(context, as_json=as_json)
    found = session.connection().call("POST", path_of(campaign_id, "/rate-limit"), {"tpm": tpm})
    session.output.result(found, [f"{campaign_id} sends at most {number(found['rate_limit'])} emails per minute."])


@app.command()
def reconcile(
    context: typer.Context,
    campaign_id: options.Campaign,
    *,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Send the failed rows again.")] = False,
    unknown: Annotated[
        str | None, typer.Option(metavar="|".join(_DECISIONS), help="Decide about rows with an unknown outcome.")
    ] = None,
    yes: options.Yes = False,
    no_wait: options.NoWait = False,
    as_json: options.Json = False,
) -> None:
    """Compare the campaign's records and repair what does not match; print the report."""
    if unknown is not None and unknown not in _DECISIONS:
        raise CommandError(f"--unknown {unknown!r} is no decision: use {', '.join(_DECISIONS)}.", ExitCode.USAGE)
    session = session_of(context, as_json=as_json)
    if unknown == "resend":
        question = "Send the rows with an unknown outcome again? Some of these people may get the email twice."
        session.output.confirm(question, yes=yes)
    connection, path = session.connection(), path_of(campaign_id, "/reconcile")
    before = _report(connection, path)
    wanted = {"retry_failed": retry_failed} | ({"unknown": unknown} if unknown else {})
    queued = connection.call("POST", path, wanted)
    report = None if no_wait else _next_report(connection, path, before)
    if report is None:
        session.output.result(queued, [f"{campaign_id} is being reconciled; the report comes later."])
        return
    session.output.result(report, [f"{name}: {_shown(value)}" for name, value in report.items()])


def _report(connection: Connection, path: str) -> Any:
    """The last report; None: there is none."""
    try:
        return connection.call("GET", path)
    except ApiError as error:
        if error.status != 404:
            raise
        return None


def _next_report(connection: Connection, path: str, before: Any) -> Any:
    """Wait for another report than the one before; None: none has come within `REPORT_S`."""
    waits = Waits(REPORT_S)
    while (wait_s := waits.next()) is not None:
        connection.sleep(wait_s)
        report = _report(connection, path)
        if report is not None and report != before:
            return report
    return None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "nothing"
    return str(value)
