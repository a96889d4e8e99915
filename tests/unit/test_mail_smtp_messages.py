"""What SMTP asks of the message's encoding and of the settings."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from mail import providers
from mail.message import Mailbox, Message
from mail.mime import encode
from settings import load


def message(text: str, html: str | None = None) -> Message:
    return Message("c1", 7, "ann@shop.test", Mailbox("Zoë", "news@example.org"), None, "Zoë", html, text)


@pytest.mark.parametrize(
    ("text", "html"), [("Zoë\n日本語", None), ("Zoë", "<p>plain</p>"), ("plain", "<p>日本語</p>"), ("\x80" * 600, None)]
)
def test_a_message_of_seven_bits_is_ascii_and_reads_the_same(text: str, html: str | None) -> None:
    data = encode(message(text, html), seven_bit=True)
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    for kind, wanted in (("plain", text), ("html", html)):
        part = mail.get_body((kind,))
        assert (part.get_content().replace("\r\n", "\n") if part else None) == wanted


def test_plain_text_stays_readable() -> None:
    assert b"Content-Transfer-Encoding: 7bit\r\n\r\nplain" in encode(message("plain"), seven_bit=True)


def test_a_message_id_of_its_own_names_neither_campaign_nor_row() -> None:
    assert message_from_bytes(encode(message("x"), message_id="f00"))["Message-ID"] == "<f00@example.org>"
    assert message_from_bytes(encode(message("x"), now_s=1))["Message-ID"] == "<c1.7.f4240@example.org>"


def test_the_settings_choose_smtp() -> None:
    settings = load({"SMTP_URL": "smtp://mail.example.com", "EMAIL_PROVIDER": "smtp"})
    found = providers.build(settings.accounts["default"], settings)
    assert isinstance(found, providers.Smtp)
