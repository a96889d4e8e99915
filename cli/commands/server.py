"""The server and the program itself: doctor, completion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import typer
from typer._completion_shared import get_completion_script  # pinned by tests/unit/test_cli_application.py

from cli import options
from cli.connection import Connection
from cli.errors import CommandError, ExitCode
from cli.session import session_of

app = typer.Typer()

#: How far this machine's clock may be from the server's, in seconds.
CLOCK_S: Final = 60.0


class Shell(StrEnum):
    """The shells that have completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class Check(NamedTuple):
    """The result of one check. `detail`: what was found, and what to do if it is not ok."""

    name: str
    ok: bool
    detail: str


@app.command()
def doctor(context: typer.Context, *, as_json: options.Json = False) -> None:
    """Check that the server can be reached and used, and say how to mend what is wrong."""
    session = session_of(context, as_json=as_json)
    checks = list(examine(session.connection()))
    lines = [f"{'ok    ' if check.ok else 'FAILED'}  {check.name}: {check.detail}" for check in checks]
    session.output.result({"checks": [check._asdict() for check in checks]}, lines)
    failed = [check.name for check in checks if not check.ok]
    if failed:
        unreachable = failed[0] == "server"
        raise CommandError(f"Failed: {', '.join(failed)}.", ExitCode.UNREACHABLE if unreachable else ExitCode.FAILED)


def examine(connection: Connection) -> Iterator[Check]:
    """The checks, one after the other; nothing more is checked if the server cannot be reached."""
    alive = _check("server", lambda: _clock(connection), connection.profile.url)
    yield alive
    if not alive.ok:
        return
    yield _check("Redis and object store", lambda: _call(connection, "/readyz"), "reachable")
    yield _check("access", lambda: _call(connection, "/campaigns?limit=1"), "this client may use the API")


def _check(name: str, step: Callable[[], Any], good: str) -> Check:
    try:
        step()
    except CommandError as error:
        return Check(name, False, error.detail)
    return Check(name, True, good)


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
