"""What a command works with: the connection to the server, and the output."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

import typer

from cli.connection import Connection
from cli.output import Output
from cli.profile import Profile


@dataclass
class Session:
    """One run of the program. The application sets `profile` and `patience_s` before any command runs."""

    profile: Profile = field(default_factory=lambda: Profile(""))
    patience_s: float = 0.0
    output: Output = field(default_factory=Output)

    def connection(self) -> Connection:
        """A connection to the server."""
        return Connection(self.profile, self.patience_s, self.output.note)


def session_of(context: typer.Context, *, as_json: bool = False) -> Session:
    """The session of this run. `as_json`: the command has `--json`."""
    session = context.find_object(Session)
    if session is None:
        raise AssertionError("cli.application makes the session")
    session.output.as_json = as_json
    return session


def path_of(campaign_id: str, rest: str = "") -> str:
    """The path of a campaign, or of something of it: `/campaigns/c1/start`."""
    return f"/campaigns/{quote(campaign_id, safe='')}{rest}"
