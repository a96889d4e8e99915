"""Mail merge: what a recipient gets through a request to several equals what it gets alone, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from unittest import mock

import msgspec
import pytest
from hypothesis import assume, given, strategies as st

from campaigns.models import Content
from lists.recipient import Recipient
from mail import mail_merge
from mail.attachment import Attachment
from mail.providers.sendgrid import SendGrid, payload
from mail.rendering import Renderer, RenderError, Templates
from tests.support.doubles.sendgrid_personalizations import Email, emails
from tests.support.doubles.sendgrid_rules import problems
from worker.merged_requests import MergedCampaign

COLUMNS: Final = ("a", "b", "email")
#: A mark that values and texts can easily contain, by chance or as ends that meet.
MARK: Final = "qx"
TEXTS: Final = [
    "q",
    "-q",
    "x",
    "x0-",
    "x1-",
    "-",
    "0-",
    "<p>",
    "&",
    "é",
    "\n",
    " ",
    "0",
    '"',
    "q" * 9 + "y" * 9 + "x",
]
NAMES: Final = ["{{ a }}", "{{ b }}", "{{ email }}", "{{ unsubscribe_url }}"]
#: Parts of tags, whole ones, and any others.
PARTS: Final = ["-qx0-", "-qx1-", "-qx", "x0-", "x1-", "0-", "1-", "-q", "q", "-", "<", "&"]
CELLS: Final = st.lists(
    st.sampled_from(PARTS) | st.text(st.characters(exclude_categories=()), max_size=2), max_size=3
).map("".join)
TEMPLATES: Final = st.lists(st.sampled_from(TEXTS + NAMES), max_size=8).map("".join)


def link_of(row: int, address: str) -> tuple[str, dict[str, str]]:
    del address
    url = f"https://shop.test/u/{row}-qx0-"[: 22 + row]
    return url, {"List-Unsubscribe": f"<{url}>"}


class Posted(SendGrid):
    """A provider whose requests are kept and not sent. `most`: the most recipients of one."""

    def __init__(self, most: int) -> None:
        super().__init__("SG.x", "http://127.0.0.1:1", 1, most)
        self.bodies: list[dict[str, Any]] = []
        self._transport.post = self._keep  # type: ignore[method-assign,assignment]

    async def _keep(self, body: bytes) -> Any:
        self.bodies.append(msgspec.json.decode(body))
        return mock.Mock(status=202, header=lambda _name: "id")


@st.composite
def contents(draw: st.DrawFn) -> Content:
    html, text = draw(st.one_of(st.none(), TEMPLATES)), draw(st.one_of(st.none(), TEMPLATES))
    assume(html or text)
    headers = draw(st.sampled_from([{}, {"X-A": "fixed"}, {"X-A": "{{ a }}", "X-B": "1"}]))
    subject = "".join(draw(st.lists(st.sampled_from(["Hi", "q", *NAMES]), min_size=1, max_size=3)))
    return Content(
        from_="News <news@example.org>",
        subject=subject,
        html=html,
        text=text,
        headers=headers,
        reply_to=draw(st.sampled_from([None, "Help <help@example.org>"])),
        tracking=draw(st.sampled_from(["account", "on", "off"])),
        unsubscribe=draw(st.booleans()),
    )


def alone(renderer: Renderer, recipient: Recipient) -> Email | None:
    """What a recipient gets in a request of its own; None: it gets nothing."""
    try:
        message = renderer.message(recipient.row, recipient.address, recipient.values)
    except RenderError:
        return None
    body = msgspec.json.decode(msgspec.json.encode(payload(message)))
    return emails(body)[0]


async def merged(campaign: MergedCampaign, provider: Posted, recipients: Sequence[Recipient]) -> list[Recipient]:
    """Send what can be merged; return the recipients who go alone."""
    split = campaign.split(recipients)
    for request in split.requests:
        await campaign.request.send([share for _recipient, share in request], ())
    await provider.close()
    return list(split.alone)


@pytest.mark.parametrize("mark", [MARK, None])
@given(contents(), st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.booleans())
def test_what_a_recipient_gets_through_a_merge_equals_what_it_gets_alone(
    mark: str | None, content: Content, rows: list[tuple[str, str]], in_reverse: bool
) -> None:
    templates = Templates(content)
    assume(not templates.missing(COLUMNS))
    renderer = templates.renderer("c1", COLUMNS, link_of)
    places = templates.fields(COLUMNS)
    recipients = [
        Recipient(row, f"r{row % 4}@shop.test", [(*cells, "")[place] for place in places])
        for row, cells in enumerate(rows, 1)
    ]
    provider = Posted(most=3)
    assume(mark is None or mark not in f"{content.html}\0{content.text}\0{content.subject}")
    with mock.patch.object(mail_merge, "_mark", return_value=mark or mail_merge._mark()):
        campaign = MergedCampaign.of(provider, renderer)
    if campaign is None:
        assert not any(alone(renderer, recipient) for recipient in recipients)
        return
    left = asyncio.run(merged(campaign, provider, recipients))
    found = [email for body in provider.bodies for email in emails(body, in_reverse=in_reverse)]
    assert [problem for body in provider.bodies for problem in problems(body)] == []
    assert all(len(body["personalizations"]) <= 3 for body in provider.bodies)
    rows_left = {recipient.row for recipient in left}
    assert [email.row for email in found] == [item.row for item in recipients if item.row not in rows_left]
    assert found == [alone(renderer, item) for item in recipients if item.row not in rows_left]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=2, max_size=8))
def test_ordinary_recipients_do_go_together(cells: list[str]) -> None:
    content = Content(from_="a@b.test", subject="Hi", html="<p>{{ a }} {{ b }}</p>", text="{{ a }} {{ b }}")
    renderer = Templates(content).renderer("c1", COLUMNS)
    campaign = MergedCampaign.of(Posted(1000), renderer)
    assert campaign
    recipients = [Recipient(row, f"r{row}@shop.test", [cell, cell]) for row, cell in enumerate(cells, 1)]
    split = campaign.split(recipients)
    assert split.alone == []
    assert [len(request) for request in split.requests] == [len(cells)]


def test_files_are_carried_once() -> None:
    renderer = Templates(Content(from_="a@b.test", subject="Hi", text="{{ a }}")).renderer("c1", COLUMNS)
    provider = Posted(10)
    campaign = MergedCampaign.of(provider, renderer)
    assert campaign
    [request] = campaign.split([Recipient(row, f"r{row}@shop.test", ["x"]) for row in (1, 2)]).requests
    file = Attachment("a.pdf", "application/pdf", inline=False, data=b"x")
    asyncio.run(campaign.request.send([share for _recipient, share in request], [file]))
    [body] = provider.bodies
    assert [item["filename"] for item in body["attachments"]] == ["a.pdf"]
    assert len(body["personalizations"]) == 2
    assert problems(body) == []
