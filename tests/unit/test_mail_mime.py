"""Every kind of message is read back with the standard package, which is what mail clients do."""

from __future__ import annotations

from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from email.policy import default
from email.utils import parseaddr
from typing import Any

import pytest

from mail.attachment import Attachment, encoded_bytes
from mail.message import Mailbox, Message
from mail.mime import MAX_LINE, encode


def message(**changes: Any) -> Message:
    fields: dict[str, Any] = {
        "campaign_id": "c1",
        "row": 12,
        "to": "jane@example.com",
        "sender": Mailbox("News", "news@example.org"),
        "reply_to": None,
        "subject": "Hello",
        "html": "<p>Hi</p>",
        "text": "Hi",
    }
    return Message(**(fields | changes))


def read(data: bytes) -> EmailMessage:
    parsed = message_from_bytes(data, policy=default)
    assert isinstance(parsed, EmailMessage)
    for part in parsed.walk():
        assert not part.defects
    return parsed


def content(part: MIMEPart | None) -> str:
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_both_parts_text_first() -> None:
    parsed = read(encode(message(), now_s=1_700_000_000.25))
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    assert content(parsed.get_body(("plain",))) == "Hi"
    assert content(parsed.get_body(("html",))) == "<p>Hi</p>"


def test_a_part_cannot_know_the_boundary() -> None:
    boundaries = {read(encode(message())).get_boundary() for _ in range(20)}
    assert len(boundaries) == 20
    assert min(len(str(boundary)) for boundary in boundaries) >= 32


@pytest.mark.parametrize(("field", "other", "kind"), [("html", "text", "text/html"), ("text", "html", "text/plain")])
def test_one_part_stands_alone(field: str, other: str, kind: str) -> None:
    parsed = read(encode(message(**{field: "Only this", other: None})))
    assert parsed.get_content_type() == kind
    assert content(parsed) == "Only this"


def test_headers() -> None:
    made = message(reply_to=Mailbox("", "help@example.org"), headers={"X-Campaign": "spring"})
    parsed = read(encode(made, now_s=1_700_000_000.25))
    assert parsed.items()[:8] == [
        ("From", "News <news@example.org>"),
        ("To", "jane@example.com"),
        ("Subject", "Hello"),
        ("Date", "Tue, 14 Nov 2023 22:13:20 +0000"),
        ("Message-ID", f"<c1.12.{1_700_000_000_250_000:x}@example.org>"),
        ("MIME-Version", "1.0"),
        ("Reply-To", "help@example.org"),
        ("X-Campaign", "spring"),
    ]


@pytest.mark.parametrize(
    "subject",
    [
        "Zoë, 20 % für Dich",
        "=?utf-8?q?a=0D=0ABcc:_x@example.com?=",
        "long " * 60 + "end",
        "w" * 900,
        "w" * 2000,
        "日本語" * 100,
        "👨\u200d👩\u200d👧 family",
    ],
)
def test_a_subject_reads_back_as_it_is_and_stays_in_its_header(subject: str) -> None:
    data = encode(message(subject=subject))
    parsed = read(data)
    assert parsed["Subject"] == subject
    assert parsed.keys() == ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]
    assert max(map(len, data.split(b"\r\n"))) <= MAX_LINE


@pytest.mark.parametrize("name", ["News, Inc.", 'The "Best" \\ Shop', "Zoë Müller", "日本語" * 60, "=?utf-8?q?x?="])
def test_a_name_reads_back_as_it_is(name: str) -> None:
    data = encode(message(sender=Mailbox(name, "news@example.org")))
    # By the older reader: the newer one of Python 3.11 keeps the blanks between the words of a long encoded name.
    shown, address = parseaddr(message_from_bytes(data)["From"])
    assert (str(make_header(decode_header(shown))), address) == (name, "news@example.org")
    assert max(map(len, data.split(b"\r\n"))) <= MAX_LINE


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\nlines\n", "7bit"),
        ("Zoë\r\nand\rMac", "8bit"),
        ("x" * (MAX_LINE + 1), "base64"),
        ("ä" * MAX_LINE, "base64"),
        ("a\0b", "base64"),
        ("--boundary\n--\nFrom me\n.\n", "7bit"),
    ],
)
def test_text_reads_back_as_it_is_but_for_line_ends(text: str, encoding: str) -> None:
    data = encode(message(text=text))
    part = read(data).get_body(("plain",))
    assert part is not None
    assert part["Content-Transfer-Encoding"] == encoding
    assert content(part) == text.replace("\r\n", "\n").replace("\r", "\n")
    assert max(map(len, data.split(b"\r\n"))) <= MAX_LINE
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_a_local_part_beyond_ascii_is_written_as_utf_8() -> None:
    assert b"To: <zo\xc3\xab@example.com>\r\n" in encode(message(to="zoë@example.com"))


def attached(filename: str, data: bytes = b"x" * 1000, *, inline: bool = False, kind: str = "image/png") -> Attachment:
    return Attachment(filename, kind, inline, data)


def test_attached_files_stand_after_the_text() -> None:
    files = [attached("a b.png"), attached("Prüfung ☂.txt", "ü\n".encode(), kind="text/plain; charset=utf-8")]
    parsed = read(encode(message(attachments=files)))
    assert parsed.get_content_type() == "multipart/mixed"
    assert content(parsed.get_body(("plain",))) == "Hi"
    assert content(parsed.get_body(("html",))) == "<p>Hi</p>"
    found = [(part.get_filename(), part.get_content()) for part in parsed.iter_attachments()]
    assert found == [("a b.png", b"x" * 1000), ("Prüfung ☂.txt", "ü\n")]


@pytest.mark.parametrize("text", ["Hi", None])
def test_an_inline_file_is_related_to_the_html(text: str | None) -> None:
    parsed = read(encode(message(text=text, attachments=[attached("logo.png", inline=True)])))
    assert parsed.get_content_type() == "multipart/related"
    first, image = parsed.iter_parts()
    assert first.get_content_type() == ("multipart/alternative" if text else "text/html")
    assert image["Content-ID"] == "<logo.png>"
    assert image.get_content_disposition() == "inline"


def test_inline_and_attached_files_go_together() -> None:
    files = [attached("logo.png", inline=True), attached("a.pdf", kind="application/pdf")]
    parsed = read(encode(message(attachments=files)))
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/mixed", "multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png",
        "application/pdf",
    ]  # fmt: skip
    assert max(map(len, encode(message(attachments=files)).split(b"\r\n"))) <= MAX_LINE


@pytest.mark.parametrize("size", [1, 2, 3, 56, 57, 58, 1000])
def test_the_size_of_a_file_is_known_before_it_is_encoded(size: int) -> None:
    assert len(attached("a.png", b"x" * size).base64_lines) == encoded_bytes(size)
