"""Amazon SES: its requests, and what each of its answers means."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome
from mail.providers.ses import Ses, payload
from mail.providers.ses_errors import SesError, error_of, kind_of
from settings import SesAccount
from tests.support.doubles.ses import problems

SENDER = Mailbox("News", "news@example.org")
MESSAGE = Message(
    campaign_id="c_1-x",
    row=12,
    to="jane@example.com",
    sender=SENDER,
    reply_to=Mailbox("", "help@example.org"),
    subject="Grüße",
    html="<p>Grüße</p>",
    text="Grüße",
    headers={"List-Unsubscribe": "<https://x.test/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
)
ACCOUNT = SesAccount("eu-west-1", "http://127.0.0.1:1", "news", "AKIDSECRETID", "secret/key")


def request(message: Message = MESSAGE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(msgspec.json.encode(payload(message, "news")))
    return found


def test_the_request_carries_the_whole_message_its_row_and_the_configuration_set() -> None:
    found = request()
    raw = base64.b64decode(found.pop("Content")["Raw"]["Data"])
    assert found == {
        "Destination": {"ToAddresses": ["jane@example.com"]},
        "EmailTags": [{"Name": "campaign_id", "Value": "c_1-x"}, {"Name": "row", "Value": "12"}],
        "ConfigurationSetName": "news",
    }
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert (parsed["To"], parsed["Subject"], parsed["From"]) == ("jane@example.com", "Grüße", "News <news@example.org>")
    assert raw.count(b"\r\nList-Unsubscribe: <https://x.test/u/1>\r\n") == 1
    assert raw.count(b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n") == 1
    parts = {part.get_content_type(): part.get_content() for part in parsed.iter_parts()}
    assert parts == {"text/plain": "Grüße", "text/html": "<p>Grüße</p>"}


def test_without_a_configuration_set_none_is_named() -> None:
    assert "ConfigurationSetName" not in payload(MESSAGE, None)


@pytest.mark.parametrize(
    "changes", [{}, {"html": None}, {"text": None}, {"text": "x" * 5000}, {"campaign_id": "Z" * 64}]
)
def test_every_kind_of_message_breaks_no_rule(changes: dict[str, Any]) -> None:
    assert problems(request(replace(MESSAGE, **changes))) == []


CHECK = "Email address is not verified. The following identities failed the check in region EU-WEST-1: "
ERRORS = [
    (429, "TooManyRequestsException", "Maximum sending rate exceeded.", Kind.THROTTLED),
    (429, "TooManyRequestsException", "Too many requests", Kind.THROTTLED),
    (400, "Throttling", "Maximum sending rate exceeded.", Kind.THROTTLED),
    (400, "ThrottlingException", "Rate exceeded", Kind.THROTTLED),
    (429, "TooManyRequestsException", "Daily message quota exceeded.", Kind.REFUSED),
    (400, "Throttling", "Daily sending quota exceeded.", Kind.REFUSED),
    (400, "LimitExceededException", "too many", Kind.REFUSED),
    (400, "AccountSuspendedException", "", Kind.REFUSED),
    (400, "SendingPausedException", "", Kind.REFUSED),
    (400, "MailFromDomainNotVerifiedException", "", Kind.REFUSED),
    (404, "NotFoundException", "Configuration set <news> does not exist.", Kind.REFUSED),
    (
        403,
        "AccessDeniedException",
        "User: arn:aws:iam::1:user/x is not authorized to perform: ses:SendEmail",
        Kind.REFUSED,
    ),
    (403, "ExpiredTokenException", "The security token included in the request is expired", Kind.REFUSED),
    (403, "UnrecognizedClientException", "The security token included in the request is invalid.", Kind.REFUSED),
    (403, "InvalidSignatureException", "Signature expired: 20261127T000000Z is now earlier than ...", Kind.REFUSED),
    (400, "MessageRejected", "Bad content", Kind.REJECTED),
    (400, "MessageRejected", f"{CHECK}jane@example.com", Kind.REJECTED),
    (400, "MessageRejected", f"{CHECK}jane@sub.example.org", Kind.REJECTED),
    (400, "MessageRejected", f"{CHECK}news@example.org, jane@example.com", Kind.REFUSED),
    (400, "MessageRejected", f"{CHECK}News <NEWS@example.org>", Kind.REFUSED),
    (400, "MessageRejected", f"{CHECK}example.org", Kind.REFUSED),
    (400, "MessageRejected", "Email address is not verified.", Kind.REFUSED),
    (400, "MessageRejected", "Sending suspended for this account. For more information, ...", Kind.REFUSED),
    (400, "BadRequestException", "Domain contains dot-string.", Kind.REJECTED),
    (413, "", "", Kind.REJECTED),
    (500, "InternalServerError", "", Kind.UNAVAILABLE),
    (503, "ServiceUnavailable", "", Kind.UNAVAILABLE),
    (408, "RequestTimeout", "", Kind.UNAVAILABLE),
    (502, "", "", Kind.UNAVAILABLE),
    (504, "", "", Kind.UNKNOWN),
    (201, "", "", Kind.UNKNOWN),
    (302, "", "", Kind.REFUSED),
    (404, "", "", Kind.REFUSED),
    (400, "InventedException", "", Kind.REJECTED),
]


@pytest.mark.parametrize(("status", "name", "message", "kind"), ERRORS)
def test_each_error_has_its_outcome(status: int, name: str, message: str, kind: Kind) -> None:
    assert kind_of(SesError(status, name, message), SENDER) is kind


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        ("MessageRejected:http://internal.amazon.com/coral/x/", b'{"message": "Bad"}', ("MessageRejected", "Bad")),
        (
            None,
            b'{"__type": "com.amazonaws.ses.v2#BadRequestException", "Message": " x "}',
            ("BadRequestException", "x"),
        ),
        (None, b'{"code": "Throttling"}', ("Throttling", "")),
        (None, b"<html>", ("", "")),
        (None, b"\xff", ("", "")),
        (None, b"[]", ("", "")),
        (None, b'{"message": 5, "__type": {}}', ("", "")),
        (None, b"[" * 100_000, ("", "")),
    ],
)
def test_type_and_message_are_read_from_header_or_body(
    header: str | None, body: bytes, expected: tuple[str, str]
) -> None:
    assert error_of(400, header, body) == SesError(400, *expected)


class Canned:
    """An answer, and the transport that gives it."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.status = status
        self._body = body
        self._headers = headers

    def header(self, name: str) -> str | None:
        return self._headers.get(name)

    async def body(self) -> bytes:
        return self._body

    async def post(self, _body: bytes, _headers: dict[str, str]) -> Canned:
        return self


def outcome(status: int, body: bytes = b"", **headers: str) -> Outcome:
    async def send() -> Outcome:
        provider = Ses(ACCOUNT, 1.0)
        await provider.close()
        canned = Canned(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
        provider._transport = canned  # type: ignore[assignment]
        return await provider.send(MESSAGE)

    return asyncio.run(send())


def test_accepted_carries_the_id_that_ses_gave() -> None:
    assert outcome(200, b'{"MessageId": "0102-1"}') == Outcome(Kind.ACCEPTED, "", "0102-1")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"MessageId": ""}', b'{"MessageId": 1}', b"\xff"])
def test_any_other_200_is_unknown(body: bytes) -> None:
    assert outcome(200, body).kind is Kind.UNKNOWN


def test_the_reason_names_the_error_and_no_address() -> None:
    found = outcome(400, b'{"message": "Bad: jane@example.com"}', x_amzn_errortype="MessageRejected:")
    assert found == Outcome(Kind.REJECTED, "400 MessageRejected: Bad: ***@example.com")
    assert outcome(502, b"<html>").reason == "502 Bad Gateway"
    assert outcome(599).reason == "599 from Amazon SES"


def test_no_reason_shows_the_credentials() -> None:
    words = b'{"message": "AKIDSECRETID secret/key is wrong\\nThe canonical string was AKIDSECRETID"}'
    found = outcome(403, words, x_amzn_errortype="SignatureDoesNotMatch")
    assert found == Outcome(Kind.REFUSED, "403 SignatureDoesNotMatch: *** *** is wrong")


def test_only_what_may_be_tried_again_carries_a_wait() -> None:
    waits = {status: outcome(status, retry_after="3").retry_after_ms for status in (400, 403, 429, 503, 504)}
    assert waits == {400: None, 403: None, 429: 3000, 503: 3000, 504: None}


def test_a_message_beyond_the_limit_is_rejected_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mail.providers.ses.MAX_REQUEST_BYTES", 1000)
    assert outcome(200, b'{"MessageId": "x"}').kind is Kind.REJECTED
