from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mail.attachment import Attachment
from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome
from mail.providers.sendgrid import SendGrid, kind_of, payload
from tests.support.doubles.sendgrid_rules import problems

MESSAGE = Message(
    campaign_id="c1",
    row=12,
    to="jane@example.com",
    sender=Mailbox("News", "news@example.org"),
    reply_to=Mailbox("", "help@example.org"),
    subject="Hello",
    html="<p>Hi</p>",
    text="Hi",
    headers={"X-Campaign": "spring"},
)


def test_the_request_follows_the_official_reference() -> None:
    assert payload(MESSAGE) == {
        "personalizations": [{"to": [{"email": "jane@example.com"}]}],
        "from": {"email": "news@example.org", "name": "News"},
        "reply_to": {"email": "help@example.org"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hi"}, {"type": "text/html", "value": "<p>Hi</p>"}],
        "custom_args": {"campaign_id": "c1", "row": "12"},
        "headers": {"X-Campaign": "spring"},
    }


@pytest.mark.parametrize("tracks", [True, False])
def test_tracking_is_asked_for_only_where_the_campaign_says_so(tracks: bool) -> None:
    assert "tracking_settings" not in payload(MESSAGE)
    asked = payload(replace(MESSAGE, tracks=tracks))["tracking_settings"]
    clicks = {"enable": tracks, "enable_text": tracks}
    assert asked == {"click_tracking": clicks, "open_tracking": {"enable": tracks}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tracks": True},
        {"html": None},
        {"text": None},
        {"reply_to": None, "headers": {}, "sender": Mailbox("", "a@b.test")},
    ],
)
def test_every_kind_of_message_breaks_no_rule(changes: dict[str, Any]) -> None:
    assert problems(payload(replace(MESSAGE, **changes))) == []


KINDS = {
    Kind.THROTTLED: {429},
    Kind.REFUSED: {401, 403, 404, 405, 406, 415, 301, 302, 307, 308},
    Kind.UNAVAILABLE: {408, 500, 502, 503},
    Kind.REJECTED: set(range(400, 500)) - {401, 403, 404, 405, 406, 408, 415, 429},
}


def test_every_status_but_202_has_its_kind() -> None:
    for status in [*range(200, 202), *range(203, 600)]:
        expected = next((kind for kind, statuses in KINDS.items() if status in statuses), Kind.UNKNOWN)
        assert (status, kind_of(status)) == (status, expected)


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

    async def post(self, _body: bytes) -> Canned:
        return self


def outcome(status: int, body: bytes = b"", **headers: str) -> Outcome:
    async def send() -> Outcome:
        provider = SendGrid("SG.secret", "http://127.0.0.1:1", 1.0)
        await provider.close()
        canned = Canned(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
        provider._transport = canned  # type: ignore[assignment]
        return await provider.send(MESSAGE)

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b'{"errors": [{"message": "Bad Request", "field": null, "help": null}]}', "400 Bad Request"),
        (
            400,
            b'{"errors": [{"message": "Invalid", "field": "from"}, {"message": "Empty", "field": "content"}]}',
            "400 from: Invalid; content: Empty",
        ),
        (400, b'{"errors": [{"message": "jane@example.com is invalid"}]}', "400 ***@example.com is invalid"),
        (401, b'{"errors": [{"message": "key SG.secret is wrong"}]}', "401 key *** is wrong"),
        (413, b"<html><body><h1>413 Request Entity Too Large</h1></body></html>", "413 Request Entity Too Large"),
        (500, b"", "500 Internal Server Error"),
        (500, b'{"errors": "no list"}', "500 Internal Server Error"),
        (500, b'{"errors": [{}]}', "500 Internal Server Error"),
        (500, b'{"errors": [{"message": 5}]}', "500 Internal Server Error"),
        (500, b'{"errors": [null]}', "500 Internal Server Error"),
        (500, b"[]", "500 Internal Server Error"),
        (500, b'{"errors": []}', "500 Internal Server Error"),
        (500, b"\xff\xfe", "500 Internal Server Error"),
        (599, b"", "599 from SendGrid"),
    ],
)
def test_the_reason_is_in_the_providers_words(status: int, body: bytes, words: str) -> None:
    assert outcome(status, body).reason == words


def test_only_what_may_be_tried_again_carries_a_wait() -> None:
    waits = {status: outcome(status, retry_after="3").retry_after_ms for status in (400, 401, 429, 503, 504)}
    assert waits == {400: None, 401: None, 429: 3000, 503: 3000, 504: None}


def test_accepted_carries_the_providers_id() -> None:
    assert outcome(202, x_message_id="abc") == Outcome(Kind.ACCEPTED, "", "abc")
    assert outcome(202) == Outcome(Kind.ACCEPTED)


def test_a_message_beyond_the_limit_is_rejected_without_a_request() -> None:
    async def send() -> Outcome:
        provider = SendGrid("SG.secret", "http://127.0.0.1:1", 1.0)
        try:
            return await provider.send(replace(MESSAGE, html="x" * 30_000_000))
        finally:
            await provider.close()

    assert asyncio.run(send()) == Outcome(Kind.REJECTED, "the message is larger than 30,000,000 bytes")


@pytest.mark.parametrize("key", ["SG.secret\r\nX-A: b", "SG.sécret", "SG. secret"])
def test_a_key_that_is_none_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="no key has") as raised:
        SendGrid(key, "http://127.0.0.1:1", 1.0)
    assert "SG." not in str(raised.value)


def test_files_are_attached_as_sendgrid_wants_them() -> None:
    files = [
        Attachment("terms.csv", "text/csv; charset=utf-8", inline=False, data=b"a,b"),
        Attachment("logo.png", "image/png", inline=True, data=b"PNG"),
    ]
    sent = payload(replace(MESSAGE, attachments=files))
    assert problems(sent) == []
    assert sent["attachments"] == [
        {"content": "YSxi", "type": "text/csv", "filename": "terms.csv", "disposition": "attachment"},
        {
            "content": "UE5H", "type": "image/png", "filename": "logo.png", "disposition": "inline",
            "content_id": "logo.png",
        },
    ]  # fmt: skip
    assert "attachments" not in payload(MESSAGE)
