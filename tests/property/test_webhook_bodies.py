"""Whatever a signed body holds: the webhook answers 200 or 422, never fails, and no log line shows an address."""

from __future__ import annotations

import json
from typing import Any

import fakeredis
from hypothesis import given, strategies as st
from structlog.testing import capture_logs

from campaigns import keys
from tests.support.app_harness import AppHarness
from tests.support.doubles.sendgrid_events import Signer
from tests.support.doubles.sns import TOPIC, SnsDouble, headers

SIGNER = Signer()
APP = AppHarness(fakeredis.FakeRedis(), {"SENDGRID_WEBHOOK_PUBLIC_KEY": SIGNER.public_key})
NAMES = (
    *("processed", "deferred", "delivered", "bounce", "dropped", "open", "click", "spamreport", "unsubscribe"),
    *("group_unsubscribe", "group_resubscribe", "invented"),
)
TEXTS = st.one_of(
    st.text(max_size=40), st.sampled_from(["ada@shop.test", "\ud83d", "a@\ud83d.test", "x" * 5000, "\x00", "c1", "1"])
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
FIELDS = ("email", "timestamp", "row", "campaign_id", "reason", "type", "status", "sg_machine_open", "url", "useragent")
EVENTS = st.fixed_dictionaries({"event": st.sampled_from(NAMES) | VALUES}, optional=dict.fromkeys(FIELDS, VALUES))
LIKELY = st.fixed_dictionaries(
    {
        "event": st.sampled_from(NAMES),
        "email": st.sampled_from(["ada@shop.test", "Bob <bob@shop.test>", "no address", ""]) | TEXTS,
        "campaign_id": st.sampled_from(["c1", "gone"]),
        "row": st.integers(-1, 2**33) | st.sampled_from(["1", "2", "01"]),
    },
    optional={"timestamp": st.integers(-(2**70), 2**70), "reason": TEXTS, "type": TEXTS, "status": TEXTS},
)


@given(st.lists(EVENTS | LIKELY | VALUES, max_size=8))
def test_any_signed_batch_is_taken(events: list[Any]) -> None:
    if not APP.redis.exists(keys.campaign("c1")):
        APP.ready(b"name,email\nAda,ada@shop.test\nBob,bob@shop.test\n")
        APP.harness.controls.start("c1")
    body = json.dumps(events).encode()
    with capture_logs() as lines:
        answer = APP.web.post("/webhooks/sendgrid", body, SIGNER.headers(body))
    assert answer.status == 200
    counts = answer.json()
    assert counts["applied"] + counts["ignored"] == len(events)
    assert "shop.test" not in str(lines)


@given(st.binary(max_size=200) | VALUES.filter(lambda value: not isinstance(value, list)).map(json.dumps))
def test_any_other_signed_body_is_refused_once_and_for_all(body: bytes | str) -> None:
    raw = body if isinstance(body, bytes) else body.encode()
    answer = APP.web.post("/webhooks/sendgrid", raw, SIGNER.headers(raw))
    assert answer.status in {200, 422}
    assert answer.status == 422 or raw.lstrip().startswith(b"[")


DOUBLE = SnsDouble()
TYPES = ("Bounce", "Complaint", "Subscription", "Reject", "Rendering Failure", "Open", "Click", "Delivery", "Send")
PARTS = ("mail", "bounce", "complaint", "subscription", "reject", "failure", "open")
OF_SES = st.fixed_dictionaries({"eventType": st.sampled_from(TYPES)}, optional=dict.fromkeys(PARTS, VALUES))


@given(OF_SES | VALUES.filter(lambda value: value != ""))  # SNS sends no empty message
def test_any_signed_message_of_sns_is_taken(message: Any) -> None:
    app = AppHarness(fakeredis.FakeRedis(), {"SES_TOPIC_ARN": TOPIC})
    app.starlette.state.components.sns._certificates._fetch = DOUBLE.fetch
    body = json.dumps(DOUBLE.notification(message)).encode()
    assert app.web.post("/webhooks/ses", body, headers()).status == 200
