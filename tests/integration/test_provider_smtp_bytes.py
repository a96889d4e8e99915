"""What arrives through SMTP is `mail.mime`'s message, byte for byte, whatever its lines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, strategies as st

from mail import mime
from mail.message import Mailbox, Message
from mail.outcome import Kind
from mail.providers import Smtp
from settings import load
from tests.support.doubles.smtp import SmtpDouble
from tests.support.waiting import PATIENCE_S

#: Pieces of which dangerous texts are made: dots at the start of lines, ends of lines of each kind, long lines, and the
#: end of a message as some servers misread it (SMTP smuggling).
PIECES = st.one_of(
    st.sampled_from(
        [".", "..", "\n", "\r", "\r\n", ".\n", "\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r\n", "\r\n.", "\0", "QUIT"]
    ),
    st.text(max_size=20),
    st.integers(990, 1010).map("x".__mul__),
)
TEXTS = st.lists(PIECES, min_size=1, max_size=12).map("".join)


class Line:
    """A provider and the server that it sends to, on one event loop for all examples."""

    def __init__(self, double: SmtpDouble, runner: asyncio.Runner) -> None:
        server = load({"SMTP_URL": double.url}).accounts["default"].smtp
        assert server
        self.double = double
        self._runner = runner
        self._smtp = Smtp(server, PATIENCE_S, 1, 100)

    def send(self, message: Message) -> tuple[bytes, bytes]:
        """What was encoded, and what arrived."""
        encoded: list[bytes] = []
        real = mime.encode

        def encode(*arguments: Any, **options: Any) -> bytes:
            encoded.append(real(*arguments, **options))
            return encoded[-1]

        with patch.object(mime, "encode", encode):
            assert self._runner.run(self._smtp.send(message)).kind is Kind.ACCEPTED
        return encoded[-1], self.double.arrivals[-1].data

    def close(self) -> None:
        self._runner.run(self._smtp.close())


@pytest.fixture(scope="module", params=[["8BITMIME", "SIZE 0"], ["X"]], ids=["8 bits", "7 bits"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    with SmtpDouble(extensions=request.param).in_thread() as double, asyncio.Runner() as runner:
        line = Line(double, runner)
        yield line
        line.close()


@given(text=TEXTS, html=st.none() | TEXTS)
def test_the_bytes_that_arrive_are_those_that_were_encoded(line: Line, text: str, html: str | None) -> None:
    box = Mailbox("Zoë . News", "news@example.org")
    encoded, arrived = line.send(Message("c1", 1, "ann@shop.test", box, None, "Zoë", html, text))
    assert arrived == encoded if encoded.endswith(b"\r\n") else arrived == encoded + b"\r\n"
    assert line.double.violations == []


def test_a_message_of_megabytes_arrives_whole(line: Line) -> None:
    text = ".a line\r\n" * 200_000
    box = Mailbox("", "news@example.org")
    encoded, arrived = line.send(Message("c1", 1, "ann@shop.test", box, None, "large", None, text))
    assert arrived == encoded
