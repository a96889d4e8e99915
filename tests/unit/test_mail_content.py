from __future__ import annotations

from typing import Any

import pytest

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.addresses import mailbox
from mail.content import MAX_HEADERS, MAX_SUBJECT, MAX_TEMPLATES_BYTES, check
from mail.header_templates import MAX_HEADER
from mail.message import Mailbox


def content(**changes: Any) -> Content:
    return Content(**({"from_": "News <news@example.com>", "subject": "Hello", "text": "Text"} | changes))


def refusal(**changes: Any) -> str:
    with pytest.raises(InvalidCampaign) as raised:
        check(content(**changes))
    return raised.value.detail


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("news@example.com", Mailbox("", "news@example.com")),
        ("News <news@example.com>", Mailbox("News", "news@example.com")),
        ('"News, Inc." <news@example.com>', Mailbox("News, Inc.", "news@example.com")),
        ("Zoë Müller <zoe@example.com>", Mailbox("Zoë Müller", "zoe@example.com")),
        ("St. Mary's (shop): <news@example.com>", Mailbox("St. Mary's (shop):", "news@example.com")),
        (r'"The \"Best\" \\ <Shop>" <news@example.com>', Mailbox('The "Best" \\ <Shop>', "news@example.com")),
        (" <news@example.com> ", Mailbox("", "news@example.com")),
        ("news@example.com <news@example.com>", Mailbox("", "news@example.com")),
        ("News@Example.com <news@example.com>", Mailbox("", "news@example.com")),
        ('"ask@example.com" <news@example.com>', Mailbox("ask@example.com", "news@example.com")),
        ("shop@bücher.example", Mailbox("", "shop@xn--bcher-kva.example")),
        ("dev@shop.test", Mailbox("", "dev@shop.test")),
        ("dev@printer.local", Mailbox("", "dev@printer.local")),
    ],
)
def test_mailboxes_as_people_write_them(written: str, expected: Mailbox) -> None:
    assert mailbox("from", written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "",
        "News",
        "news@",
        "a@example.com, b@example.com",
        "News <a@example.com> <b@example.com>",
        "News <news@example.com>\r\nBcc: x@example.com",
        "Ne\x00ws <news@example.com>",
        "Ne\ud800ws <news@example.com>",
        "=?utf-8?q?a=0D=0ABcc:x?= <news@example.com>",
        "a@example.com, News <b@example.com>",
        '"News <news@example.com>',
        "zoë@example.com",
        "ceo@bank.example <news@example.com>",
        "{{ name }} <news@example.com>",
        "{% if a %}News{% endif %} <news@example.com>",
        "N" * 201 + " <news@example.com>",
        " " * 1_000_000 + "x",
    ],
)
@pytest.mark.parametrize("field", ["from_", "reply_to"])
def test_other_mailboxes_are_refused_by_field(field: str, written: str) -> None:
    assert refusal(**{field: written}).startswith(field.rstrip("_") + ":")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"html": "<p>Hi</p>", "text": None},
        {"reply_to": "help@example.com"},
        {"tpm": 1},
        {"tpm": 10_000_000},
        {"headers": {"X-Campaign": "spring", "List-Id": "<news.example.com>"}},
        {"subject": "x" * MAX_SUBJECT},
    ],
)
def test_good_content_passes(changes: dict[str, Any]) -> None:
    check(content(**changes))


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"tpm": 0}, "tpm: expected 1 to 10,000,000"),
        ({"tpm": 10_000_001}, "tpm: expected 1 to 10,000,000"),
        ({"subject": " \n"}, "subject: it is empty"),
        ({"subject": "x" * (MAX_SUBJECT + 1)}, "subject: longer than"),
        ({"text": None}, "html, text: give at least one"),
        ({"text": "", "html": ""}, "html, text: give at least one"),
        ({"text": "ä" * (MAX_TEMPLATES_BYTES // 2), "html": "x"}, "html, text: together larger"),
        ({"html": "a\n{{ b"}, "html, line 2:"),
        ({"headers": {f"X-{n}": "1" for n in range(MAX_HEADERS + 1)}}, "headers: more than"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers: a name occurs twice"),
    ],
)
def test_other_content_is_refused_by_field(changes: dict[str, Any], detail: str) -> None:
    assert refusal(**changes).startswith(detail)


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X\r\nBcc", "Ä", "X-" + "a" * 80, "X(a)"])
def test_a_header_name_is_a_token(name: str) -> None:
    assert "is not a header name" in refusal(headers={name: "1"})


@pytest.mark.parametrize(
    "value", ["", "a\r\nBcc: x@example.com", "a\nb", "a\tb", "a\x00", "ä", " a", "a ", "x" * (MAX_HEADER + 1)]
)
def test_a_header_value_is_printable_ascii_on_one_line(value: str) -> None:
    assert "printable ASCII" in refusal(headers={"X-A": value})


@pytest.mark.parametrize(
    "name",
    [
        "From", "TO", "cc", "Bcc", "Subject", "reply-to", "Date", "Message-ID", "Content-Type", "content-disposition",
        "MIME-Version", "DKIM-Signature", "Received", "Return-Path", "X-SG-ID", "x-sg-eid", "Sender",
    ],
)  # fmt: skip
def test_headers_of_the_message_or_its_provider_are_refused(name: str) -> None:
    assert f"the provider sets {name}" in refusal(headers={name: "1"})
