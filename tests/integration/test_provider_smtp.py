"""The SMTP provider against a server that follows a script: each class of replies, connections, TLS, authentication."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import uvloop

from embedded import ports
from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome
from mail.providers import Smtp
from settings import load
from tests.support.doubles.certificate import Certificate
from tests.support.doubles.smtp import DROP, HANG, Session as Conversation, SmtpDouble
from tests.support.waiting import PATIENCE_S

PASSWORD = "hunter2:correct/horse"


def message(row: int = 1, **changes: Any) -> Message:
    fields: dict[str, Any] = {
        "campaign_id": "c1",
        "row": row,
        "to": f"ann.{row}@shop.test",
        "sender": Mailbox("News", "news@example.org"),
        "reply_to": None,
        "subject": "Hello",
        "html": None,
        "text": "Hi",
    }
    return Message(**(fields | changes))


def provider(url: str, *, timeout_s: float = PATIENCE_S, connections: int = 4, per_connection: int = 100) -> Smtp:
    server = load({"SMTP_URL": url}).accounts["default"].smtp
    assert server
    return Smtp(server, timeout_s, connections, per_connection)


def run(double: SmtpDouble, work: Callable[[Smtp], Awaitable[Any]], url: str = "", **options: Any) -> Any:
    """Do the work with a provider that sends to the double, on the event loop that workers use."""

    async def ran() -> Any:
        async with double:
            smtp = provider(url.format(port=double.port) or double.url, **options)
            try:
                return await work(smtp)
            finally:
                await smtp.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(ran())
    assert double.violations == []
    return found


def sent(double: SmtpDouble, url: str = "", **options: Any) -> Outcome:
    """The outcome of one message."""
    found: Outcome = run(double, lambda smtp: smtp.send(message()), url, **options)
    return found


def sent_in_turn(double: SmtpDouble, messages: list[Message], **options: Any) -> list[Outcome]:
    async def work(smtp: Smtp) -> list[Outcome]:
        return [await smtp.send(each) for each in messages]

    found: list[Outcome] = run(double, work, **options)
    return found


def at(wanted: str, reply: str) -> Callable[[str, Conversation], str | None]:
    """A script: this reply at this stage."""
    return lambda stage, _: reply if stage == wanted else None


def test_an_accepted_message_arrives_with_envelope_date_and_an_id_that_tells_nothing() -> None:
    double = SmtpDouble()
    outcome = sent(double)
    assert outcome.kind is Kind.ACCEPTED
    [arrival] = double.arrivals
    assert (arrival.sender, arrival.recipient) == ("news@example.org", "ann.1@shop.test")
    mail = message_from_bytes(arrival.data)
    assert mail.get_all("Message-ID") == [f"<{outcome.provider_message_id}@example.org>"]
    assert len(mail.get_all("Date") or ()) == 1
    assert not [name for name in mail if name.lower().startswith("x-")]
    assert double.sessions[0].commands == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


@pytest.mark.parametrize(
    ("stage", "reply", "kind"),
    [
        ("GREETING", "421 4.3.2 shutting down", Kind.UNAVAILABLE),
        ("GREETING", "554 5.7.1 you are blocked", Kind.REFUSED),
        ("EHLO", "421 4.7.0 too many connections", Kind.THROTTLED),
        ("MAIL", "451 4.3.0 try later", Kind.UNAVAILABLE),
        ("MAIL", "550 5.7.1 not your sender", Kind.REFUSED),
        ("RCPT", "450 4.7.1 rate limit exceeded", Kind.THROTTLED),
        ("RCPT", "421 4.3.2 shutting down", Kind.UNAVAILABLE),
        ("RCPT", "550 5.1.1 no such user", Kind.REJECTED),
        ("DATA", "554 5.5.1 no valid recipients", Kind.REJECTED),
        ("DOT", "554 5.6.0 virus", Kind.REJECTED),
        ("DOT", "452 4.3.1 disk full", Kind.UNAVAILABLE),
        ("DOT", "454 4.7.0 later", Kind.THROTTLED),
        ("DOT", "421 4.3.2 shutting down", Kind.UNAVAILABLE),
        ("GREETING", DROP, Kind.UNREACHABLE),
        ("EHLO", DROP, Kind.UNREACHABLE),
        ("MAIL", DROP, Kind.UNREACHABLE),
        ("RCPT", DROP, Kind.UNREACHABLE),
        ("DATA", DROP, Kind.UNREACHABLE),
        ("DOT", DROP, Kind.UNKNOWN),
        ("DOT", "not a reply", Kind.UNKNOWN),
        ("DOT", "354 what", Kind.UNKNOWN),
        ("MAIL", "not a reply", Kind.UNREACHABLE),
    ],
)
def test_each_reply_at_each_stage_is_one_outcome(stage: str, reply: str, kind: Kind) -> None:
    outcome = sent(SmtpDouble(at(stage, reply)))
    assert outcome.kind is kind
    if reply[0] in "45":
        assert outcome.reason.startswith(reply)


@pytest.mark.parametrize("stage", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
def test_silence_before_the_dot_is_surely_not_sent(stage: str) -> None:
    double = SmtpDouble(at(stage, HANG))
    assert sent(double, timeout_s=0.6).kind is Kind.UNREACHABLE
    assert double.arrivals == []


def test_silence_after_the_dot_is_unknown() -> None:
    double = SmtpDouble(at("DOT", HANG))
    outcome = sent(double, timeout_s=3)
    assert outcome.kind is Kind.UNKNOWN
    assert len(double.arrivals) == 1
    assert outcome.provider_message_id.encode() in double.arrivals[0].data


@pytest.mark.parametrize("ends", ["stalls", "drops"])
def test_a_large_message_that_is_not_taken_to_its_end_is_surely_not_sent(ends: str) -> None:
    conversations: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(writer)
        writer.write(b"220 double\r\n")
        for reply in (b"250 double", b"250 ok", b"250 ok", b"354 go on"):
            await reader.readline()
            writer.write(reply + b"\r\n")
        if ends == "drops":
            await reader.read(1000)
            writer.transport.abort()

    async def work() -> Outcome:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1000)
        timeout_s = 1.5 if ends == "stalls" else PATIENCE_S
        smtp = provider(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?tls=none", timeout_s=timeout_s)
        outcome = await smtp.send(message(text="x" * 70 + "\n" * 2 + "line of text\n" * 2_000_000))
        server.close()
        for writer in conversations:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return outcome

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(work()).kind is Kind.UNREACHABLE


def test_a_server_that_is_away_is_unreachable() -> None:
    async def work() -> Outcome:
        return await provider(f"smtp://127.0.0.1:{ports.free_port()}?tls=none").send(message())

    assert asyncio.run(work()).kind is Kind.UNREACHABLE


def test_a_name_that_leads_nowhere_is_unreachable() -> None:
    for host in ("no-such-host.invalid", "x" * 80 + ".invalid"):
        assert asyncio.run(provider(f"smtp://{host}").send(message())).kind is Kind.UNREACHABLE


def test_a_reason_holds_no_address_and_survives_bytes_of_any_kind() -> None:
    outcome = sent(SmtpDouble(at("RCPT", "550 5.1.1 <ann.1@shop.test> \udcff unknown")))
    assert outcome.kind is Kind.REJECTED
    assert "ann.1" not in outcome.reason
    outcome.reason.encode()


def test_a_refused_recipient_is_followed_by_rset_and_the_next_message_on_the_same_connection() -> None:
    double = SmtpDouble(
        lambda stage, session: "550 5.1.1 no" if stage == "RCPT" and session.recipient.startswith("ann.2@") else None
    )
    kinds = [outcome.kind for outcome in sent_in_turn(double, [message(row) for row in (1, 2, 3)])]
    assert kinds == [Kind.ACCEPTED, Kind.REJECTED, Kind.ACCEPTED]
    assert len(double.sessions) == 1
    assert double.sessions[0].commands[4:10] == ["MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]


def test_a_connection_with_many_refusals_is_replaced_before_the_server_loses_patience() -> None:
    double = SmtpDouble(at("RCPT", "550 5.1.1 no"))
    sent_in_turn(double, [message(row) for row in range(1, 13)])
    assert [session.commands.count("RCPT") for session in double.sessions] == [5, 5, 2]
    assert [session.commands[-1] for session in double.sessions] == ["QUIT"] * 3


def test_a_connection_is_replaced_after_its_messages() -> None:
    double = SmtpDouble()
    sent_in_turn(double, [message(row) for row in range(1, 8)], per_connection=3)
    assert [session.messages for session in double.sessions] == [3, 3, 1]
    assert double.sessions[0].commands[-1] == "QUIT"


def test_many_sends_at_once_share_few_connections() -> None:
    double = SmtpDouble()

    async def work(smtp: Smtp) -> list[Outcome]:
        return await asyncio.gather(*(smtp.send(message(row)) for row in range(300)))

    outcomes = run(double, work, connections=3, per_connection=20)
    assert {outcome.kind for outcome in outcomes} == {Kind.ACCEPTED}
    assert double.most_open <= 3
    assert sorted(arrival.recipient for arrival in double.arrivals) == sorted(
        f"ann.{row}@shop.test" for row in range(300)
    )
    assert max(session.messages for session in double.sessions) == 20


@pytest.mark.parametrize("end", [DROP, "421 4.4.2 timeout exceeded"])
def test_a_pooled_connection_that_the_server_has_closed_costs_no_message(end: str) -> None:
    double = SmtpDouble(
        lambda stage, session: end if stage == "MAIL" and session.number == 0 and session.messages == 1 else None
    )
    kinds = [outcome.kind for outcome in sent_in_turn(double, [message(1), message(2)])]
    assert kinds == [Kind.ACCEPTED, Kind.ACCEPTED]
    assert [session.messages for session in double.sessions] == [1, 1]


def test_a_server_that_takes_fewer_connections_is_sent_through_those() -> None:
    def script(stage: str, session: Conversation) -> str | None:
        return "421 4.7.0 too many connections" if stage == "GREETING" and session.number >= 2 else None

    double = SmtpDouble(script)

    async def work(smtp: Smtp) -> list[Outcome]:
        return await asyncio.gather(*(smtp.send(message(row)) for row in range(100)))

    outcomes = run(double, work, connections=8)
    assert {outcome.kind for outcome in outcomes} == {Kind.ACCEPTED}
    assert len(double.sessions) <= 8


def test_a_wrong_password_is_tried_once_per_connection_and_not_once_per_message() -> None:
    double = SmtpDouble(credentials=("ann", PASSWORD))

    async def work(smtp: Smtp) -> list[Outcome]:
        return await asyncio.gather(*(smtp.send(message(row)) for row in range(100)))

    outcomes = run(double, work, "smtp://ann:mistaken@127.0.0.1:{port}?tls=none", connections=4)
    assert {outcome.kind for outcome in outcomes} == {Kind.REFUSED}
    assert outcomes[0].reason == "535 5.7.8 wrong user or password (AUTH)"
    assert len(double.sessions) == 4


def test_sends_that_find_no_free_connection_were_not_tried() -> None:
    double = SmtpDouble(at("MAIL", HANG))

    async def work(smtp: Smtp) -> list[Outcome]:
        return await asyncio.gather(*(smtp.send(message(row)) for row in range(3)))

    outcomes = run(double, work, connections=1, timeout_s=0.6)
    assert [outcome.kind for outcome in outcomes] == [Kind.UNREACHABLE, Kind.NOT_TRIED, Kind.NOT_TRIED]


def test_a_cancelled_send_gives_its_connection_up() -> None:
    arrived = asyncio.Event()

    def script(stage: str, session: Conversation) -> str | None:
        if stage != "DOT" or session.number:
            return None
        arrived.set()
        return HANG

    double = SmtpDouble(script)

    async def work(smtp: Smtp) -> Outcome:
        task = asyncio.create_task(smtp.send(message(1)))
        await arrived.wait()
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
        return await smtp.send(message(2))

    assert run(double, work, connections=1).kind is Kind.ACCEPTED
    assert [arrival.connection for arrival in double.arrivals] == [0, 1]


def test_a_closed_provider_sends_nothing() -> None:
    async def work(smtp: Smtp) -> Outcome:
        await smtp.close()
        return await smtp.send(message())

    assert run(SmtpDouble(), work).kind is Kind.UNREACHABLE


# What the server offers


def test_a_message_above_the_server_s_size_is_rejected_before_it_is_sent() -> None:
    double = SmtpDouble(extensions=["SIZE 1000"])
    outcome = run(double, lambda smtp: smtp.send(message(text="x\n" * 600)))
    assert outcome.kind is Kind.REJECTED
    assert outcome.reason.endswith("bytes, and the SMTP server accepts 1,000")
    assert "MAIL" not in double.sessions[0].commands


def test_the_size_is_told_where_the_server_asks_for_it() -> None:
    double = SmtpDouble()
    sent(double)
    assert double.arrivals[0].options == (f"SIZE={len(double.arrivals[0].data) - 2}",)  # less the line end of the dot


@pytest.mark.parametrize(("extensions", "encoding"), [(["8BITMIME"], "8bit"), ([], "base64")])
def test_eight_bits_only_where_they_are_offered(extensions: list[str], encoding: str) -> None:
    double = SmtpDouble(extensions=["X", *extensions])
    run(double, lambda smtp: smtp.send(message(text="Zoë", html="<p>Zoë</p>", subject="Zoë")))
    [arrival] = double.arrivals
    parts = list(message_from_bytes(arrival.data).walk())[1:]
    assert [part["Content-Transfer-Encoding"] for part in parts] == [encoding, encoding]
    assert arrival.options == (("BODY=8BITMIME",) if extensions else ())


def test_an_address_beyond_ascii_only_where_smtputf8_is_offered() -> None:
    without = SmtpDouble(extensions=["8BITMIME"])
    outcome = run(without, lambda smtp: smtp.send(message(to="zoë@shop.test")))
    assert outcome.kind is Kind.REJECTED
    assert "SMTPUTF8" in outcome.reason
    offering = SmtpDouble()
    assert run(offering, lambda smtp: smtp.send(message(to="zoë@shop.test"))).kind is Kind.ACCEPTED
    assert offering.arrivals[0].recipient == "zoë@shop.test"
    assert offering.arrivals[0].options[1:] == ("BODY=8BITMIME", "SMTPUTF8")


def test_a_server_without_ehlo_is_spoken_to_as_before() -> None:
    double = SmtpDouble(at("EHLO", "502 5.5.1 not implemented"))
    assert sent(double).kind is Kind.ACCEPTED
    assert double.arrivals[0].options == ()


# TLS and authentication


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's context; its authority is trusted."""
    certificate = Certificate.make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain)
    return context


@pytest.mark.parametrize(
    ("url", "is_implicit"),
    [
        ("smtp://ann:hunter2%3Acorrect%2Fhorse@127.0.0.1:{port}?tls=starttls", False),
        ("smtp://ann:hunter2%3Acorrect%2Fhorse@localhost:{port}", False),
        ("smtps://ann:hunter2%3Acorrect%2Fhorse@127.0.0.1:{port}", True),
    ],
)
def test_tls_and_a_password(tls: ssl.SSLContext, url: str, is_implicit: bool) -> None:
    double = SmtpDouble(tls=tls, is_implicit=is_implicit, credentials=("ann", PASSWORD))
    assert sent(double, url).kind is Kind.ACCEPTED
    assert [(arrival.is_tls, arrival.user) for arrival in double.arrivals] == [(True, "ann")]
    assert double.sessions[0].commands[:1] == ["EHLO"]


@pytest.mark.parametrize(
    ("url", "is_implicit"), [("smtp://127.0.0.1:{port}", False), ("smtps://127.0.0.1:{port}", True)]
)
def test_a_certificate_that_no_authority_vouches_for_is_not_trusted(
    tls: ssl.SSLContext, url: str, is_implicit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(Certificate.make(tmp_path / "other").authority))
    double = SmtpDouble(tls=tls, is_implicit=is_implicit)
    outcome = sent(double, url)
    assert outcome.kind is Kind.UNREACHABLE
    assert "certificate" in outcome.reason
    assert "MAIL" not in [command for session in double.sessions for command in session.commands]


def test_starttls_that_is_required_and_not_offered_stops_the_campaign() -> None:
    double = SmtpDouble()
    outcome = sent(double, "smtp://127.0.0.1:{port}?tls=starttls")
    assert outcome.kind is Kind.REFUSED
    assert "SMTP_URL requires it" in outcome.reason
    assert double.arrivals == []


def test_no_password_goes_out_without_tls() -> None:
    double = SmtpDouble(credentials=("ann", PASSWORD))
    outcome = sent(double, "smtp://ann:x@127.0.0.1:{port}")
    assert outcome.kind is Kind.REFUSED
    assert "a password is not sent without it" in outcome.reason
    assert double.sessions[0].commands == ["EHLO"]


def test_without_a_password_a_server_without_tls_is_used() -> None:
    assert sent(SmtpDouble(), "smtp://127.0.0.1:{port}").kind is Kind.ACCEPTED


def test_a_server_without_authentication_is_refused_where_a_password_is_given(tls: ssl.SSLContext) -> None:
    outcome = sent(SmtpDouble(tls=tls), "smtp://ann:x@127.0.0.1:{port}")
    assert outcome.kind is Kind.REFUSED
    assert "AUTH PLAIN" in outcome.reason


def test_a_reply_that_repeats_the_password_does_not_show_it(tls: ssl.SSLContext) -> None:
    double = SmtpDouble(at("AUTH", "535 5.7.8 wrong: s3cr3t-word"), tls=tls, credentials=("ann", "s3cr3t-word"))
    outcome = sent(double, "smtp://ann:s3cr3t-word@127.0.0.1:{port}")
    assert outcome.reason == "535 5.7.8 wrong: *** (AUTH)"


def test_a_passing_failure_of_authentication_is_no_refusal(tls: ssl.SSLContext) -> None:
    double = SmtpDouble(at("AUTH", "454 4.7.0 try later"), tls=tls, credentials=("ann", "x"))
    assert sent(double, "smtp://ann:x@127.0.0.1:{port}").kind is Kind.UNAVAILABLE
