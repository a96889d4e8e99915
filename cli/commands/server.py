"""The server and the program itself: doctor, completion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer._completion_shared import get_completion_script  # pinned by tests/unit/test_cli_application.py

from cli import options
from cli.connection import Connection
from cli.errors import UNAVAILABLE, ApiError, CommandError, ExitCode
from cli.session import session_of

app = typer.Typer()

#: How far this machine's clock may be from the server's, in seconds.
CLOCK_S: Final = 60.0
#: The name of the check without which there are no others, and the verdict of a check that failed.
SERVER: Final = "Server"
FAILED: Final = "failed"


class Shell(StrEnum):
    """The shells that have completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class Check(NamedTuple):
    """The result of one check. `verdict`: ok, unknown, warning or failed. `mend`: what to do."""

    name: str
    verdict: str
    found: str
    mend: str = ""


@app.command()
def doctor(
    context: typer.Context,
    *,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="The From to check; else the newest campaign's.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Check the connection and the whole installation, and say how to mend what is wrong. Sends no email."""
    session = session_of(context, as_json=as_json)
    checks = list(examine(session.connection(), sender))
    session.output.result(
        {"checks": [check._asdict() for check in checks]}, [line for one in checks for line in _lines(one)]
    )
    failed = [check.name for check in checks if check.verdict == FAILED]
    if failed:
        unreachable = failed[0] == SERVER
        raise CommandError(f"Failed: {', '.join(failed)}.", ExitCode.UNREACHABLE if unreachable else ExitCode.FAILED)


def _lines(check: Check) -> list[str]:
    line = f"{check.verdict:7}  {check.name}: {check.found}"
    return [line, f"         {check.mend}"] if check.mend else [line]


def examine(connection: Connection, sender: str | None = None) -> Iterator[Check]:
    """The checks: those of this machine, then those of the server, if it can be reached and lets this client in."""
    server = _check(SERVER, lambda: _clock(connection), connection.profile.url)
    yield server
    if server.verdict == FAILED:
        return
    access = _check("Access", lambda: _call(connection, "/accounts"), "this client may use the API")
    if access.verdict == FAILED:
        yield access
        yield _check("Redis and object store", lambda: _call(connection, "/readyz"), "reachable")
        return
    yield access
    try:
        wanted = {"from": sender} if sender else None
        found = connection.call("POST", "/doctor", wanted, patience_s=0)
    except CommandError as error:
        yield Check("Installation", FAILED, error.detail)
        return
    for finding in found["findings"]:
        yield Check(finding["name"], finding["verdict"], finding["found"], finding["mend"])


def _check(name: str, step: Callable[[], Any], good: str) -> Check:
    try:
        step()
    except ApiError as error:
        if name == "Access" and error.status in UNAVAILABLE:  # the server lets this client in; the rest comes later
            return Check(name, "unknown", error.detail)
        return Check(name, FAILED, error.detail)
    except CommandError as error:
        return Check(name, FAILED, error.detail)
    return Check(name, "ok", good)


def _call(connection: Connection, path: str) -> None:
    connection.call("GET", path, patience_s=0)


def _clock(connection: Connection) -> None:
    with connection.open("/healthz", patience_s=0) as response:
        stamp = response.headers.get("Date")
    if stamp is None:
        return
    off_s = abs((datetime.now(UTC) - parsedate_to_datetime(stamp)).total_seconds())
    if off_s > CLOCK_S:
        raise CommandError(f"the clocks differ by {off_s:.0f} s: set this machine's or the server's clock.")


@app.command()
def completion(shell: Shell) -> None:
    """Print the completion script of a shell: `postrider completion bash >> ~/.bashrc`."""
    print(get_completion_script(prog_name="postrider", complete_var="_POSTRIDER_COMPLETE", shell=shell))
