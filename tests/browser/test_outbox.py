"""The outbox on the page: in test mode the emails can be read as a mail program shows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from embedded import ports
from mail import mime
from mail.message import NO_ROW, Mailbox, Message
from mail.providers.outbox import TESTS
from tests.support.program import Program
from tests.support.stack import Stack, free_port
from tests.support.visit import Visit

HTML = '<h1 style="color: rgb(9, 99, 9)">Dear {name}</h1><script>alert(1)</script>'


@pytest.fixture
def testing(stack: Stack, tmp_path: Path) -> Iterator[int]:
    """The port of another web process over the same data, whose emails go to an outbox with 30 of them."""
    port, outbox = free_port(), tmp_path / "outbox"
    for row in range(1, 31):
        write(outbox, row, f"Reader {row}")
    write(outbox, NO_ROW, "Tester")
    command = [word if word != str(stack.port) else str(port) for word in stack.web.command]
    environment = {name: value for name, value in stack.environment.items() if not name.startswith("SENDGRID")}
    environment |= {"PORT": str(port), "OUTBOX_DIR": str(outbox)}
    web = Program("testing", command, environment, tmp_path / "testing.log", lambda _: ports.answers(port))
    try:
        web.start()
        yield port
    finally:
        web.stop()


def write(outbox: Path, row: int, name: str) -> None:
    """A file as the provider writes it, which only an event loop of its own could do here."""
    to = f"{name.lower().replace(' ', '-')}@shop.test"
    sender = Mailbox("News", "news@shop.test")
    text = f"Dear {name}, in words"
    email = Message("tried", row, to, sender, None, f"Hello {name}", HTML.format(name=name), text)
    file = outbox / "tried" / f"{row}.eml" if row else outbox / TESTS / "tried" / f"{'a' * 16}.eml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(mime.encode(email))


def test_the_emails_of_the_outbox_are_read_and_found(visitor: Callable[..., Visit], testing: int) -> None:
    visit = visitor(testing)
    visit.expected += ["Blocked script execution"]
    page = visit.open().page
    expect(page.locator("#destination")).to_have_text("Test mode: emails are saved as files")
    # When the user opens the outbox of a campaign
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Outbox").click()
    expect(page.get_by_role("listitem").filter(has_text="tried")).to_contain_text("30 emails, 1 test email")
    page.get_by_role("link", name="tried").click()
    # Then the test email comes first and is open
    email = page.get_by_role("region", name="Email", exact=True)
    expect(email).to_contain_text("Hello Tester")
    assert visit.barriers() == []
    # When the user opens another one
    page.get_by_role("button", name=re.compile("reader-29@")).click()
    # Then it is shown in all its forms, in a frame that runs no script
    expect(email).to_contain_text("reader-29@shop.test")
    heading = email.frame_locator('iframe[title="HTML of the email"]').locator("h1")
    expect(heading).to_have_text("Dear Reader 29")
    expect(heading).to_have_css("color", "rgb(9, 99, 9)")
    email.get_by_role("tab", name="Plain text").click()
    expect(email.get_by_role("tabpanel", name="Plain text")).to_contain_text("Dear Reader 29, in words")
    page.keyboard.press("ArrowRight")
    expect(email.get_by_role("tab", name="Headers")).to_be_focused()
    expect(email.get_by_role("tabpanel", name="Headers")).to_contain_text("multipart/alternative")
    email.get_by_role("tab", name="Source").click()
    expect(email.get_by_role("tabpanel", name="Source")).to_contain_text("<script>")
    # When the user searches, and turns the page
    visit.press("Next")
    expect(page.get_by_role("button", name=re.compile("reader-1@"))).to_be_visible()
    page.get_by_label("Search").fill("READER 7")
    expect(page.get_by_text("1 email found")).to_be_visible()
    expect(email).to_contain_text("reader-7@shop.test")


def test_with_a_provider_the_page_offers_no_outbox(visit: Visit) -> None:
    page = visit.open().page
    expect(page.locator("#destination")).to_have_text("Live: SendGrid")
    expect(page.get_by_role("link", name="Outbox")).to_be_hidden()
    visit.expected.append("404 .*/outbox")
    visit.open("#/outbox")
    expect(page.get_by_role("alert").filter(has_text="really sent")).to_be_visible()
