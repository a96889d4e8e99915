"""The manual in a browser: its strict policy breaks nothing, and the search finds a page without a server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from api import manual
from docs.site import __main__ as site
from tests.support.visit import Visit


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    site.build(manual.BUILT)


def test_pages_open_without_an_error_and_the_search_finds_them(visit: Visit) -> None:
    # Given the start of the manual
    page = visit.page
    page.goto("/docs/")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Postrider"))
    # When a person follows the navigation and searches
    page.goto("/docs/faq/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("appendfsync")
    # Then a page is found; the visit checks that the browser has complained about nothing
    expect(page.get_by_text("Operations").last).to_be_visible()
