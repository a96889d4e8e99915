"""The SMTP provider against a real server, Debian's Postfix, which passes the emails on to the double."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from mail import mime
from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome
from mail.providers import Smtp
from settings import load
from tests.support.doubles import postfix
from tests.support.doubles.certificate import Certificate
from tests.support.doubles.smtp import SmtpDouble
from tests.support.waiting import PATIENCE_S, until

TEXTS = [
    "plain",
    ".\n..\n.\r\n.dot\n",
    "Zoë\r日本語\n",
    "x" * 998 + "\n.",
    "y" * 5_000,
    "a\0b",
    "line\n" * 50_000,
    "tail  \n\n\n",
]


def test_what_postfix_passes_on_is_what_was_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given Postfix with TLS and one refused recipient; when all kinds of messages are sent over two connections;
    then each one arrives behind it as it was, below Postfix's own header.
    """
    if not postfix.is_available() and "CI" not in os.environ:
        pytest.skip("needs root and Debian's package postfix, which .ci/run installs")
    certificate = Certificate.make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    encoded: dict[str, bytes] = {}
    real = mime.encode

    def encode(message: Message, **options: Any) -> bytes:
        return encoded.setdefault(message.to, real(message, **options))

    with SmtpDouble().in_thread() as behind, postfix.postfix(behind.port, certificate.chain) as port:
        with patch.object(mime, "encode", encode):
            outcomes = asyncio.run(_sent(postfix.url(port)))
        kinds = {to: outcome.kind for to, outcome in outcomes.items()}
        refused = outcomes.pop(postfix.NOBODY)
        until(lambda: len(behind.arrivals) >= len(outcomes), "all emails behind Postfix")

    assert {kind for to, kind in kinds.items() if to != postfix.NOBODY} == {Kind.ACCEPTED}, outcomes
    assert refused.kind is Kind.REJECTED
    assert "no such user" in refused.reason
    assert sorted(arrival.recipient for arrival in behind.arrivals) == sorted(outcomes)
    for arrival in behind.arrivals:
        head, separator, rest = arrival.data.partition(b"From: ")
        assert head.startswith(b"Received: ")
        assert b" with ESMTPS id " in head
        wanted = encoded[arrival.recipient]
        assert separator + rest == (wanted if wanted.endswith(b"\r\n") else wanted + b"\r\n")


async def _sent(url: str) -> dict[str, Outcome]:
    """Each text to four recipients, and a refused recipient among them, all at once over two connections."""
    server = load({"SMTP_URL": url}).accounts["default"].smtp
    assert server
    smtp = Smtp(server, PATIENCE_S, 2, 10)
    box = Mailbox("Zoë", "news@example.org")
    recipients = [(f"ann.{number}@shop.test", text) for number, text in enumerate(TEXTS * 4)]
    recipients.insert(5, (postfix.NOBODY, "plain"))
    messages = [Message("c1", row, to, box, None, "Zoë", None, text) for row, (to, text) in enumerate(recipients)]
    outcomes = await asyncio.gather(*map(smtp.send, messages))
    await smtp.close()
    return {message.to: outcome for message, outcome in zip(messages, outcomes, strict=True)}
