"""A list on the page: what it would give before it is taken, its warnings, and the tick that a start wants."""

# ruff: noqa: RUF001 - a list in Cyrillic

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.stack import Stack
from tests.support.visit import Visit


def test_a_guessed_encoding_is_shown_and_accepted_before_the_start(visit: Visit, stack: Stack) -> None:
    """Given a list whose encoding is a guess, then the page shows a value of it, and the start wants a tick."""
    stack.put("guessed", text="Dear {{ name }}")
    visit.campaign("guessed", "list")
    # When
    visit.choose_list("people.csv", "name;e-mail\nZoë;zoe@shop.test\nBob;bob\n".encode("cp1252"))
    visit.press("Upload")
    expect(visit.status).to_have_text("Ready")
    # Then
    for words in ("cp1252", "semicolon", "e-mail", "Zoë", "encoding is not certain", "has no valid address"):
        expect(visit.panel("List")).to_contain_text(words)
    visit.step("Send")
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


def test_a_list_is_read_again_with_other_options_before_it_is_taken(visit: Visit, stack: Stack) -> None:
    # Given a list whose column of addresses has an unusual name, and whose encoding is not what it seems
    stack.put("again", text="Dear {{ name }}")
    visit.expected += ["422 .*dry_run"]
    page = visit.campaign("again", "list").page
    visit.choose_list("people.csv", "name,contact\nЖанна,zh@shop.test\nБорис,b@shop.test\n".encode("cp1251"))
    # Then the page says that no column of addresses was found, and offers to name it
    found = page.locator(".dry-run")
    expect(found.get_by_role("alert")).to_contain_text("email")
    expect(visit.button("Upload")).to_be_disabled()
    # When the operator names the column and the encoding
    found.get_by_label("Email column").fill("contact")
    found.get_by_label("Encoding").select_option("cp1251")
    # Then the rows are shown as they will be read, and the list is taken so
    expect(found.get_by_role("row").nth(1)).to_contain_text("Жанна")
    expect(found).to_contain_text("2 recipients")
    visit.press("Upload")
    expect(visit.status).to_have_text("Ready")
    campaign = stack.call("GET", "/campaigns/again")
    assert (campaign["email_column"], campaign["list_facts"]["encoding"]) == ("contact", "cp1251")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n....", "photo.png is a PNG image, not a list."),
        ("nothing.csv", b"", "nothing.csv is empty."),
        ("old.xls", b"\xd0\xcf\x11\xe0....", "save it as XLSX or CSV"),
    ],
    ids=["png", "empty", "xls"],
)
def test_a_file_that_is_no_list_is_refused_at_the_choice(
    visit: Visit, stack: Stack, name: str, content: bytes, words: str
) -> None:
    stack.put("no-list")
    visit.campaign("no-list", "list")
    visit.choose_list(name, content)
    expect(visit.page.locator(".dry-run").get_by_role("alert")).to_contain_text(words)
    expect(visit.button("Upload")).to_be_disabled()


def test_a_file_can_be_dropped(visit: Visit, stack: Stack) -> None:
    stack.put("dropped")
    page = visit.campaign("dropped", "list").page
    transfer = page.evaluate_handle(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["email\\na@shop.test\\n"], "dropped.csv", { type: "text/csv" }));
          return transfer;
        }"""
    )
    page.locator(".drop-zone").dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.locator(".dry-run")).to_contain_text("dropped.csv")
    expect(page.locator(".dry-run")).to_contain_text("1 recipient; no row is left out.")
