"""The message before the start: edited beside a live preview, checked, shown side by side, sent as a test."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.stack import Stack
from tests.support.visit import Visit, readers

HTML = '<style>p { color: rgb(200, 0, 0) }</style><p style="margin: 7px">Dear {{ name }}</p><script>alert(1)</script>'


def test_an_operator_looks_at_a_message_before_the_start(visit: Visit, stack: Stack) -> None:
    # Given a campaign with a tag of another system
    stack.put("message", subject="Hello {{ name }}", html=HTML, text="Hi *|FNAME|*")
    stack.upload("message", readers(3, "nobody,x\nr4@shop.test,Reader 4\n"))
    visit.expected += ["Blocked script execution", "404"]
    # When the operator opens the checks
    visit.campaign("message", "check")
    # Then the page says what was found, and where
    expect(visit.panel("Checks")).to_contain_text(
        re.compile(r"Must be accepted text, line 1, character 4: \*\|FNAME\|\* is a tag of Mailchimp")
    )

    # When the operator turns to the second row
    panel = visit.panel("Emails as they will be sent")
    panel.get_by_role("button", name="Next row").click()
    # Then its email is shown in all its forms, with its styles, in frames that run no script
    expect(panel).to_contain_text("r2@shop.test")
    expect(panel).to_contain_text("Hello Reader 2")
    expect(panel.locator("pre").filter(has_text="Hi *|FNAME|*")).to_be_visible()
    for title in ("HTML of the email", "HTML of the email on a phone"):
        frame = panel.get_by_title(title, exact=True)
        expect(frame).to_have_attribute("sandbox", "")
        paragraph = panel.frame_locator(f'iframe[title="{title}"]').locator("p")
        expect(paragraph).to_have_text("Dear Reader 2")
        expect(paragraph).to_have_css("color", "rgb(200, 0, 0)")

    # When the operator turns on, then rows that are no recipients are passed over, and the end is said
    panel.get_by_label("Row of the list").fill("3")
    panel.get_by_role("button", name="Next row").click()
    expect(panel).to_contain_text("r4@shop.test")
    panel.get_by_role("button", name="Next row").click()
    expect(panel.get_by_role("alert")).to_contain_text("There is no row 6: the list has rows 1 to 5.")

    # When the operator sends a test email
    panel.get_by_label("Row of the list").fill("2")
    visit.page.get_by_role("textbox", name="Send to").fill("me@shop.test, you@shop.test")
    visit.press("Send test email")
    # Then both addresses got one
    expect(visit.page.get_by_role("list", name="Test emails")).to_contain_text("me@shop.test: accepted")
    assert {(sent.to, sent.subject) for sent in stack.double.arrivals() if sent.campaign_id == "message"} == {
        ("me@shop.test", "[Test] Hello Reader 2"), ("you@shop.test", "[Test] Hello Reader 2"),
    }  # fmt: skip

    # When the operator starts the campaign, having ticked that its warnings are accepted
    visit.step("Send")
    visit.start(accept=True)
    # Then it is sent
    expect(visit.status).to_have_text("Completed")


def test_the_preview_follows_what_is_written(visit: Visit, stack: Stack) -> None:
    # Given a campaign with a list
    stack.put("written", subject="Hello", text="Dear reader")
    stack.upload("written", readers(3))
    visit.expected += ["422 .*/preview", "dialog beforeunload"]
    page = visit.campaign("written", "content").page
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("Dear reader")
    # When the operator inserts a column where the cursor is
    subject = page.get_by_label("Subject")
    subject.press("End")
    page.get_by_role("group", name="Insert a column").get_by_role("button", name="name").click()
    # Then the preview shows it for the row, and nothing is saved yet
    expect(subject).to_have_value("Hello{{ name }}")
    expect(preview).to_contain_text("HelloReader 1")
    assert stack.call("GET", "/campaigns/written")["subject"] == "Hello"
    # When a template is broken, then the checks name its place, and the place is a button that leads there
    text = page.get_by_label("Text", exact=True)
    text.fill("One\nTwo {{ name")
    page.get_by_role("region", name="Checks").get_by_role("button", name=re.compile("text, line 2")).click()
    expect(text).to_be_focused()
    # When the page is opened again, then what was written is still there
    page.reload()
    expect(page.get_by_label("Subject")).to_have_value("Hello{{ name }}")
    expect(page.get_by_text("Your unsaved changes are here again.")).to_be_visible()
    # When it is mended and saved, then the campaign has it
    page.get_by_label("Text", exact=True).fill("Dear {{ name }}")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert stack.call("GET", "/campaigns/written")["text"] == "Dear {{ name }}"


def test_the_fields_behind_more_are_kept_and_changed(visit: Visit, stack: Stack) -> None:
    # Given a campaign with settings that few campaigns have
    ramp = {"from": 10, "to": 500, "over_hours": 2}
    stack.put("more", where="name != 'X'", duplicates="keep", headers={"X-Kept": "yes"}, ramp=ramp, weight=3)
    page = visit.campaign("more", "content").page
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("From, per minute")).to_have_value("10")
    expect(page.get_by_label("Send to repeated addresses too")).to_be_checked()
    # When the operator changes one of them
    page.get_by_label("Only rows for which this is true").fill("name == 'Y'")
    visit.press("Save")
    expect(page.get_by_text("Saved.")).to_be_visible()
    # Then it has changed, and the others have not
    saved = stack.call("GET", "/campaigns/more")
    assert saved["where"] == "name == 'Y'"
    assert (saved["duplicates"], saved["headers"], saved["ramp"], saved["weight"]) == (
        "keep", {"X-Kept": "yes"}, ramp, 3,
    )  # fmt: skip


def test_files_are_attached_and_removed(visit: Visit, stack: Stack) -> None:
    stack.put("files")
    page = visit.campaign("files", "content").page
    page.get_by_role("heading", name="Attachments").click()
    page.get_by_label("Attach files").set_input_files(
        {"name": "terms.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 terms"}
    )
    expect(page.get_by_role("listitem").filter(has_text="terms.pdf")).to_contain_text("14 B, application/pdf")
    visit.press("Remove terms.pdf")
    expect(page.get_by_text("No file is attached.")).to_be_visible()
    assert stack.call("GET", "/campaigns/files/attachments")["attachments"] == []
