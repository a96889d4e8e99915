"""Uploads from the browser: straight into the object store, through failures, given up, refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.support.client import ApiError
from tests.support.stack import Stack
from tests.support.visit import Visit

MIB = 1024 * 1024
ROWS = 20_000
#: The size of the parts that the API asks for; what remains after two of them makes a third.
PART_BYTES = 8 * MIB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of `ROWS` recipients in three parts: its rows are large, so that it needs few of them."""
    path = tmp_path_factory.mktemp("lists") / "large.csv"
    rows = (f"r{row}@shop.test,Reader {row},{'x' * 980}\n" for row in range(ROWS))
    path.write_text("email,name,filler\n" + "".join(rows))
    assert 2 * PART_BYTES < path.stat().st_size <= 3 * PART_BYTES
    return path


def part_number(request: Request) -> int:
    """The number of a part on its way to the store; 0: it is another request."""
    query = parse_qs(urlsplit(request.url).query)
    return int(query.get("partNumber", ["0"])[0]) if request.method == "PUT" else 0


def parts_sent(page: Page) -> Counter[int]:
    """Counts from now on how often each part is sent."""
    counter: Counter[int] = Counter()
    page.on("request", lambda request: counter.update([part_number(request)] if part_number(request) else []))
    return counter


def intercept(page: Page, number: int, handle: Callable[[Route], None]) -> None:
    """Have the test handle one part instead of the store."""
    page.route(re.compile(rf"partNumber={number}\b"), handle)


def send(visit: Visit, campaign_id: str, path: Path) -> None:
    visit.campaign(campaign_id, "list")
    visit.page.get_by_label("CSV file").set_input_files(path)
    visit.press("Upload")


def test_a_large_list_goes_in_parts_straight_to_the_store(visit: Visit, stack: Stack, large: Path) -> None:
    stack.put("large", text="Dear {{ name }}")
    # When the user chooses a list of more than 10 MiB. Nothing is intercepted, so the store itself answers the
    # browser's CORS requests; the network is slow enough to watch.
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 12 * MIB}
    visit.page.context.new_cdp_session(visit.page).send("Network.emulateNetworkConditions", slow)
    sent = parts_sent(visit.page)
    send(visit, "large", large)
    # Then the page counts its bytes, and after them its rows
    expect(visit.page.get_by_role("progressbar", name="Upload")).to_be_visible()
    expect(visit.page.get_by_label("CSV file")).to_be_hidden()
    expect(visit.panel("List")).to_contain_text(re.compile(r"MiB of 19(\.\d)? MiB"))
    expect(visit.status).to_have_text(re.compile("Parsing|Ready"))
    expect(visit.status).to_have_text("Ready")
    expect(visit.panel("List")).to_contain_text("20,000 recipients, no row rejected")
    expect(visit.panel("List")).to_contain_text("large.csv")
    assert sent == {1: 1, 2: 1, 3: 1}
    assert stack.call("GET", "/campaigns/large")["size"] == large.stat().st_size


def test_only_the_failed_part_is_sent_again(visit: Visit, stack: Stack, large: Path) -> None:
    # Given a store that drops part 2 once and then refuses it
    stack.put("patchy", text="Dear {{ name }}")
    visit.expected += ["ERR_FAILED .*partNumber=2", "403 .*partNumber=2"]
    allow = {"Access-Control-Allow-Origin": "*"}
    sent = parts_sent(visit.page)

    def answer(route: Route) -> None:
        if sent[2] == 1:
            route.abort()
        else:
            route.fulfill(status=403, headers=allow)

    intercept(visit.page, 2, answer)
    send(visit, "patchy", large)
    # Then the page recovers silently from the first failure, tries the second with a fresh address, and shows it
    upload = visit.page.locator(".upload")
    expect(upload.get_by_role("alert")).to_contain_text("Part 2 of 3 was not uploaded: the object store answered 403")
    expect(visit.status).to_have_text("Draft")
    # When the user sends the rest again
    visit.page.unroute_all()
    before = dict(sent)
    visit.press("Resume upload")
    # Then it arrives, and the parts that had arrived are not sent twice
    expect(visit.status).to_have_text("Ready")
    expect(visit.panel("List")).to_contain_text("20,000 recipients")
    assert before[2] == 3
    assert sent[2] == 4
    assert sent[1] == 1
    assert sent[3] <= 2  # the part may have been under way when part 2 was given up


def test_an_upload_that_the_user_gives_up_is_aborted(visit: Visit, stack: Stack, large: Path) -> None:
    # Given an upload whose second part makes no progress
    stack.put("given-up", text="Dear {{ name }}")
    held: list[Route] = []
    intercept(visit.page, 2, lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks its handlers
    with visit.page.expect_response(re.compile("upload/init")) as begun:
        send(visit, "given-up", large)
    upload_id = begun.value.json()["upload_id"]
    expect(visit.page.locator(".upload")).to_contain_text("2 of 3 parts")
    # When the user gives it up
    visit.expected += ["ERR_FAILED .*partNumber=2"]
    visit.press("Abort upload")
    # Then it is gone, here and on the server, and the user can choose another file
    expect(visit.notice).to_contain_text("Upload aborted")
    expect(visit.page.locator(".upload")).to_be_hidden()
    with pytest.raises(ApiError, match="404"):
        stack.call("POST", "/campaigns/given-up/upload/complete", {"upload_id": upload_id})
    visit.choose_list("small.csv", b"email,name\na@shop.test,A\n")
    visit.press("Upload")
    expect(visit.panel("List")).to_contain_text("1 recipient, no row rejected")


def test_a_list_that_cannot_be_used_says_why_and_can_be_replaced(visit: Visit, stack: Stack) -> None:
    stack.put("wrong")
    stack.upload("wrong", b"Contact,name\na@shop.test,A\n")
    visit.campaign("wrong")
    expect(visit.status).to_have_text("Rejected")
    expect(visit.reason).to_contain_text("The list cannot be used")
    expect(visit.reason).to_contain_text("email")
    expect(visit.button("Review and start")).to_be_hidden()

    visit.expected += ["422 .*dry_run"]
    visit.page.get_by_text("Replace the list").click()
    visit.choose_list("addresses.csv", b"Contact,name\na@shop.test,A\n")
    visit.page.get_by_label("Email column").fill("Contact")
    visit.page.keyboard.press("Tab")
    visit.press("Upload")
    expect(visit.status).to_have_text("Ready")
    expect(visit.reason).to_be_hidden()


def test_an_upload_goes_on_by_itself_when_the_line_is_back(visit: Visit, stack: Stack, large: Path) -> None:
    # Given an upload whose line is lost after the first part
    stack.put("line", text="Dear {{ name }}")
    visit.expected += ["ERR_", "Failed to load"]
    intercept(visit.page, 2, lambda route: route.abort())
    send(visit, "line", large)
    upload = visit.page.locator(".upload")
    expect(upload).to_contain_text("The upload goes on by itself once the connection is back.")
    # When the line is back, then the upload ends without a click
    visit.page.unroute_all()
    visit.page.evaluate("() => window.dispatchEvent(new Event('online'))")
    expect(visit.status).to_have_text("Ready")
    expect(visit.panel("List")).to_contain_text("20,000 recipients")


def test_an_upload_goes_on_after_a_reload_with_the_same_file(visit: Visit, stack: Stack, large: Path) -> None:
    # Given an upload that is interrupted by a reload after some parts
    stack.put("reload", text="Dear {{ name }}")
    visit.expected += ["ERR_", "Failed to load", "dialog beforeunload"]
    held: list[Route] = []
    intercept(visit.page, 2, lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks its handlers
    send(visit, "reload", large)
    expect(visit.page.locator(".upload")).to_contain_text("2 of 3 parts")
    visit.page.reload()
    visit.page.unroute_all()
    assert any("dialog beforeunload" in text for text in visit.heard)
    # Then the page says so; another file is refused
    broken = visit.page.locator(".interrupted")
    expect(broken).to_contain_text("large.csv")
    choose = broken.get_by_label("Choose large.csv again")
    choose.set_input_files({"name": "large.csv", "mimeType": "text/csv", "buffer": b"email\na@shop.test\n"})
    expect(broken.get_by_role("alert")).to_contain_text("This is another file")
    # When the same file is chosen, then only the missing part is sent
    sent = parts_sent(visit.page)
    choose.set_input_files(large)
    expect(visit.status).to_have_text("Ready")
    expect(visit.panel("List")).to_contain_text("20,000 recipients")
    assert sent == {2: 1}
