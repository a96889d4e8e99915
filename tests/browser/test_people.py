"""One address: in a campaign, over all campaigns, on the suppression list. And the accounts that send."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.stack import Stack
from tests.support.visit import Visit, readers


def test_one_recipient_of_a_campaign_is_found(visit: Visit, stack: Stack) -> None:
    stack.put("find", tpm=60_000)
    stack.upload("find", readers(20, "nobody,x\n"))
    stack.start("find")
    stack.until_status("find", "completed")
    page = visit.campaign("find").page
    page.get_by_role("heading", name="Find a recipient").click()
    panel = visit.panel("Find a recipient")
    panel.get_by_label("Email address").fill("R7@shop.test")
    visit.press("Find")
    expect(panel).to_contain_text("Sent: the provider accepted the email (row 7)")
    panel.get_by_label("Email address").fill("other@shop.test")
    visit.press("Find")
    expect(panel).to_contain_text("other@shop.test is not in this list")


def test_an_address_is_suppressed_looked_up_and_removed_with_a_reason(visit: Visit) -> None:
    # Given an operator who adds two addresses
    page = visit.open("#/suppressions").page
    page.get_by_label("Addresses", exact=True).fill("no@shop.test\nnever@shop.test")
    visit.press(re.compile("^Add$"))
    expect(visit.notice).to_contain_text("2 addresses added.")
    # When one of them is looked up
    page.get_by_label("Email address").fill("no@shop.test")
    visit.press("Look up")
    facts = visit.panel("Suppression")
    expect(facts).to_contain_text("no@shop.test gets no marketing email; other email is sent.")
    expect(facts).to_contain_text("Added by hand")
    # And removed, which needs a reason
    visit.press("Remove from the list…")
    asked = page.get_by_role("dialog", name="Send to no@shop.test again?")
    asked.get_by_label("Reason").fill("asked for it")
    asked.get_by_role("button", name="Remove from the list").click()
    # Then it is off the list, and the record keeps the reason
    expect(facts).to_contain_text("no@shop.test is not suppressed.")
    expect(facts).to_contain_text("Removed: asked for it")
    # And the list is a file to take along, and to add
    assert "never@shop.test" in visit.download("Download the list")
    page.get_by_label("CSV with addresses").set_input_files(
        {"name": "more.csv", "mimeType": "text/csv", "buffer": b"email,reason\nmore@shop.test,bounced\nnobody,manual\n"}
    )
    visit.press("Add the CSV")
    expect(visit.notice).to_contain_text("1 address added. 1 row without a valid address.")


def test_an_address_is_searched_in_all_campaigns(visit: Visit) -> None:
    # Given what the server knows of an address
    row = {"row": 3, "email": "ann@shop.test", "state": "done", "reason": "", "events": [{"event": "delivered"}]}
    suppression = {"email": "ann@shop.test", "suppressed": False, "all_email": False, "entries": []}
    known = [{"id": "spring", "subject": "Hello", "status": "completed", "recipients": [row]}]
    rest = [{"id": "autumn", "subject": "Bye", "status": "running", "recipients": [{**row, "state": "pending"}]}]
    answer = {"email": "ann@shop.test", "suppression": suppression, "unsearched": []}
    visit.page.route(
        re.compile(r"/recipients\?"),
        lambda route: route.fulfill(
            json={**answer, "campaigns": rest, "next": None}
            if "after=" in route.request.url
            else {**answer, "campaigns": known, "next": "/recipients?email=ann%40shop.test&after=spring"}
        ),
    )
    # When the operator searches it
    page = visit.open("#/people").page
    page.get_by_label("Email address").fill("ann@shop.test")
    visit.press("Search")
    # Then the page says what became of it, and searches the rest
    found = visit.panel("Campaigns")
    expect(found).to_contain_text(re.compile("spring Hello.*Sent: .*row 3.*The provider reports: delivered"))
    visit.press("Search the other campaigns")
    expect(found).to_contain_text(re.compile("autumn Bye.*Not sent yet"))
    expect(visit.button("Search the other campaigns")).to_be_hidden()
    expect(visit.panel("Suppression")).to_contain_text("ann@shop.test is not suppressed.")
    assert "ann" not in page.url


def test_the_accounts_show_their_breakers(visit: Visit) -> None:
    account = {
        "name": "news", "provider": "ses", "tpm": 600, "sent_last_minute": 12, "breaker": "open",
        "reason": "503 from SES", "webhook": None, "fallback": "default",
    }  # fmt: skip
    visit.page.route("**/accounts", lambda route: route.fulfill(json=[account]))
    page = visit.open("#/accounts").page
    card = page.get_by_role("region", name="news")
    for words in ("Live: Amazon SES (news)", "Open: nothing is sent for now", "503 from SES", "12 of 600", "default"):
        expect(card).to_contain_text(words)
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Accounts")).to_have_attribute(
        "aria-current", "page"
    )
