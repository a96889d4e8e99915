"""Whatever stands in a list, a message has exactly the headers that it should have."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from typing import Final

import msgspec
from hypothesis import given, reject, strategies as st

from campaigns.models import Content
from mail import mime
from mail.message import Message
from mail.providers.sendgrid import payload
from mail.rendering import RenderError, Templates
from tests.support.doubles.sendgrid_rules import problems

#: What has broken headers before: line ends of all kinds, encoded words, quotes, commas, angle brackets.
NASTY: Final = [
    "\r\nBcc: x@example.com",
    "\nBcc: x@example.com\n\n<p>body</p>",
    "\rBcc: x",
    "\u2028Bcc: x",
    "\x85Bcc: x",
    "\x0b\x0cBcc: x",
    "=?utf-8?q?a=0D=0ABcc:_x@example.com?=",
    "=?utf-8?b?YQ0KQmNjOiB4QGV4YW1wbGUuY29t?=",
    "=?=?utf-8?q??=?=",
    '", "Bcc": "x@example.com',
    "<x@example.com>, y@example.com",
    "\0",
    "%0d%0aBcc: x",
    "\x1b[31m",
    " ",
    "",
]

cells = st.one_of(
    st.text(),
    st.text(st.characters(exclude_categories=())),
    st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=5)), max_size=4).map("".join),
)
subjects = st.sampled_from([
    "{{ a }}",
    "Hello {{ a }}",
    "{{ a }}\r\nBcc: {{ b }}",
    "=?utf-8?q?{{ a }}?=",
    "{{ a }}{{ b }}" * 20,
    "Zoë {{ a }}",
    "{{ a|e }} {{ b|upper }}",
])  # fmt: skip
bodies = st.sampled_from(["{{ a }}", "Dear {{ a }},\n{{ b|safe }}", "--{{ a }}--\r\n\r\n{{ b }}", "Fixed"])
names = st.sampled_from(["", "News ", "Zoë ", '"News, Inc. <x>" '])
addresses = st.sampled_from(["jane@example.com", "o'neil+tag@xn--bcher-kva.example", "zoë@example.com"])


parts = st.sampled_from([(True, True), (True, False), (False, True)])
headers = st.sampled_from([{}, {"X-Campaign": "spring: one", "List-Id": "<news.example.org>"}])

contents = st.builds(
    lambda name, reply_to, subject, html, text, which, headers: Content(
        from_=f"{name}<news@example.org>",
        reply_to=reply_to,
        subject=subject,
        html=html if which[0] else None,
        text=text if which[1] else None,
        headers=headers,
    ),
    names, st.sampled_from([None, "help@example.org"]), subjects, bodies, bodies, parts, headers,
)  # fmt: skip
rows = st.fixed_dictionaries({"email": addresses, "a": cells, "b": cells})


def rendered(content: Content, row: dict[str, str]) -> Message:
    """The message of a row; a row that cannot be rendered shows nothing here."""
    columns = tuple(row)
    templates = Templates(content)
    values = [row[columns[index]] for index in templates.fields(columns)]
    try:
        return templates.renderer("c1", columns).message(7, row["email"], values)
    except RenderError:
        reject()


@given(contents, rows)
def test_the_outbox_message_has_the_expected_headers_and_no_others(content: Content, row: dict[str, str]) -> None:
    message = rendered(content, row)
    data = mime.encode(message)
    expected = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version"]
    expected += ["Reply-To"] if message.reply_to else []
    expected += list(message.headers)
    expected += ["Content-Type"] if message.html and message.text else ["Content-Type", "Content-Transfer-Encoding"]
    older = message_from_bytes(data)
    newer = message_from_bytes(data, policy=default)
    assert older.keys() == newer.keys() == expected
    assert str(make_header(decode_header(older["Subject"]))) == message.subject
    assert newer["Subject"] == message.subject
    name, address = parseaddr(older["From"])
    assert (str(make_header(decode_header(name))), address) == tuple(message.sender)
    assert parseaddr(newer["To"]) == ("", message.to)
    assert {name: newer[name] for name in message.headers} == message.headers
    assert max(map(len, data.split(b"\r\n"))) <= mime.MAX_LINE
    assert b"\n" not in data.replace(b"\r\n", b"")


@given(contents, rows)
def test_the_outbox_message_has_the_expected_parts_and_no_others(content: Content, row: dict[str, str]) -> None:
    message = rendered(content, row)
    parsed = message_from_bytes(mime.encode(message), policy=default)
    assert isinstance(parsed, EmailMessage)
    found = [part for part in parsed.walk() if not part.is_multipart()]
    expected = [("text/plain", message.text), ("text/html", message.html)]
    assert [(part.get_content_type(), lines(part.get_content())) for part in found] == [
        (kind, lines(text)) for kind, text in expected if text
    ]


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(contents, rows)
def test_the_sendgrid_request_has_the_expected_fields_and_no_others(content: Content, row: dict[str, str]) -> None:
    message = rendered(content, row)
    sent = json.loads(msgspec.json.encode(payload(message)))
    assert problems(sent) == []
    assert sent.pop("headers", {}) == message.headers
    assert sent.pop("reply_to", None) == ({"email": "help@example.org"} if message.reply_to else None)
    assert sent.pop("from") == {"email": "news@example.org"} | (
        {"name": message.sender.name} if message.sender.name else {}
    )
    texts = [("text/plain", message.text), ("text/html", message.html)]
    assert sent == {
        "personalizations": [{"to": [{"email": message.to}]}],
        "subject": message.subject,
        "content": [{"type": kind, "value": text} for kind, text in texts if text],
        "custom_args": {"campaign_id": "c1", "row": "7"},
    }
