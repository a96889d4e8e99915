"""A list on the page: what was recognised in it, its warnings, and the tick that a start wants."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.stack import Stack
from tests.support.visit import Visit


def test_a_guessed_encoding_is_shown_and_accepted_before_the_start(visit: Visit, stack: Stack) -> None:
    """Given a list whose encoding is a guess, then the page shows a value of it, and the start wants a tick."""
    stack.put("guessed", text="Dear {{ name }}")
    visit.campaign("guessed")
    # When
    visit.choose_list("people.csv", "name;e-mail\nZoë;zoe@shop.test\nBob;bob\n".encode("cp1252"))
    visit.press("Upload")
    expect(visit.status).to_have_text("Ready")
    # Then
    for words in ("cp1252", "semicolon", "e-mail", "Zoë", "encoding is not certain", "without a valid address"):
        expect(visit.panel("List")).to_contain_text(words)
    visit.press("Review and start")
    sheet = visit.page.get_by_role("dialog")
    expect(sheet).to_contain_text("encoding is not certain")
    sheet.get_by_role("button", name="Start sending to 1 recipient").click()
    expect(sheet.get_by_role("alert")).to_contain_text("Tick this first")
    expect(visit.page.get_by_label("I have read the warnings")).to_be_focused()
    # When
    visit.page.keyboard.press("Space")
    sheet.get_by_role("button", name="Start sending to 1 recipient").click()
    # Then
    expect(visit.status).to_have_text("Completed")
