"""A preview is what is sent: the same email byte for byte, or the same reason why there is none."""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from typing import Any

import fakeredis
import msgspec
from hypothesis import assume, event, given, settings, strategies as st

from campaigns import keys
from campaigns.ledger import Settlement
from campaigns.models import Campaign, Status
from campaigns.settler import BatchProgress
from lists.recipient import Recipient
from mail.message import Message
from mail.outcome import Kind, Outcome
from tests.support.app_harness import AppHarness
from worker.delivery import Batch, Delivery
from worker.prefetcher import Prefetcher

PIECES = [
    "{{ a }}", "{{ b }}", "{{ email }}", "{{ a|upper }}", "{{ b|int }}", "{{ a|default('x') }}", "{{ b|title }}",
    "{{ a ~ b }}", "{{ a * 2 }}", "{% if a %}", "{% else %}", "{% endif %}", "{% for x in b %}{{ x }}{% endfor %}",
    "{# no #}", "<p class='c'>", "</p>", "<b>", "</b>", "<style>.c { color: red }</style>", "<br>", " ", "é", "\n",
    "&amp;", "<a href='https://shop.test/{{ a|urlencode }}'>", "</a>", "{{ a|safe }}", "<table><tr><td>",
    "</td></tr></table>", "\r\n",
]  # fmt: skip
TEMPLATES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
CONTENT = st.fixed_dictionaries(
    {"from": st.just("News <news@shop.test>"), "subject": TEMPLATES.map("Hi{}".format), "html": TEMPLATES},
    optional={
        "text": TEMPLATES,
        "headers": st.dictionaries(st.just("X-Ref"), st.sampled_from(["{{ a }}", "{{ b|urlencode }}", "fixed"])),
        "inline_css": st.booleans(),
        "text_from_html": st.booleans(),
    },
)


class Sent:
    """The provider and the settler: they keep the email, or the reason why there is none."""

    def __init__(self) -> None:
        self.message: Message | None = None
        self.reason = ""

    async def send(self, message: Message) -> Outcome:
        self.message = message
        return Outcome(Kind.ACCEPTED)

    def settle(self, progress: BatchProgress, settlement: Settlement, _event: dict[str, Any]) -> None:
        self.reason = settlement.reason
        progress.ended.set_result(None)


def sent(app: AppHarness, campaign: Campaign) -> Sent:
    """What the workers send to the first row: prefetched, queued and delivered."""
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": True}).status == 200
    Prefetcher(app.harness.ledger, app.store, threading.Event()).prefetch(app.harness.catalog.get("c1"))
    [raw] = app.redis.lrange(keys.of("c1", "ready"), 0, -1)
    recipient = msgspec.json.decode(raw, type=Recipient)
    found = Sent()
    delivery = Delivery(app.harness.catalog, found, found)  # type: ignore[arg-type]
    asyncio.run(delivery.deliver(Batch("c1", campaign.list_version, 0, [recipient])))
    return found


@settings(max_examples=40)
@given(CONTENT, CELLS, CELLS)
def test_a_preview_is_what_is_sent(content: dict[str, Any], a: str, b: str) -> None:
    app = AppHarness(fakeredis.FakeRedis(server=fakeredis.FakeServer()))
    made = app.web.put("/campaigns/c1", content)
    assume(made.status == 201)
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["email", "a", "b"], ["ann@shop.test", a, b]])
    app.upload(file.getvalue().encode(), query="?encoding=utf-8")
    campaign = app.parse()
    assume(campaign.status is Status.READY)  # with some cells, the file is no CSV
    assume(app.web.get("/campaigns/c1").json()["missing_columns"] == [])
    shown = app.web.post("/campaigns/c1/preview", {"row": 1})
    found = sent(app, campaign)
    event("an email" if found.message else "a reason")
    if found.message is None:
        assert shown.status == 422
        assert shown.detail == f"Row 1 cannot be rendered: {found.reason}."
        return
    email = shown.json()
    assert (email["to"], email["subject"]) == (found.message.to, found.message.subject)
    assert (email["html"], email["text"]) == (found.message.html, found.message.text)
    assert email["headers"] == dict(found.message.headers)
