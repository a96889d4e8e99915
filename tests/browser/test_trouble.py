"""Failures are shown: refusals with their detail, a server that is away, a missing token, hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from campaigns import keys
from embedded import ports
from tests.support.program import Program
from tests.support.stack import Stack, free_port
from tests.support.visit import Visit, readers

TOKEN = "a-token-of-the-tests"
#: Markup that would show itself as a dialog, a script error, a request or a change of the page.
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def test_a_refused_campaign_says_why_at_its_field(visit: Visit, stack: Stack) -> None:
    stack.put("taken", subject="The first")
    visit.expected += ["422 .*/campaigns/new-one", "412 .*/campaigns/taken"]
    page = visit.open("#/new").page
    page.get_by_label("Name").fill("New one")
    page.get_by_label("From", exact=True).fill("News <news@shop.test>")
    page.get_by_label("Subject").fill("Hello {{ name")
    page.get_by_label("Text", exact=True).fill("Dear")
    # When a template is broken, then the field is named and has the focus
    visit.press("Create campaign")
    expect(page.get_by_role("alert").filter(has_text="subject")).to_be_visible()
    expect(page.get_by_label("Subject")).to_be_focused()
    # When the id is taken, then the other campaign is left alone
    page.get_by_label("Subject").fill("Hello")
    page.get_by_label("Name").fill("Taken")
    visit.press("Create campaign")
    expect(page.get_by_role("alert").filter(has_text="The campaign taken already exists")).to_be_visible()
    expect(page.get_by_label("Campaign id")).to_be_focused()
    assert stack.call("GET", "/campaigns/taken")["subject"] == "The first"


def test_a_refused_step_shows_the_servers_words(visit: Visit, stack: Stack) -> None:
    # Given a page that does not know yet that another user has cancelled the campaign
    stack.put("race", tpm=60)
    stack.upload("race", readers(100))
    stack.start("race")
    visit.campaign("race")
    expect(visit.status).to_have_text("Running")
    visit.page.route(
        "**/campaigns/race/pause", lambda route: (stack.call("POST", "/campaigns/race/cancel"), route.continue_())
    )
    visit.expected += ["409 .*/race/pause"]
    visit.press("Pause")
    expect(visit.notice.get_by_role("alert")).to_contain_text("only a running or scheduled campaign can be paused")
    expect(visit.status).to_have_text("Cancelled")


def test_a_person_resumes_in_spite_of_the_brake(visit: Visit, stack: Stack) -> None:
    """Given a campaign that the brake has paused, then the page shows the figures and asks before it resumes."""
    stack.put("bad", tpm=60)
    stack.upload("bad", readers(100))
    stack.start("bad")
    visit.campaign("bad")
    expect(visit.status).to_have_text("Running")
    figures = "7 of 120 bounced (5.8 %), the limit is 5 %"
    stack.call("POST", "/campaigns/bad/pause")
    stack.redis_client().hset(keys.campaign("bad"), mapping={"braked": figures, "reason": f"brake: {figures}"})
    expect(visit.page.get_by_text(f"brake: {figures}")).to_be_visible()
    visit.expected += ["409 .*/bad/resume", "409 .*/bad/resume"]
    visit.press("Resume")
    dialog = visit.page.get_by_role("dialog")
    expect(dialog).to_contain_text(figures)
    dialog.get_by_role("button", name="Stay paused").click()
    expect(visit.status).to_have_text("Paused")
    visit.press("Resume")
    dialog.get_by_role("button", name="Resume anyway").click()
    expect(visit.status).to_have_text("Running")
    stack.call("POST", "/campaigns/bad/cancel")


def test_the_page_says_that_the_server_is_away_and_recovers_without_a_reload(visit: Visit, stack: Stack) -> None:
    # Given a campaign under way
    stack.put("outage", tpm=240)
    stack.upload("outage", readers(2000))
    stack.start("outage")
    visit.campaign("outage")
    expect(visit.figure("done")).to_have_text(re.compile("^[1-9]"))
    banner = visit.page.locator("#banner")
    expect(banner).to_be_hidden()
    # When the web process dies
    visit.expected += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET"]
    stack.web.kill()
    # Then the page says so, and says what became of a step
    expect(banner).to_contain_text("The server cannot be reached")
    visit.press("Pause")
    expect(visit.notice.get_by_role("alert")).to_contain_text("cannot be reached")
    # When the web process is back, then the figures change again without a reload
    stack.web.start()
    expect(banner).to_be_hidden()
    before = visit.figure("done").inner_text()
    expect(visit.figure("done")).not_to_have_text(before)
    expect(visit.status).to_have_text("Running")
    stack.call("POST", "/campaigns/outage/cancel")
    expect(visit.status).to_have_text("Cancelled")


@pytest.fixture
def guarded(stack: Stack, tmp_path: Path) -> Iterator[int]:
    """The port of another web process over the same data, which requires a token."""
    port = free_port()
    command = [word if word != str(stack.port) else str(port) for word in stack.web.command]
    environment = stack.environment | {"API_TOKEN": TOKEN, "PORT": str(port)}
    web = Program("guarded", command, environment, tmp_path / "guarded.log", lambda _: ports.answers(port))
    try:
        web.start()
        yield port
    finally:
        web.stop()


def test_the_page_asks_once_for_the_token_and_sends_it_with_every_request(
    visitor: Callable[..., Visit], stack: Stack, guarded: int
) -> None:
    stack.put("secret", tpm=600)
    visit = visitor(guarded)
    visit.expected += ["401"]
    addresses: list[str] = []
    visit.page.on("request", lambda request: addresses.append(request.url))
    # When the page is opened, then it asks for the token
    visit.open()
    asked = visit.page.get_by_role("dialog", name="API token")
    asked.get_by_label("Token").fill("not-it")
    asked.get_by_role("button", name="Continue").click()
    expect(asked.get_by_role("alert")).to_contain_text("does not accept this token")
    asked.get_by_label("Token").fill(TOKEN)
    asked.get_by_role("button", name="Continue").click()
    expect(visit.page.get_by_role("link", name="secret")).to_be_visible()
    # And everything works without another question: uploads, steps, the live figures, downloads
    visit.page.get_by_role("link", name="secret").click()
    visit.choose_list("readers.csv", readers(40))
    visit.press("Upload")
    expect(visit.status).to_have_text("Ready")
    visit.step("Send")
    visit.start()
    expect(visit.figure("done")).to_have_text("40")
    expect(visit.status).to_have_text("Completed")
    assert visit.download("Done").count('@shop.test","done",') == 40
    visit.page.reload()
    expect(visit.status).to_have_text("Completed")
    expect(asked).to_have_count(0)
    # And no address contains the token, and another tab does not have it
    assert not [address for address in addresses if TOKEN in address]
    other = visit.page.context.new_page()
    other.goto("/")
    expect(other.get_by_role("dialog", name="API token")).to_be_visible()
    # When the token is forgotten, then the page asks for it again
    visit.press("Forget token")
    expect(asked).to_be_visible()


def test_hostile_texts_are_shown_as_text(visit: Visit, stack: Stack) -> None:
    visit.expected += ["Blocked script execution", "Blocked a frame"]
    # Given markup wherever a campaign can have any
    stack.put(
        "hostile",
        subject=HOSTILE,
        text=HOSTILE,
        html=HOSTILE,
        **{"from": '"<script>alert(3)</script>" <news@shop.test>'},
    )
    visit.campaign("hostile", "list")
    visit.choose_list(f"{HOSTILE.replace('/', '_')}.csv", f'email,"{HOSTILE}"\na@shop.test,"{HOSTILE}"\n'.encode())
    # Then the dry run, the file's name and the message show it letter by letter
    expect(visit.page.locator(".dry-run").get_by_role("cell", name=HOSTILE)).to_be_visible()
    visit.press("Upload")
    expect(visit.status).to_have_text("Ready")
    expect(visit.panel("List")).to_contain_text("<img src=x onerror=alert(1)><script>alert(2)<_script>.csv")
    visit.step("Check")
    expect(visit.panel("Emails as they will be sent")).to_contain_text(HOSTILE)
    visit.step("Content")
    expect(visit.page.get_by_role("textbox", name="HTML")).to_have_value(HOSTILE)
    # And so does the reason of a list that cannot be used
    stack.call(
        "POST", f"/campaigns/hostile/upload?email_column={quote(HOSTILE)}", b"a,b\n1,2\n", content_type="text/csv"
    )
    expect(visit.status).to_have_text("Rejected")
    expect(visit.reason).to_contain_text("<img src=x onerror=alert(1)>")
    # And so does the list of campaigns, and an address without a campaign
    visit.open("#/")
    expect(visit.page.get_by_role("row", name=re.compile("hostile"))).to_contain_text(HOSTILE)
    visit.expected += ["404 .*/campaigns/%3Cimg"]
    visit.open(f"#/campaigns/{HOSTILE.replace('/', '%2F').replace('<', '%3C')}")
    expect(visit.page.get_by_role("alert").filter(has_text="There is no such campaign")).to_be_visible()
    expect(visit.page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(visit.page.locator("main img, main script")).to_have_count(0)


def test_an_address_without_a_page_says_so(visit: Visit) -> None:
    visit.open("#/campaigns/%E0%A4%A")
    expect(visit.page.get_by_role("heading", name="Page not found")).to_be_visible()
