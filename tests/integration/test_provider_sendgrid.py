"""The SendGrid provider with the double, which checks every request by the official rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome
from mail.providers import transport
from mail.providers.sendgrid import SendGrid
from tests.support.doubles.sendgrid import SendGridDouble
from tests.support.doubles.sendgrid_arrivals import digest

T = TypeVar("T")

KEY = "SG.test-key"


@pytest.fixture(scope="module")
def running() -> Iterator[SendGridDouble]:
    with SendGridDouble.running(key=KEY) as double:
        yield double


@pytest.fixture
def double(running: SendGridDouble) -> Iterator[SendGridDouble]:
    """The double with its first behaviour and no arrivals; no test may break a rule."""
    running.behave(
        answer="202",
        statuses={},
        rules=[],
        latency_ms=0,
        limit=None,
        retry_after_s=None,
        html_errors=False,
        idle_ms=None,
    )
    running.reset()
    yield running
    assert running.violations() == []


def message(row: int = 1, to: str = "jane@example.com") -> Message:
    return Message(
        campaign_id="c1",
        row=row,
        to=to,
        sender=Mailbox("Zoë's News", "news@example.org"),
        reply_to=Mailbox("", "help@example.org"),
        subject=f"Hello {row}",
        html=f"<p>Zoë {row}</p>",
        text=f"Zoë {row}",
        headers={"X-Campaign": "spring"},
    )


def use(url: str, work: Callable[[SendGrid], Awaitable[T]], *, key: str = KEY, timeout_s: float = 10.0) -> T:
    """Do some work with a provider, in a separate event loop."""

    async def run() -> T:
        provider = SendGrid(key, url, timeout_s)
        try:
            return await work(provider)
        finally:
            await provider.close()

    return asyncio.run(run())


def send(double: SendGridDouble, to: str = "jane@example.com", *, timeout_s: float = 10.0) -> Outcome:
    return use(double.url, lambda provider: provider.send(message(to=to)), timeout_s=timeout_s)


async def no_connections(double: SendGridDouble) -> None:
    """Wait until every connection to the double is closed."""
    while await asyncio.to_thread(lambda: double.stats()["connections"]):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)


def test_a_message_arrives_once_and_complete(double: SendGridDouble) -> None:
    outcome = send(double)
    assert outcome == Outcome(Kind.ACCEPTED, provider_message_id="double-000000000000000")
    (arrival,) = double.arrivals()
    assert arrival.accepted
    assert (arrival.campaign_id, arrival.row, arrival.to, arrival.subject) == ("c1", 1, "jane@example.com", "Hello 1")
    assert arrival.digest == digest("Zoë 1", "<p>Zoë 1</p>")


STATUSES = {
    Kind.REJECTED: [400, 413, 422],
    Kind.REFUSED: [401, 403, 404, 405, 406, 415, 302, 307],
    Kind.THROTTLED: [429],
    Kind.UNAVAILABLE: [408, 500, 502, 503],
    Kind.UNKNOWN: [200, 303, 504, 520],
}


@pytest.mark.parametrize("html", [False, True])
def test_each_status_has_its_outcome_and_its_words(double: SendGridDouble, html: bool) -> None:
    statuses = {status: kind for kind, found in STATUSES.items() for status in found}
    rules = [{"to": f"{status}@example.com", "answers": [str(status)]} for status in statuses]
    double.behave(rules=rules, html_errors=html)

    async def each(provider: SendGrid) -> dict[int, Outcome]:
        return {status: await provider.send(message(to=f"{status}@example.com")) for status in statuses}

    outcomes = use(double.url, each)
    assert {status: outcome.kind for status, outcome in outcomes.items()} == statuses
    assert all(outcome.reason.startswith(str(status)) for status, outcome in outcomes.items())
    assert outcomes[429].reason == ("429 Too Many Requests" if html else "429 too many requests")
    assert double.stats()["accepted"] == 0


@pytest.mark.parametrize("form", ["seconds", "date", "reset"])
def test_the_wait_is_read_in_each_form(double: SendGridDouble, form: str) -> None:
    double.behave(statuses={"429": 0.5, "503": 0.5}, retry_after_s=7, retry_after_as=form)
    outcome = send(double)
    assert outcome.kind in {Kind.THROTTLED, Kind.UNAVAILABLE}
    assert outcome.retry_after_ms is not None
    assert 5000 <= outcome.retry_after_ms <= 8000


def test_the_accounts_own_limit_names_its_reset(double: SendGridDouble) -> None:
    double.behave(limit=0, window_s=3600)
    outcome = send(double)
    assert outcome.kind is Kind.THROTTLED
    assert outcome.retry_after_ms is not None


@pytest.mark.parametrize(("answer", "taken"), [("accept-reset", 1), ("accept-504", 1), ("reset", 0)])
def test_a_response_that_breaks_off_is_unknown(double: SendGridDouble, answer: str, taken: int) -> None:
    double.behave(answer=answer)
    assert send(double).kind is Kind.UNKNOWN
    assert double.stats()["accepted"] == taken
    assert double.stats()["requests"] == 1


@pytest.mark.parametrize(("answer", "taken"), [("accept-hang", 1), ("hang", 0)])
def test_no_response_in_time_is_unknown(double: SendGridDouble, answer: str, taken: int) -> None:
    double.behave(answer=answer)
    outcome = send(double, timeout_s=2.0)
    assert outcome == Outcome(Kind.UNKNOWN, "no answer from SendGrid: no response within 2 s")
    assert double.stats()["accepted"] == taken


def test_a_provider_that_is_away_is_unavailable_until_it_is_back(double: SendGridDouble) -> None:
    """Given open connections, when SendGrid refuses new ones for a while, then sends are unavailable, then accepted."""

    async def through(provider: SendGrid) -> list[Outcome]:
        outcomes = [await provider.send(message(1))]
        await asyncio.to_thread(double.behave, refuse_s=3.0)
        await no_connections(double)
        # The close is on its way on the loopback; no event tells when the client has seen it.
        await asyncio.sleep(0.3)
        deadline = time.monotonic() + 60
        while len(outcomes) < 2 or (outcomes[-1].kind is not Kind.ACCEPTED and time.monotonic() < deadline):
            outcomes.append(await provider.send(message(2)))
            await asyncio.sleep(0.02)
        return outcomes

    outcomes = use(double.url, through)
    assert [outcome.kind for outcome in (outcomes[0], outcomes[-1])] == [Kind.ACCEPTED, Kind.ACCEPTED]
    assert {outcome.kind for outcome in outcomes[1:-1]} == {Kind.UNREACHABLE}
    assert outcomes[1].reason == "SendGrid was not reached: Connection refused"
    assert [arrival.row for arrival in double.arrivals()] == [1, 2]


def test_a_thousand_messages_are_in_flight_at_once(double: SendGridDouble) -> None:
    """Given a latency of some seconds, when 1000 messages go out, then most of them are in flight at once.
    Not all: on a busy machine the first responses come while the last connections are made.
    """
    double.behave(latency_ms=3000)

    async def flood(provider: SendGrid) -> list[Outcome]:
        return await asyncio.gather(*(provider.send(message(row)) for row in range(1, 1001)))

    assert {outcome.kind for outcome in use(double.url, flood, timeout_s=60.0)} == {Kind.ACCEPTED}
    stats = double.stats()
    assert (stats["accepted"], stats["duplicates"]) == (1000, 0)
    assert stats["most_in_flight"] > 500


def test_a_cancelled_send_leaves_the_provider_usable(double: SendGridDouble) -> None:
    double.behave(rules=[{"to": "slow@*", "answers": ["accept-hang"]}])

    async def cancel(provider: SendGrid) -> Outcome:
        slow = asyncio.create_task(provider.send(message(1, "slow@example.com")))
        while not await asyncio.to_thread(lambda: double.stats()["requests"]):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        return await provider.send(message(2))

    assert use(double.url, cancel).kind is Kind.ACCEPTED


def test_a_wrong_key_is_refused_and_no_reason_shows_it(double: SendGridDouble) -> None:
    outcome = use(double.url, lambda provider: provider.send(message()), key="SG.other")
    words = "401 The provided authorization grant is invalid, expired, or revoked"
    assert outcome == Outcome(Kind.REFUSED, words)


def test_closing_the_provider_closes_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a provider with idle connections, when it is closed, then they are closed, and nothing can be sent any
    more.
    """
    monkeypatch.setattr(transport, "POOL_IDLE_S", 600.0)  # an idle connection would close after this time
    with SendGridDouble.running() as double:

        async def close(provider: SendGrid) -> Outcome:
            await provider.send(message(1))
            assert double.stats()["connections"] == 1
            await provider.close()
            async with asyncio.timeout(60):
                await no_connections(double)
            return await provider.send(message(2))

        outcome = use(double.url, close)
        assert outcome == Outcome(Kind.UNREACHABLE, "SendGrid was not reached: the HTTP client is closed")
        assert double.stats()["requests"] == 1


def test_tls_needs_a_trusted_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SendGridDouble.running(tls_dir=tmp_path) as secure:
        outcome = send(secure)
        assert outcome.kind is Kind.UNREACHABLE
        assert "certificate" in outcome.reason
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert send(secure).kind is Kind.ACCEPTED
        assert secure.stats()["requests"] == 1
