"""Translates the errors of Amazon SES to outcomes.

Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors and
https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from mail.message import Mailbox
from mail.outcome import Kind

#: Errors about the temporary credentials of a request. SES has not accepted the email.
EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException"})

_THROTTLED: Final = frozenset({
    "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequests", "TooManyRequestsException",
})  # fmt: skip
#: The account, its configuration or its credentials: every other email would fail too.
_REFUSED: Final = frozenset({
    "AccessDenied", "AccessDeniedException", "AccountSendingPausedException", "AccountSuspendedException",
    "ConfigurationSetDoesNotExist", "ConfigurationSetDoesNotExistException", "ConfigurationSetSendingPausedException",
    "IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException", "LimitExceededException",
    "MailFromDomainNotVerifiedException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
    "NotAuthorized", "NotFoundException", "OptInRequired", "RequestExpired", "SendingPausedException",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
}) | EXPIRED  # fmt: skip
_REJECTED: Final = frozenset({"BadRequestException", "MessageRejected", "ValidationError", "ValidationException"})

#: "Daily message quota exceeded." comes as the same error as "Maximum sending rate exceeded.", but lasts for hours.
_DAILY_QUOTA: Final = re.compile(r"daily\b.*\bquota", re.IGNORECASE)
_NOT_VERIFIED: Final = re.compile(r"\bnot verified\b", re.IGNORECASE)
_IDENTITIES: Final = re.compile(r"failed the check in region [\w-]+:(.*)", re.IGNORECASE | re.DOTALL)
_PAUSED: Final = re.compile(r"\b(sending|account)\b.*\b(paused|suspended|disabled)\b", re.IGNORECASE)


class SesError(NamedTuple):
    """An error response. `name`: the error's type, "" if the response names none. `message`: its words."""

    status: int
    name: str
    message: str

    def __str__(self) -> str:
        words = ": ".join(part for part in (self.name, self.message) if part)
        return f"{self.status} {words or _phrase(self.status)}"


def error_of(status: int, type_header: str | None, body: bytes) -> SesError:
    """The error in a response.

    Args:
        status: the HTTP status.
        type_header: the value of `x-amzn-ErrorType`.
        body: the body, JSON unless a proxy has answered.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    fields = found if isinstance(found, dict) else {}
    name = type_header or fields.get("__type") or fields.get("code")
    message = fields.get("message") or fields.get("Message")
    return SesError(status, _bare(name), message.strip() if isinstance(message, str) else "")


def _bare(name: object) -> str:
    """The type without its namespace: `com.amazonaws.ses#MessageRejected:http://...` is `MessageRejected`."""
    return name.rpartition("#")[2].partition(":")[0].strip() if isinstance(name, str) else ""


def kind_of(error: SesError, sender: Mailbox) -> Kind:
    """The outcome of an error.

    Args:
        error: the error.
        sender: the email's sender. An unverified sender fails every email, an unverified recipient (in the sandbox of
            SES) only its own.
    """
    if error.name in _THROTTLED:
        return Kind.REFUSED if _DAILY_QUOTA.search(error.message) else Kind.THROTTLED
    if error.name in _REFUSED:
        return Kind.REFUSED
    if error.name in _REJECTED:
        return Kind.REFUSED if _is_about_the_account(error.message, sender) else Kind.REJECTED
    return kind_of_status(error.status)


def _is_about_the_account(message: str, sender: Mailbox) -> bool:
    if _PAUSED.search(message):
        return True
    if not _NOT_VERIFIED.search(message):
        return False
    identities = _IDENTITIES.search(message)
    return identities is None or any(map(_is_of(sender), identities[1].split(",")))


def _is_of(sender: Mailbox) -> Callable[[str], bool]:
    address = sender.address.lower()
    own = {address, address.rpartition("@")[2]}
    return lambda identity: identity.rpartition("<")[2].strip(" \t\r\n>.").lower() in own


def kind_of_status(status: int) -> Kind:
    """The outcome of a status without an error type that is known here.

    - 408: the request did not arrive complete, so the message was not accepted.
    - Redirects, 404, 405, 406 and 415: this is not the address of SES, a fault of the configuration.
    - 504 and every other status: a gateway may have passed the request on, so the outcome is unknown.
    """
    match status:
        case 429:
            return Kind.THROTTLED
        case 401 | 403 | 404 | 405 | 406 | 415 | 301 | 302 | 307 | 308:
            return Kind.REFUSED
        case 408 | 500 | 502 | 503:
            return Kind.UNAVAILABLE
        case _ if 400 <= status < 500:
            return Kind.REJECTED
        case _:
            return Kind.UNKNOWN


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "from Amazon SES"
