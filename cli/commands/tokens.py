"""`token`: which API token is used, where it is stored, and a new one for a server."""

from __future__ import annotations

import os
import secrets
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli import options, profile
from cli.connection import Connection
from cli.errors import CommandError, ExitCode
from cli.session import Session, session_of

app = typer.Typer()

#: The bytes of randomness of a new token.
TOKEN_BYTES = 32
#: The characters of a token that are shown, at its end.
SHOWN = 4


class Action(StrEnum):
    """What to do."""

    SHOW = "show"
    SET = "set"
    FORGET = "forget"
    NEW = "new"


@app.command()
def token(
    context: typer.Context,
    action: Annotated[Action, typer.Argument(help="show, set (reads it from stdin), forget, or new.")] = Action.SHOW,
    *,
    as_json: options.Json = False,
) -> None:
    """Show which token is used; store one in the file, after the server has accepted it; or make one for a server."""
    session = session_of(context, as_json=as_json)
    if action is Action.NEW:
        made = secrets.token_urlsafe(TOKEN_BYTES)
        session.output.result({"token": made}, [made])
    elif action is Action.SET:
        _store(session, _read())
    elif action is Action.FORGET:
        file = profile.config_file(os.environ)
        forgotten = profile.store(file, session.profile.url, None)
        said = f"{file} holds no token any more." if forgotten else f"{file} holds no token."
        session.output.result({"file": str(file), "forgotten": forgotten}, [said])
    else:
        _show(session)


def _show(session: Session) -> None:
    """Say which token is used, and whether the server accepts it."""
    known = session.profile.token
    accepted = _accepted(session, known)
    facts = {"url": session.profile.url, "token": known is not None, "source": session.profile.source, **accepted}
    shown = f"...{known[-SHOWN:]} from {session.profile.source}" if known else "none"
    verdict = "the server accepts it" if accepted["accepted"] else accepted["detail"]
    session.output.result(facts, [f"{session.profile.url}: token {shown}; {verdict}"])
    if not accepted["accepted"]:
        raise CommandError("The server does not accept this client.")


def _accepted(session: Session, known: str | None) -> dict[str, Any]:
    try:
        tried = profile.Profile(session.profile.url, known)
        Connection(tried, 0, session.output.note).call("GET", "/campaigns?limit=1")
    except CommandError as error:
        if error.code is ExitCode.UNREACHABLE:
            raise
        return {"accepted": False, "detail": error.detail}
    return {"accepted": True, "detail": ""}


def _read() -> str:
    """A token from stdin; at a terminal without showing it."""
    if sys.stdin.isatty():
        return str(typer.prompt("Token", hide_input=True)).strip()
    return sys.stdin.readline().strip()


def _store(session: Session, found: str) -> None:
    checked = profile.checked_token(found)
    accepted = _accepted(session, checked)
    if not accepted["accepted"]:
        raise CommandError(f"{session.profile.url} does not accept this token; nothing was stored.")
    file = profile.config_file(os.environ)
    profile.store(file, session.profile.url, checked)
    session.output.result({"url": session.profile.url, "file": str(file)}, [f"The token is stored in {file}."])
