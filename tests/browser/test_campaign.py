"""A campaign from the form to the last email, as a newcomer works with it."""

from __future__ import annotations

import csv
import io
import re

from playwright.sync_api import Locator, expect

from tests.support.stack import Stack
from tests.support.visit import Visit, readers


def test_a_newcomer_sends_a_campaign(visit: Visit, stack: Stack) -> None:
    # Given a newcomer at the start
    page = visit.open().page
    page.get_by_role("link", name="New campaign").first.click()
    page.get_by_label("Name").fill("Spring 2026!")
    page.get_by_label("From", exact=True).fill("News <news@shop.test>")
    page.get_by_label("Subject").fill("Hello {{ name }}")
    page.get_by_label("Text", exact=True).fill("Dear {{ name }}, it is spring.")
    page.get_by_role("spinbutton", name="Emails per minute").fill("600")
    # When the newcomer creates the campaign, which gets its id from its name, and chooses a list
    visit.press("Create campaign")
    expect(page).to_have_url(re.compile("#/campaigns/spring-2026/list$"))
    visit.choose_list("readers.csv", readers(300, "nobody,N\nr1@shop.test,Again\n"))
    # Then the page shows what the list would give, before it is taken
    check_dry_run(page.locator(".dry-run"))
    visit.press("Upload")
    # Then the server parses the list, and the page shows its counts
    expect(visit.status).to_have_text("Ready")
    check_list(visit)

    # When the campaign is about to be started
    visit.step("Send")
    visit.press("Review and start")
    # Then a sheet says who gets what, how fast and until when, and what is left out
    check_review(page.get_by_role("dialog", name="Start spring-2026?"))
    visit.press("Start sending to 300 recipients")
    # Then the figures change without a reload
    expect(visit.status).to_have_text("Running")
    expect(visit.button("Review")).to_be_hidden()
    expect(visit.figure("done")).to_have_text(re.compile("^[1-9]"))
    before = visit.figure("done").inner_text()
    expect(visit.figure("done")).not_to_have_text(before)
    expect(page.get_by_role("img", name=re.compile(r"^Emails per second: now (0\.[1-9]|[1-9])"))).to_be_visible()
    expect(page).to_have_title(re.compile("running: spring-2026"))

    # When it is paused by the keyboard
    expect(visit.button("Pause")).to_be_enabled()
    visit.button("Pause").focus()
    expect(visit.button("Pause")).to_be_focused()
    page.keyboard.press("Enter")
    # Then the page says so, and the focus is on the next step
    expect(visit.status).to_have_text("Paused")
    expect(visit.notice).to_contain_text("Paused.")
    expect(visit.button("Resume")).to_be_focused()
    expect(visit.panel("Rate")).to_contain_text("Paused")

    # When it is resumed at another rate
    visit.press("Resume")
    expect(visit.status).to_have_text("Running")
    page.get_by_role("spinbutton", name="Emails per minute").fill("60000")
    visit.press("Set limit")
    expect(visit.notice).to_contain_text("60,000 emails per minute")

    # Then every recipient gets the email, and the page says so
    expect(visit.status).to_have_text("Completed")
    expect(visit.figure("done")).to_have_text("300")
    expect(visit.figure("pending")).to_have_text("0")
    expect(visit.button("Pause")).to_be_hidden()
    check_sent(visit, stack)
    page.get_by_role("link", name="All campaigns").click()
    listed = page.get_by_role("row", name=re.compile("spring-2026"))
    expect(listed).to_contain_text("Completed")
    expect(listed).to_contain_text("300")


def check_dry_run(found: Locator) -> None:
    expect(found).to_contain_text("300 recipients; 1 row has no valid address, 1 row repeats an address.")
    for words in ("utf-8", "comma", "Reader 5"):
        expect(found).to_contain_text(words)
    expect(found.get_by_role("row")).to_have_count(6)


def check_list(visit: Visit) -> None:
    facts = visit.panel("List")
    expect(facts).to_contain_text("300 recipients, 2 rows rejected")
    expect(facts.locator(".tags").first).to_have_text(re.compile("email.*name"))
    rejected = list(csv.DictReader(io.StringIO(visit.download("Rejected rows as CSV"))))
    assert [row["row"] for row in rejected] == ["301", "302"]
    facts.get_by_text("Examples").click()
    expect(facts.get_by_role("listitem").filter(has_text="Row 301")).to_contain_text("nobody invalid_email")


def check_sent(visit: Visit, stack: Stack) -> None:
    arrived = [arrival.row for arrival in stack.double.arrivals() if arrival.campaign_id == "spring-2026"]
    assert sorted(arrived) == list(range(1, 301))
    rows = list(csv.DictReader(io.StringIO(visit.download("All rows"))))
    assert len(rows) == 302
    assert {row["state"] for row in rows[:300]} == {"done"}


def check_review(sheet: Locator) -> None:
    expect(sheet).to_contain_text("300 people get this email, from News <news@shop.test>, at 600 emails per minute")
    expect(sheet).to_contain_text(re.compile(r"done by about \d\d:\d\d"))
    expect(sheet).to_contain_text("Hello Reader 1 (as r1@shop.test gets it)")
    for words in ("Live: SendGrid", "1 row repeats an address", "1 row has no valid address"):
        expect(sheet).to_contain_text(words)


def test_an_operator_decides_about_a_failed_and_an_unknown_row(visit: Visit, stack: Stack) -> None:
    # Given a campaign that has sent what it could
    stack.double.behave(rules=[{"to": "bad*", "answers": ["400"]}, {"to": "odd*", "answers": ["reset"]}])
    stack.put("mixed", tpm=60_000)
    stack.upload("mixed", b"email\na@shop.test\nbad1@shop.test\nbad2@shop.test\nodd@shop.test\n")
    stack.start("mixed")
    visit.campaign("mixed")
    expect(visit.status).to_have_text("Completed")
    expect(visit.figure("failed")).to_have_text("2")
    expect(visit.figure("unknown")).to_have_text("1")
    assert '"bad1@shop.test","failed",' in visit.download("Failed rows as CSV")

    # When the provider accepts everything and the failed rows are retried
    stack.double.behave(rules=[])
    visit.press("Retry 2 failed")
    # Then they are sent
    expect(visit.figure("done")).to_have_text("3")
    expect(visit.figure("failed")).to_have_text("0")
    expect(visit.panel("2 failed")).to_be_hidden()

    # When the user asks to send the unknown row again, goes back, and counts it as done instead
    visit.press("Send again")
    asked = visit.page.get_by_role("dialog")
    expect(asked).to_contain_text("get it twice")
    expect(asked.get_by_role("button", name="Go back")).to_be_focused()
    visit.page.keyboard.press("Escape")
    expect(visit.figure("unknown")).to_have_text("1")
    visit.press("Count as done")
    # Then no row is left to decide about
    expect(visit.figure("done")).to_have_text("4")
    expect(visit.panel("1 unknown")).to_be_hidden()

    # When the campaign is reconciled
    visit.expected += [r"404 .*/mixed/reconcile"]
    visit.page.get_by_text("Reconciliation").click()
    visit.press("Reconcile now")
    # Then the page shows the report
    expect(visit.panel("Reconciliation")).to_contain_text("nothing to repair")


def test_cancel_and_delete_ask_first_and_name_what_they_do(visit: Visit, stack: Stack) -> None:
    stack.put("gone", tpm=60)
    stack.upload("gone", readers(500))
    stack.start("gone")
    visit.campaign("gone")
    expect(visit.status).to_have_text("Running")
    expect(visit.button("Delete")).to_be_hidden()

    visit.press("Cancel")
    asked = visit.page.get_by_role("dialog", name="Cancel gone for good?")
    expect(asked).to_contain_text(re.compile(r"(49\d|500) recipients will not get the email"))
    asked.get_by_role("button", name="Keep campaign").click()
    expect(visit.status).to_have_text("Running")

    visit.press("Cancel")
    visit.press("Cancel campaign")
    expect(visit.status).to_have_text("Cancelled")
    expect(visit.button(re.compile("Pause|Resume|Cancel"))).to_have_count(0)

    visit.press("Delete")
    asked = visit.page.get_by_role("dialog", name="Delete gone?")
    expect(asked).to_contain_text("cannot be undone")
    asked.get_by_role("button", name="Delete campaign").click()
    expect(visit.page.get_by_role("heading", name="Campaigns", exact=True)).to_be_focused()
    assert stack.ask("GET", "/campaigns/gone")[0] == 404


def test_a_column_that_the_list_lacks_is_named_before_the_start(visit: Visit, stack: Stack) -> None:
    stack.put("holes", text="Dear {{ name }} from {{ city }}", headers={"X-Kept": "yes"})
    stack.upload("holes", readers(3))
    visit.campaign("holes")
    expect(visit.status).to_have_text("Not ready")
    expect(visit.reason).to_contain_text(re.compile(r"cannot start yet.*\{\{\s*city\s*\}\}"))
    expect(visit.button("Review and start")).to_be_hidden()

    visit.expected += ["422 .*/preview"]
    visit.step("Content")
    problem = visit.page.get_by_role("region", name="Checks")
    expect(problem).to_contain_text("Stops the start")
    visit.page.get_by_label("Text", exact=True).fill("Dear {{ name }}")
    expect(problem).not_to_contain_text("Stops the start")
    visit.press("Save")
    expect(visit.page.get_by_text("Saved.")).to_be_visible()
    visit.step("Send")
    expect(visit.button("Review and start")).to_be_visible()
    expect(visit.reason).to_be_hidden()
    saved = stack.call("GET", "/campaigns/holes")
    assert (saved["text"], saved["headers"]) == ("Dear {{ name }}", {"X-Kept": "yes"})


def test_a_campaign_is_duplicated_under_a_new_name(visit: Visit, stack: Stack) -> None:
    stack.put("first-of-two", subject="The same for both", weight=7)
    page = visit.campaign("first-of-two").page
    visit.press("Duplicate…")
    asked = page.get_by_role("dialog", name="Duplicate first-of-two")
    asked.get_by_label("Name").fill("Zweites für Łódź")
    asked.get_by_role("button", name="Duplicate").click()
    expect(page).to_have_url(re.compile("#/campaigns/zweites-fur-lodz/content$"))
    expect(page.get_by_label("Subject")).to_have_value("The same for both")
    assert stack.call("GET", "/campaigns/zweites-fur-lodz")["weight"] == 7
