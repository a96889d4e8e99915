"""Our signature is botocore's, for any body, keys, time and address."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, strategies as st

from mail.providers.aws_signature import CONTENT_TYPE, Keys, Signer

URLS = [
    "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails",
    "http://127.0.0.1:8026/v2/email/outbound-emails",
    "https://ses.example.com:443/base/v2/email/outbound-emails",
    "http://[::1]:80/v2",
    "http://host:8080",
]
key_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
times = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis' bounds have no zone


@given(st.sampled_from(URLS), st.binary(max_size=500), key_text, key_text, st.just("") | key_text, times)
def test_the_signature_is_botocores(url: str, body: bytes, key_id: str, secret: str, token: str, now: datetime) -> None:
    ours = Signer(url, "eu-west-1", "ses").headers(body, Keys(key_id, secret, token), now)
    request = AWSRequest("POST", url, headers={"Content-Type": CONTENT_TYPE}, data=body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda **_more: now.replace(tzinfo=None))
        SigV4Auth(Credentials(key_id, secret, token or None), "ses", "eu-west-1").add_auth(request)
    assert ours == {name: value for name, value in request.headers.items() if name != "Content-Type"}


def test_a_key_of_another_day_or_account_is_derived_anew() -> None:
    signer = Signer(URLS[0], "eu-west-1", "ses")
    keys, others = Keys("AKIDA", "one"), Keys("AKIDB", "two")
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]
    times = [(keys, days[0]), (keys, days[1]), (others, days[1]), (others, days[1])]
    expected = [Signer(URLS[0], "eu-west-1", "ses").headers(b"", who, day) for who, day in times]
    assert [signer.headers(b"", who, day) for who, day in times] == expected


def test_keys_do_not_show_themselves() -> None:
    assert "secret" not in f"{Keys('AKIDA', 'secret')!r}"
