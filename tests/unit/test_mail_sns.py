"""Messages of SNS: only what SNS has signed for our topics counts, and only its own hosts are asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mail.providers import sns_fetch
from mail.providers.sns import BadSnsMessage, Sns, sns_host
from mail.providers.sns_certificates import FETCHES_PER_MINUTE, KEPT, Certificates, is_certificate_url
from mail.providers.sns_fetch import FetchFailed, fetch
from settings import load
from tests.support.doubles.sns import CERTIFICATE_URL, HOST, TOPIC, SnsDouble, event, headers


@pytest.fixture(scope="module")
def signer() -> SnsDouble:
    return SnsDouble()


@pytest.fixture
def double(signer: SnsDouble) -> SnsDouble:
    """The double, without the fetches of earlier tests."""
    signer.fetched = []
    signer.is_away = False
    return signer


@pytest.fixture
def sns(double: SnsDouble) -> Sns:
    return Sns([TOPIC], double.fetch)


def body(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Event", None])
def test_a_signed_notification_counts(sns: Sns, double: SnsDouble, version: str, subject: str | None) -> None:
    message = double.notification('héllo\n"x"', version=version, Subject=subject)
    assert sns.verified(body(message), 300).message == 'héllo\n"x"'


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_signed_confirmation_counts(sns: Sns, double: SnsDouble, version: str, kind: str) -> None:
    assert sns.verified(body(double.confirmation(kind, version=version)), 300).token == "t0k3n"


def test_the_certificate_is_fetched_once(sns: Sns, double: SnsDouble) -> None:
    for _ in range(20):
        sns.verified(body(double.notification(event())), 300)
    assert double.fetched == [CERTIFICATE_URL]


@pytest.mark.parametrize(
    "name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature", "SignatureVersion"]
)
def test_a_change_of_any_field_breaks_the_signature(double: SnsDouble, name: str) -> None:
    other = f"{TOPIC}-2"
    changed = {
        "Type": "SubscriptionConfirmation",
        "TopicArn": other,
        "SignatureVersion": "1",
        "Timestamp": double.notification("x", age_s=60)["Timestamp"],
        "Signature": double.notification("other")["Signature"],
    }
    message = {**double.notification("x"), name: changed.get(name, "changed")}
    with pytest.raises(BadSnsMessage):
        Sns([TOPIC, other], double.fetch).verified(body(message), 300)


def test_another_key_is_refused(sns: Sns) -> None:
    with pytest.raises(BadSnsMessage, match="signature is wrong"):
        sns.verified(body(SnsDouble().notification("x")), 300)


@pytest.mark.parametrize(
    "url",
    [
        "http" + CERTIFICATE_URL.removeprefix("https"),
        CERTIFICATE_URL.replace(HOST, "evil.example"),
        CERTIFICATE_URL.replace(HOST, f"{HOST}.evil.example"),
        CERTIFICATE_URL.replace(HOST, f"evil.example/{HOST}"),
        CERTIFICATE_URL.replace(HOST, f"{HOST}@evil.example"),
        CERTIFICATE_URL.replace(HOST, f"{HOST}:8443"),
        CERTIFICATE_URL.replace(HOST, f"{HOST}%2eevil.example"),
        CERTIFICATE_URL.replace(HOST, "sns.us-east-1.amazonaws.com"),
        CERTIFICATE_URL.replace(HOST, "bucket.s3.amazonaws.com"),
        CERTIFICATE_URL.replace(HOST, "xsns.eu-west-1.amazonaws.com"),
        f"{CERTIFICATE_URL}?x=1",
        f"{CERTIFICATE_URL}#x",
        f"{CERTIFICATE_URL}\n",
        CERTIFICATE_URL.replace("/Simple", "/../Simple"),
        CERTIFICATE_URL.replace("/Simple", "/x/Simple"),
        f"https://{HOST}/?Action=Echo&x=.pem",
        "",
    ],
)
def test_certificates_come_only_from_sns_in_the_topics_region(sns: Sns, double: SnsDouble, url: str) -> None:
    with pytest.raises(BadSnsMessage, match="SigningCertURL"):
        sns.verified(body(double.notification("x", SigningCertURL=url)), 300)
    assert double.fetched == []


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        (TOPIC, HOST),
        ("arn:aws-cn:sns:cn-north-1:123456789012:x", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:x", "sns.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_host_is_that_of_the_topics_region(arn: str, host: str) -> None:
    assert load({"SES_TOPIC_ARN": arn}).ses_topic_arns == (arn,)
    assert sns_host(arn) == host
    assert is_certificate_url(f"https://{host}/SimpleNotificationService-{'a' * 32}.pem", host)


def test_a_topic_that_is_not_ours_is_refused_without_a_fetch(sns: Sns, double: SnsDouble) -> None:
    for topic in (f"{TOPIC}2", "", "x", "arn:aws:sns:us-east-1:1:x"):
        with pytest.raises(BadSnsMessage, match="SES_TOPIC_ARN"):
            sns.verified(body(double.notification("x", TopicArn=topic)), 300)
    assert double.fetched == []


@pytest.mark.parametrize(("age_s", "is_taken"), [(-600, False), (-60, True), (86_000, True), (87_000, False)])
def test_messages_of_a_day_of_retries_count_and_older_ones_do_not(
    sns: Sns, double: SnsDouble, age_s: float, is_taken: bool
) -> None:
    message = body(double.notification("x", age_s=age_s))
    if is_taken:
        assert sns.verified(message, 300).message == "x"
    else:
        with pytest.raises(BadSnsMessage, match="clock"):
            sns.verified(message, 300)


def test_a_longer_age_may_be_allowed(sns: Sns, double: SnsDouble) -> None:
    assert sns.verified(body(double.notification("x", age_s=200_000)), 300_000).message == "x"


@pytest.mark.parametrize("stamp", ["", "soon", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01"])
def test_a_malformed_timestamp_is_refused(sns: Sns, double: SnsDouble, stamp: str) -> None:
    with pytest.raises(BadSnsMessage):
        sns.verified(body(double.notification("x", Timestamp=stamp)), 300)


@pytest.mark.parametrize("signature", ["", "x", "é", "eA==", "A" * 10_000])
@pytest.mark.parametrize("version", ["1", "2", "3", ""])
def test_a_malformed_signature_is_refused(sns: Sns, double: SnsDouble, signature: str, version: str) -> None:
    message = {**double.notification("x"), "Signature": signature, "SignatureVersion": version}
    with pytest.raises(BadSnsMessage):
        sns.verified(body(message), 300)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"x-amz-sns-rawdelivery": "true"}, "raw message"), ({"x-amz-sns-topic-arn": "x"}, "SES_TOPIC_ARN")],
)
def test_headers_alone_refuse_raw_messages_and_other_topics(sns: Sns, changes: dict[str, str], words: str) -> None:
    sns.check_headers(headers())
    with pytest.raises(BadSnsMessage, match=words):
        sns.check_headers({**headers(), **changes})
    with pytest.raises(BadSnsMessage):
        sns.check_headers({})


def test_a_confirmation_asks_the_host_of_the_topic_whatever_the_message_says(sns: Sns, double: SnsDouble) -> None:
    message = double.confirmation(SubscribeURL="https://evil.example/?Action=ConfirmSubscription", Token="a&b=c")
    sns.confirm(sns.verified(body(message), 300))
    arn = TOPIC.replace(":", "%3A")
    asked = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={arn}&Token=a%26b%3Dc"
    assert double.fetched == [CERTIFICATE_URL, asked]


def test_a_certificate_that_cannot_be_fetched_is_asked_for_again_within_bounds(sns: Sns, double: SnsDouble) -> None:
    message = body(double.notification("x"))
    double.is_away = True
    for _ in range(3):
        with pytest.raises(FetchFailed, match="away"):
            sns.verified(message, 300)
    double.is_away = False
    assert sns.verified(message, 300).message == "x"
    for number in range(FETCHES_PER_MINUTE - 4):
        with pytest.raises(BadSnsMessage):
            sns.verified(body({**double.notification("y", SigningCertURL=_url(number)), "Message": "z"}), 300)
    with pytest.raises(FetchFailed, match="within a minute"):
        sns.verified(body(double.notification("y", SigningCertURL=_url(99))), 300)
    assert len(double.fetched) == FETCHES_PER_MINUTE
    assert sns.verified(message, 300).message == "x"


def test_a_bounded_number_of_certificates_is_kept(double: SnsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mail.providers.sns_certificates.time.monotonic", _clock(60.0))
    certificates = Certificates(double.fetch)
    for number in range(KEPT + 5):
        certificates.key(_url(number))
    assert len(certificates._kept) == KEPT
    certificates.key(_url(KEPT + 4))
    assert len(double.fetched) == KEPT + 5


@pytest.mark.parametrize("days", [-0.5])
def test_an_expired_certificate_is_refused(days: float) -> None:
    double = SnsDouble(days)
    with pytest.raises(FetchFailed, match="expired"):
        Sns([TOPIC], double.fetch).verified(body(double.notification("x")), 300)


@pytest.mark.parametrize("found", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_not_a_certificate_is_asked_for_again(double: SnsDouble, found: bytes) -> None:
    with pytest.raises(FetchFailed, match="not a certificate"):
        Sns([TOPIC], lambda _url: found).verified(body(double.notification("x")), 300)


@pytest.mark.parametrize("url", ["http://127.0.0.1/x.pem", "file:///etc/hostname", "ftp://127.0.0.1/"])
def test_only_https_is_fetched(url: str) -> None:
    with pytest.raises(FetchFailed, match="https"):
        fetch(url)


def test_redirects_are_not_followed() -> None:
    assert sns_fetch._NoRedirects().redirect_request("https://evil.example") is None  # type: ignore[func-returns-value]


def _url(number: int) -> str:
    return f"https://{HOST}/SimpleNotificationService-{number:032x}.pem"


def _clock(step_s: float) -> Callable[[], float]:
    times = iter(range(0, 10_000_000, int(step_s)))
    return lambda: float(next(times))
