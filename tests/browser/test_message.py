"""The message's panel: what was found about it, a preview of a row, and test emails."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.stack import Stack
from tests.support.visit import Visit, readers

HTML = '<style>p { color: rgb(200, 0, 0) }</style><p style="margin: 7px">Dear {{ name }}</p><script>alert(1)</script>'


def test_an_operator_looks_at_a_message_before_the_start(visit: Visit, stack: Stack) -> None:
    # Given a campaign with a tag of another system
    stack.put("message", subject="Hello {{ name }}", html=HTML, text="Hi *|FNAME|*")
    stack.upload("message", readers(3))
    visit.campaign("message")
    panel = visit.panel("Message")
    # Then the panel says what was found
    expect(panel.get_by_role("heading", name="Checks")).to_be_visible()
    expect(panel).to_contain_text(
        re.compile(r"Must be accepted text, line 1, character 4: \*\|FNAME\|\* is a tag of Mailchimp")
    )

    # When the operator previews the second row
    panel.get_by_label("Row of the list").fill("2")
    visit.press("Preview")
    # Then its email is shown, with its styles, in a frame that runs no script
    expect(panel).to_contain_text("r2@shop.test")
    expect(panel).to_contain_text("Hello Reader 2")
    paragraph = panel.frame_locator("iframe").locator("p")
    expect(paragraph).to_have_text("Dear Reader 2")
    expect(paragraph).to_have_css("color", "rgb(200, 0, 0)")
    expect(paragraph).to_have_css("margin-top", "7px")
    expect(panel.locator("iframe")).to_have_attribute("sandbox", "")
    visit.expected.append("Blocked script execution")

    # When the row does not exist
    visit.expected.append("404")
    panel.get_by_label("Row of the list").fill("9")
    visit.press("Preview")
    # Then the page says so
    expect(visit.notice).to_contain_text("There is no row 9: the list has rows 1 to 3.")

    # When the operator sends a test email
    panel.get_by_label("Row of the list").fill("2")
    panel.get_by_label("Send to").fill("me@shop.test, you@shop.test")
    visit.press("Send test email")
    # Then both addresses got one
    expect(panel.get_by_role("list", name="Test emails")).to_contain_text("me@shop.test: accepted")
    assert {(sent.to, sent.subject) for sent in stack.double.arrivals() if sent.campaign_id == "message"} == {
        ("me@shop.test", "[Test] Hello Reader 2"), ("you@shop.test", "[Test] Hello Reader 2"),
    }  # fmt: skip

    # When the operator starts the campaign, having ticked that its warnings are accepted
    visit.start(accept=True)
    # Then it is sent
    expect(visit.status).to_have_text("Completed")
