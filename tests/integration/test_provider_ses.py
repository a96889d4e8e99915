"""The SES provider over real connections: with the double, which checks every signature, and with moto's server."""

from __future__ import annotations

import asyncio
import email
import email.policy
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome
from mail.providers.ses import Ses
from settings import SesAccount
from tests.support.doubles.ses import KEY_ID, REGION, SECRET, SesDouble

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from moto.server import ThreadedMotoServer
    from moto.ses.models import ses_backends

T = TypeVar("T")

MOTO_ACCOUNT = "123456789012"


@pytest.fixture
def double() -> Iterator[SesDouble]:
    """The double; no test may break a rule."""
    with SesDouble.running() as running:
        yield running
    assert running.violations == []


def message(row: int = 1, to: str = "jane@example.com") -> Message:
    return Message(
        campaign_id="c1",
        row=row,
        to=to,
        sender=Mailbox("Zoë's News", "news@example.org"),
        reply_to=None,
        subject=f"Grüße {row}",
        html=f"<p>Zoë {row}</p>",
        text=f"Zoë {row}",
        headers={"List-Unsubscribe": "<https://x.test/u/1>"},
    )


def use(
    url: str,
    work: Callable[[Ses], Awaitable[T]],
    *,
    keys: tuple[str, str] = (KEY_ID, SECRET),
    timeout_s: float = 60.0,
) -> T:
    """Do some work with a provider, in a separate event loop."""

    async def run() -> T:
        provider = Ses(SesAccount(REGION, url, "news", *keys), timeout_s)
        try:
            return await work(provider)
        finally:
            await provider.close()

    return asyncio.run(run())


def send(double: SesDouble, to: str = "jane@example.com", timeout_s: float = 60.0) -> Outcome:
    return use(double.url, lambda provider: provider.send(message(to=to)), timeout_s=timeout_s)


def test_a_message_arrives_once_and_complete(double: SesDouble) -> None:
    assert send(double) == Outcome(Kind.ACCEPTED, provider_message_id="double-1")
    (arrival,) = double.arrivals
    assert (arrival.campaign_id, arrival.row, arrival.to) == ("c1", 1, "jane@example.com")
    assert arrival.configuration_set == "news"
    parsed = email.message_from_bytes(arrival.raw, policy=email.policy.default)
    assert (parsed["Subject"], parsed["List-Unsubscribe"]) == ("Grüße 1", "<https://x.test/u/1>")
    assert [part.get_content().strip() for part in parsed.iter_parts()] == ["Zoë 1", "<p>Zoë 1</p>"]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            "TooManyRequestsException: Maximum sending rate exceeded.",
            Kind.THROTTLED,
            "429 TooManyRequestsException: Max",
        ),
        (
            "TooManyRequestsException: Daily message quota exceeded.",
            Kind.REFUSED,
            "429 TooManyRequestsException: Daily",
        ),
        ("MessageRejected: Bad content", Kind.REJECTED, "400 MessageRejected: Bad content"),
        ("SendingPausedException: paused", Kind.REFUSED, "400 SendingPausedException: paused"),
        ("ServiceUnavailable: later", Kind.UNAVAILABLE, "503 ServiceUnavailable: later"),
        ("502", Kind.UNAVAILABLE, "502 Bad Gateway"),
        ("504", Kind.UNKNOWN, "504 Gateway Timeout"),
        ("accept-reset", Kind.UNKNOWN, "no answer from Amazon SES: "),
        ("reset", Kind.UNKNOWN, "no answer from Amazon SES: "),
    ],
)
def test_each_answer_has_its_outcome_and_its_words(double: SesDouble, answer: str, kind: Kind, words: str) -> None:
    double.rules["*"] = [answer]
    outcome = send(double)
    assert (outcome.kind, outcome.reason.startswith(words)) == (kind, True), outcome
    assert double.requests == 1


def test_no_answer_in_time_is_unknown(double: SesDouble) -> None:
    double.rules["*"] = ["accept-hang"]
    assert send(double, timeout_s=2.0) == Outcome(Kind.UNKNOWN, "no answer from Amazon SES: no response within 2 s")


def test_no_connection_is_unreachable() -> None:
    outcome = use("http://127.0.0.1:1", lambda provider: provider.send(message()))
    assert outcome == Outcome(Kind.UNREACHABLE, "Amazon SES was not reached: Connection refused")


def test_a_wrong_secret_is_refused_and_not_shown(double: SesDouble) -> None:
    outcome = use(double.url, lambda provider: provider.send(message()), keys=(KEY_ID, "wrong"))
    words = "403 InvalidSignatureException: The request signature we calculated does not match"
    assert outcome == Outcome(Kind.REFUSED, words)
    assert double.arrivals == []


def test_connections_are_kept_and_many_messages_are_in_flight_at_once(double: SesDouble) -> None:
    double.latency_s = 1.0

    async def flood(provider: Ses) -> list[Outcome]:
        first = await asyncio.gather(*(provider.send(message(row)) for row in range(1, 101)))
        return first + await asyncio.gather(*(provider.send(message(row)) for row in range(101, 201)))

    assert {outcome.kind for outcome in use(double.url, flood)} == {Kind.ACCEPTED}
    assert sorted(arrival.row for arrival in double.arrivals) == list(range(1, 201))
    assert double.connections < 150


def test_expired_keys_are_replaced_during_the_send(
    double: SesDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given keys in a shared file that SES refuses as expired, when a tool has written newer ones, then the message
    goes out with those; with none, the account is refused.
    """
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    double.keys = {"OLD": "s", "NEW": "s"}
    double.rules["jane@*"] = ["ExpiredTokenException: expired", "ExpiredTokenException: expired", "200"]

    def write(key_id: str) -> None:
        file.write_text(f"[default]\naws_access_key_id={key_id}\naws_secret_access_key=s\naws_session_token=t\n")

    async def work(provider: Ses) -> list[Outcome]:
        write("OLD")
        first = await provider.send(message())
        write("NEW")
        return [first, await provider.send(message())]

    outcomes = use(double.url, work, keys=("", ""))
    assert outcomes[0] == Outcome(Kind.REFUSED, "403 ExpiredTokenException: expired")
    assert outcomes[1].kind is Kind.ACCEPTED
    assert [arrival.key_id for arrival in double.arrivals] == ["OLD", "OLD", "NEW"]


@pytest.fixture
def moto() -> Iterator[str]:
    """The address of moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_moto_takes_the_message_of_a_verified_sender_only(moto: str) -> None:
    keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        outcome = use(moto, lambda provider: provider.send(message()))
        assert outcome.kind is Kind.REJECTED
        assert outcome.reason.startswith("400 MessageRejected: ")
        client = boto3.client("ses", region_name=REGION, endpoint_url=moto, **keys)  # type: ignore[call-overload]
        client.verify_email_identity(EmailAddress="news@example.org")
        outcome = use(moto, lambda provider: provider.send(message()))
    assert outcome.kind is Kind.ACCEPTED
    (sent,) = ses_backends[MOTO_ACCOUNT][REGION].sent_messages
    assert (sent.id, {*sent.destinations}) == (outcome.provider_message_id, {"jane@example.com"})
    assert "List-Unsubscribe: <https://x.test/u/1>" in sent.raw_data
