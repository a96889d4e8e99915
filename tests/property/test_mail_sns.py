"""Whatever arrives at the webhook of SES: it is refused in words, and never an unexpected error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, strategies as st

from campaigns.event_kinds import Event, Unattributed
from mail.providers.ses_events import report_of
from mail.providers.sns import BadSnsMessage, Sns
from tests.support.doubles.sns import TOPIC, SnsDouble, event

SIGNER = SnsDouble()
GOOD = SIGNER.notification(event())

text = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.sampled_from(["\ud83d", TOPIC]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


def is_verified(body: bytes) -> bool:
    try:
        Sns([TOPIC], SIGNER.fetch).verified(body, 300)
    except BadSnsMessage:
        return False
    return True


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(body: bytes) -> None:
    assert not is_verified(body)


@given(st.dictionaries(st.sampled_from([*GOOD, "Token", "SubscribeURL"]), values, min_size=1, max_size=3))
def test_a_message_counts_only_as_it_was_signed(changes: dict[str, Any]) -> None:
    changed = {**GOOD, **changes}
    unsigned = {"Token", "SubscribeURL"}  # fields that no notification has; SNS signs them in confirmations only
    same = all(changed[name] == value for name, value in GOOD.items()) and all(
        isinstance(changed.get(name), str | None) for name in unsigned
    )
    assert is_verified(json.dumps(changed).encode()) is (same and "\ud83d" not in map(changed.get, unsigned))


@given(values | st.dictionaries(st.sampled_from(["eventType", "mail", "bounce", "complaint"]), values))
def test_any_text_of_a_message_is_an_event_or_none(found: object) -> None:
    assert isinstance(report_of(json.dumps(found)).event, Event | Unattributed)


@given(
    st.sampled_from(["Bounce", "Complaint", "Reject", "Rendering Failure", "Subscription", "Delivery"]),
    st.dictionaries(st.sampled_from(["mail", "bounce", "complaint", "reject", "failure", "subscription"]), values),
)
def test_any_members_of_an_event_do_no_harm(name: str, members: dict[str, Any]) -> None:
    found = report_of(json.dumps({**event(name), **members})).event
    assert isinstance(found, Event | Unattributed)
    assert not isinstance(found, Event) or "\ud83d" not in found.reason
