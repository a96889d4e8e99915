"""Readable everywhere: on a phone, by keyboard, page by page, and in colours with enough contrast."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.stack import Stack
from tests.support.visit import Visit, readers

LONG = "a-campaign-id-of-sixty-four-characters_without-any-place-to-rest"
PHONE = {"width": 320, "height": 640}


def steps(campaign_id: str) -> list[str]:
    """The addresses of the steps before the start."""
    return [f"#/campaigns/{campaign_id}/{step}" for step in ("content", "list", "check", "send")]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_nothing_is_wider_than_the_screen_of_a_phone(visitor: Callable[..., Visit], stack: Stack) -> None:
    assert len(LONG) == 64
    stack.put(LONG, subject="W" * 300, **{"from": f"{'N' * 60} <news@shop.test>"})
    stack.upload(
        LONG, (f"email,{'c' * 150}," + ",".join(f"column_{n}" for n in range(60)) + "\na@shop.test\n").encode()
    )
    visit = visitor(stack.port, viewport=PHONE)
    visit.campaign(LONG)
    expect(visit.status).to_have_text("Ready")
    assert overflow(visit.page) == 0
    visit.press("Cancel")
    expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert overflow(visit.page) == 0
    visit.page.keyboard.press("Escape")
    for address in ("#/", "#/new", "#/people", "#/suppressions", "#/accounts", *steps(LONG)):
        visit.open(address)
        expect(visit.page.get_by_role("heading", level=1)).to_be_visible()
        expect(visit.page.get_by_text("Loading")).to_have_count(0)
        assert overflow(visit.page) == 0, address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(visitor: Callable[..., Visit], stack: Stack, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1, measured on what the browser has made of the style sheets."""
    stack.put("colours")
    stack.upload("colours", readers(5, "nobody,x\n"))
    visit = visitor(stack.port, color_scheme=scheme)
    visit.campaign("colours")
    expect(visit.status).to_have_text("Ready")
    assert visit.page.evaluate(WEAK_TEXTS) == []
    visit.open("#/new")
    expect(visit.button("Create")).to_be_visible()
    assert visit.page.evaluate(WEAK_TEXTS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_has_a_barrier(visitor: Callable[..., Visit], stack: Stack, width: int, scheme: str) -> None:
    """Axe-core's rules on every page, on a phone and on a desk, in light and in dark."""
    name = f"open-{width}-{scheme}"
    stack.put(name, text="Hi *|FNAME|* {{ name }}")
    stack.upload(name, readers(5, "nobody,x\n"))
    visit = visitor(stack.port, viewport={"width": width, "height": 900}, color_scheme=scheme)
    for address in ("#/", "#/new", "#/people", "#/suppressions", "#/accounts", *steps(name)):
        visit.open(address)
        expect(visit.page.get_by_text("Loading")).to_have_count(0)
        assert visit.barriers() == [], address
    visit.press("Review and start")
    expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert visit.barriers() == []


#: The visible elements that contain text themselves and whose contrast is below 4.5.
WEAK_TEXTS = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const shown = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility() &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  return shown.map((element) => {
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    return [element.className || element.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  }).filter(([, contrast]) => contrast < 4.5);
}"""


def test_the_list_is_paged_and_updates_without_a_reload(visit: Visit, stack: Stack) -> None:
    # Given more campaigns than a page shows, the newest of them running
    for number in range(25):
        stack.put(f"page-{number:02}", tpm=1)
    stack.upload("page-24", readers(100))
    stack.start("page-24")
    page = visit.open().page
    newest = page.get_by_role("row", name=re.compile("page-24"))
    expect(newest).to_contain_text("Running")
    expect(page.get_by_role("row", name=re.compile("page-04"))).to_have_count(0)
    # When one changes, then the page shows it without a reload
    stack.call("POST", "/campaigns/page-24/cancel")
    expect(newest).to_contain_text("Cancelled")
    # When the user opens the next page
    page.get_by_role("link", name="Older campaigns").click()
    expect(page.get_by_role("row", name=re.compile("page-04"))).to_be_visible()
    expect(page.get_by_role("heading", name="Campaigns", exact=True)).to_be_focused()


def test_campaigns_are_searched_sorted_and_chosen_by_state(visit: Visit, stack: Stack) -> None:
    # Given campaigns of one kind in two states
    for number in range(22):
        stack.put(f"hunt-{number:02}", subject=f"Prey {number}")
    stack.upload("hunt-07", readers(3))
    stack.until_status("hunt-07", "ready")
    page = visit.open().page
    expect(page.get_by_role("row", name=re.compile("hunt-21"))).to_be_visible()
    # When the user searches, then the list follows, the address keeps the question, and the focus stays
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("PREY 1")
    expect(page.get_by_role("row", name=re.compile("hunt-"))).to_have_count(11)
    expect(search).to_be_focused()
    expect(page).to_have_url(re.compile("search=PREY"))
    # When a state is chosen
    search.fill("hunt")
    page.get_by_label("State").select_option("ready")
    expect(page.get_by_role("row", name=re.compile("hunt-"))).to_have_count(1)
    expect(page.get_by_role("row", name=re.compile("hunt-07"))).to_be_visible()
    # When the order is by id, then the pages keep the question, and so does a reload
    page.get_by_label("State").select_option("")
    page.get_by_label("Order").select_option("name")
    expect(page.get_by_role("row", name=re.compile("hunt-")).first).to_contain_text("hunt-00")
    page.get_by_role("link", name="Older campaigns").click()
    expect(page.get_by_role("row", name=re.compile("hunt-"))).to_have_count(2)
    page.reload()
    expect(page.get_by_role("row", name=re.compile("hunt-21"))).to_be_visible()
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("hunt")
    # When nothing matches
    page.get_by_role("searchbox", name="Search").fill("no such campaign")
    expect(page.get_by_text("No campaign matches.")).to_be_visible()


def test_the_keyboard_reaches_everything(visit: Visit, stack: Stack) -> None:
    stack.put("keys")
    page = visit.open().page
    link = page.get_by_role("link", name="keys", exact=True)
    expect(link).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="keys", exact=True)).to_be_focused()


def test_without_campaigns_the_page_says_what_to_do(visit: Visit) -> None:
    empty = {"campaigns": [], "total": 0, "offset": 0, "limit": 20, "next": None}
    visit.page.route(re.compile(r"/campaigns\?"), lambda route: route.fulfill(json=empty))
    visit.open()
    expect(visit.page.get_by_role("heading", name="No campaigns yet")).to_be_visible()
    expect(visit.page.get_by_role("link", name="New campaign")).to_have_count(2)
