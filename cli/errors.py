"""How a command can fail, and the exit code of each way."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any, Final


class ExitCode(IntEnum):
    """The exit codes of every command. `docs/command-line.md` lists them for users."""

    #: The request was refused, a check failed, or a watched campaign did not reach all of its recipients.
    FAILED = 1
    #: The command line is wrong.
    USAGE = 2
    #: The server does not have what the command names.
    NOT_THERE = 3
    #: The campaign's state does not allow this step.
    REFUSED_BY_STATE = 4
    #: The server, or Redis or the object store behind it, cannot be reached.
    UNREACHABLE = 5
    #: Ctrl-C; 128 + SIGINT, as shells report it.
    INTERRUPTED = 130


#: HTTP statuses that say that a server is not available at the moment.
UNAVAILABLE: Final = frozenset({
    HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
})  # fmt: skip
_CODES: Final[dict[int, ExitCode]] = {
    **dict.fromkeys(UNAVAILABLE, ExitCode.UNREACHABLE),
    HTTPStatus.NOT_FOUND: ExitCode.NOT_THERE,
    HTTPStatus.CONFLICT: ExitCode.REFUSED_BY_STATE,
    HTTPStatus.PRECONDITION_FAILED: ExitCode.REFUSED_BY_STATE,
}


class CommandError(Exception):
    """A command failed.

    Args:
        detail: one line that says what is wrong and what to do.
        code: the exit code.
    """

    def __init__(self, detail: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code

    def problem(self) -> dict[str, Any]:
        """The error as a JSON object, for `--json`."""
        return {"detail": self.detail, "exit_code": int(self.code)}


class Unreachable(CommandError):
    """No server responded, or the connection broke."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, ExitCode.UNREACHABLE)


class ApiError(CommandError):
    """The API returned a problem (RFC 9457).

    Args:
        status: the HTTP status.
        detail: the problem's detail.
        members: all members of the problem object.
        retry_after_s: how long the server asks the client to wait; None: it does not say.
    """

    def __init__(
        self, status: int, detail: str, members: Mapping[str, Any], retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail, _CODES.get(status, ExitCode.FAILED))
        self.status = status
        self.members = members
        self.retry_after_s = retry_after_s

    def problem(self) -> dict[str, Any]:
        """The API's problem object with the exit code."""
        return {**self.members, "status": self.status} | super().problem()
