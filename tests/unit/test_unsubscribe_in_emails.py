"""`unsubscribe` of a campaign: when links are made, what templates and headers get, and what samples show."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from redis import Redis

from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign, Content
from consent.links import Links, mark_of
from consent.recipient_links import RecipientLinks
from lists.recipient import Recipient
from mail import mime
from mail.message import Message
from mail.outcome import Kind, Outcome
from mail.providers.sendgrid import payload
from mail.rendering import Templates
from tests.support.app_harness import AppHarness
from tests.support.doubles.sendgrid_rules import problems
from tests.support.suppressions import suppressions
from tests.unit.test_delivery import Provider, Settler, accepted
from worker.delivery import Batch, Delivery

KEY = "k" * 32
URL = "https://news.shop.test"
CONTENT = Content(from_="news@shop.test", subject="Hi", text="Out: {{ unsubscribe_url }}", unsubscribe=True)


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis, {"SECRET_KEY": KEY, "PUBLIC_URL": URL})


@pytest.fixture
def plain(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def links(app: AppHarness) -> RecipientLinks:
    return RecipientLinks(Links(KEY), suppressions(app.redis, app.store), URL, "out@shop.test")


def rendered(
    app: AppHarness, content: Content = CONTENT, *cells: str, columns: tuple[str, ...] = ("email",)
) -> Message:
    made = Templates(content).renderer("c1", columns, links(app).of("c1/v1"))
    return made.message(7, "Ann@shop.test", list(cells))


def put(app: AppHarness, **content: Any) -> Any:
    return app.web.put("/campaigns/c1", {"from": "news@shop.test", "subject": "Hi", "text": "Hi", **content})


def test_each_email_has_its_link_and_both_headers_on_one_line_each(app: AppHarness) -> None:
    """Given a campaign with links, then the link and the headers name the recipient's hash, row and list."""
    message = rendered(app)
    assert message.text is not None
    address = message.text.removeprefix("Out: ")
    token = address.removeprefix(f"{URL}/u/")
    assert message.headers == {
        "List-Unsubscribe": f"<{address}>, <mailto:out@shop.test?subject={token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    hashed = suppressions(app.redis, app.store).hash_of("ann@SHOP.test")
    assert Links(KEY).verify(token) == (mark_of("c1/v1"), 7, hashed)


def test_sendgrid_and_whole_messages_carry_both_headers_unfolded(app: AppHarness) -> None:
    message = rendered(app)
    assert payload(message)["headers"] == message.headers
    assert problems(payload(message)) == []
    lines = mime.encode(message).decode().split("\r\n")
    assert {f"{name}: {value}" for name, value in message.headers.items()} <= set(lines)


def test_the_link_wins_over_a_column_of_its_name(app: AppHarness) -> None:
    columns = ("email", "unsubscribe_url")
    assert Templates(CONTENT).fields(columns) == ()
    assert (rendered(app, columns=columns).text or "").startswith(f"Out: {URL}/u/")


@pytest.mark.parametrize("unsubscribe", [False, None, msgspec.UNSET])
def test_without_links_the_name_is_a_column_like_any_other(app: AppHarness, unsubscribe: Any) -> None:
    content = msgspec.structs.replace(CONTENT, unsubscribe=unsubscribe)
    assert Templates(content).missing(("email",)) == ["unsubscribe_url"]
    message = rendered(app, content, "mine", columns=("email", "unsubscribe_url"))
    assert (message.text, message.headers) == ("Out: mine", {})


@pytest.mark.parametrize("name", ["List-Unsubscribe", "list-unsubscribe-post"])
def test_a_header_of_the_campaign_s_own_keeps_both_of_ours_out(app: AppHarness, name: str) -> None:
    message = rendered(app, msgspec.structs.replace(CONTENT, headers={name: "<https://x.test>"}))
    assert message.headers == {name: "<https://x.test>"}


def test_other_headers_stand_beside_the_link_s(app: AppHarness) -> None:
    content = msgspec.structs.replace(CONTENT, headers={"X-A": "1", "X-Link": "{{ unsubscribe_url }}"})
    headers = rendered(app, content).headers
    assert list(headers) == ["X-A", "X-Link", "List-Unsubscribe", "List-Unsubscribe-Post"]
    assert headers["List-Unsubscribe"].startswith(f"<{headers['X-Link']}>")


def test_a_worker_without_the_key_sends_nothing_and_says_what_to_do(app: AppHarness) -> None:
    """Given a campaign with links, when a worker cannot make them, then no email leaves without its link."""
    with pytest.raises(InvalidCampaign, match="SECRET_KEY"):
        Templates(CONTENT).renderer("c1", ("email",))
    app.ready(text="{{ unsubscribe_url }}", subject="Hi")
    outcomes = deliver(app, None)
    assert [(one.kind, "SECRET_KEY" in one.reason) for one in outcomes] == [(Kind.UNUSABLE, True)]


def test_a_worker_makes_a_link_that_unsubscribes_its_recipient(app: AppHarness) -> None:
    """Given a running campaign, when a recipient posts to the link of the email, then the list has the address."""
    app.ready(text="{{ unsubscribe_url }}", subject="Hi")
    sent: list[Message] = []
    deliver(app, links(app), sent)
    [message] = sent
    assert app.web.post((message.text or "").removeprefix(URL), b"List-Unsubscribe=One-Click").status == 200
    found = suppressions(app.redis, app.store)
    assert found.contains("ada@shop.test")
    assert not found.contains("bob@shop.test")


def deliver(app: AppHarness, made: RecipientLinks | None, sent: list[Message] | None = None) -> list[Any]:
    settler = Settler()

    def answer(message: Message) -> Outcome:
        if sent is not None:
            sent.append(message)
        return accepted(message)

    delivery = Delivery(app.harness.catalog, Provider(answer), settler, None, made)  # type: ignore[arg-type]
    version = app.harness.catalog.get("c1").list_version
    asyncio.run(delivery.deliver(Batch("c1", version, 0, [Recipient(1, "ada@shop.test", [])], "n1")))
    return list(settler.settled.values())


def test_links_are_on_by_default_where_the_server_can_make_them(app: AppHarness) -> None:
    body = put(app).json()
    assert body["unsubscribe"] is True
    assert "no_unsubscribe" not in {found["code"] for found in body["warnings"]}
    assert put(app, unsubscribe=None).json()["unsubscribe"] is True
    assert put(app, unsubscribe=False).json()["unsubscribe"] is False


def test_without_secret_key_a_campaign_has_no_links_and_a_warning(plain: AppHarness) -> None:
    body = put(plain).json()
    assert body["unsubscribe"] is None
    assert "no_unsubscribe" in {found["code"] for found in body["warnings"]}
    assert put(plain, unsubscribe=None).status == 200
    assert "no_unsubscribe" not in {found["code"] for found in put(plain, unsubscribe=False).json()["warnings"]}


@pytest.mark.parametrize("older", [{}, {"unsubscribe": None}])
def test_a_started_campaign_that_is_put_again_once_there_is_a_key_stays_as_it_is(
    plain: AppHarness, older: dict[str, Any]
) -> None:
    """Given a campaign that was started without SECRET_KEY, then the same PUT is 200, and another one is 409."""
    assert put(plain, **older).status == 201
    plain.upload()
    plain.parse()
    assert plain.web.post("/campaigns/c1/start").status == 200
    app = AppHarness(plain.redis, {"SECRET_KEY": KEY, "PUBLIC_URL": URL}, store=plain.store)
    answer = put(app, **older)
    assert (answer.status, answer.json()["unsubscribe"]) == (200, None)
    assert not app.harness.catalog.get("c1").content.has_links
    assert put(app, text="Hi again").status == 409
    assert put(app, unsubscribe=False).status == put(app, unsubscribe=True).status == 409


def test_without_secret_key_unsubscribe_true_is_422_with_what_to_do(plain: AppHarness) -> None:
    answer = put(plain, unsubscribe=True)
    assert answer.status == 422
    assert "set SECRET_KEY" in answer.json()["detail"]


def test_samples_show_a_link_that_does_not_unsubscribe_the_recipient(app: AppHarness) -> None:
    """Given a preview of a row, when someone posts to the link in it, then the row's recipient stays subscribed."""
    campaign: Campaign = app.ready(text="{{ unsubscribe_url }}", subject="Hi")
    assert campaign.content.has_links
    shown = app.web.post("/campaigns/c1/preview", {"row": 1}).json()
    assert shown["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert app.web.post(shown["text"].removeprefix(URL), b"").status == 200
    assert not suppressions(app.redis, app.store).contains("ada@shop.test")


def test_hashing_one_address_agrees_with_hashing_many(app: AppHarness) -> None:
    found = suppressions(app.redis, app.store)
    assert [found.hasher()("ann@shop.test")] == found.hashes(["ann@shop.test"]) == [found.hash_of("Ann@shop.test")]
