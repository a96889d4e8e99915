"""A campaign under way and after its end: what sets its speed, why rows failed, the whole run, the report."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from playwright.sync_api import Route, expect

from tests.support.stack import Stack
from tests.support.visit import Visit, readers


def test_an_ended_campaign_shows_its_whole_run_and_a_report(visit: Visit, stack: Stack) -> None:
    # Given a campaign that has ended with rows that failed for two kinds of reasons
    stack.double.behave(rules=[{"to": "bad*", "answers": ["400"]}])
    stack.put("ended", tpm=60_000, text="Half of it: {{ 10 / (n|number) }}")
    stack.upload("ended", b"email,n\na@shop.test,2\nb@shop.test,0\nc@shop.test,0\nbad@shop.test,5\nnobody,1\n")
    stack.call("POST", "/campaigns/ended/start", {"accept_warnings": True})
    stack.until_status("ended", "completed")
    # When someone opens its page afterwards
    page = visit.campaign("ended").page
    # Then the failed rows are grouped by reason, with whether a retry can help
    failed = visit.panel("3 failed").get_by_role("listitem")
    expect(failed).to_have_count(2)
    expect(failed.nth(0)).to_contain_text(
        re.compile(r"2text, line 1: division by zero.*A retry fails again.*rows 2, 3")
    )
    expect(failed.nth(1)).to_contain_text(re.compile("1.*A retry rarely helps.*row 4"))
    # And the report has the counts and the run
    report = visit.panel("Report")
    for words in ("Recipients4", "Done1 (25", "Failed3 (75", "1 row has no valid address", "division by zero"):
        expect(report).to_contain_text(words)
    expect(report).to_contain_text("Live: SendGrid")
    # And the plot and the history show what happened before the page was opened
    expect(page.get_by_role("img", name=re.compile("^The whole run"))).to_be_visible()
    page.get_by_role("heading", name="History").click()
    expect(visit.panel("History").get_by_role("listitem").first).to_contain_text("Completed by system")
    # And the bar is full
    widths = page.evaluate(
        """() => {
          const bar = document.querySelector(".panel .bar");
          const width = (element) => element.getBoundingClientRect().width;
          return [width(bar), [...bar.children].reduce((sum, segment) => sum + width(segment), 0)];
        }"""
    )
    assert abs(widths[0] - widths[1]) <= 2, widths
    stack.double.behave(rules=[])


def test_the_page_says_what_sets_the_speed_and_when_it_ends(visit: Visit, stack: Stack) -> None:
    # Given a campaign that has been started a moment ago
    stack.put("speed", tpm=60)
    stack.upload("speed", readers(600))
    stack.start("speed")
    visit.campaign("speed")
    # Then the time left comes from the limit, also right after a change of it
    expect(visit.panel("Rate")).to_contain_text(re.compile(r"about (10|9) min, done by \d\d:\d\d"))
    stack.rate("speed", 120)
    expect(visit.panel("Rate")).to_contain_text(re.compile("about 5 min"))
    stack.call("POST", "/campaigns/speed/pause")
    expect(visit.panel("Rate")).to_contain_text("Paused")
    stack.call("POST", "/campaigns/speed/resume")
    expect(visit.panel("Rate")).to_contain_text(re.compile("about 5 min"))
    expect(visit.page.locator(".hold")).to_contain_text("The limit of 120 emails per minute")
    # When all workers are gone
    answer = json.dumps({"status": "ok", "redis": "ok", "store": "ok", "workers": 0})
    visit.page.route("**/readyz", lambda route: route.fulfill(body=answer, content_type="application/json"))
    # Then the page says so, with what to do, and does not call the figures old
    banner = visit.page.locator("#banner")
    expect(banner).to_contain_text("No worker is running.")
    expect(banner).to_contain_text("dramatiq actors")
    expect(banner).not_to_contain_text("out of date")
    expect(visit.page.locator(".hold")).to_have_text("No worker is running, so nothing is sent.")
    stack.call("POST", "/campaigns/speed/cancel")


def test_a_pause_that_did_not_happen_says_so_until_the_next_good_status(visit: Visit, stack: Stack) -> None:
    stack.put("no-pause", tpm=60)
    stack.upload("no-pause", readers(600))
    stack.start("no-pause")
    page = visit.campaign("no-pause").page
    expect(visit.status).to_have_text("Running")
    visit.expected += ["503 .*/pause"]
    problem = json.dumps({"status": 503, "detail": "Redis is unavailable; try again in a few seconds."})

    def refuse(route: Route) -> None:
        route.fulfill(status=503, body=problem, content_type="application/problem+json")

    page.route("**/pause", refuse)
    visit.press("Pause")
    expect(visit.notice.get_by_role("alert")).to_contain_text("Pause did not happen; still sending.")
    expect(visit.status).to_have_text("Running")
    expect(visit.notice.get_by_role("alert")).to_have_count(0)
    stack.call("POST", "/campaigns/no-pause/cancel")


def test_a_start_at_a_time_is_reviewed_and_shown(visit: Visit, stack: Stack) -> None:
    year = datetime.now(UTC).year + 1
    stack.put("later", start_at=f"{year}-06-01T09:00", timezone="Europe/Oslo")
    stack.upload("later", readers(3))
    page = visit.campaign("later").page
    expect(visit.status).to_have_text("Ready")
    visit.press("Review and start")
    expect(page.get_by_role("dialog")).to_contain_text(f"beginning at {year}-06-01 09:00 in Europe/Oslo")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Start")).click()
    expect(visit.status).to_have_text("Scheduled")
    expect(visit.reason).to_contain_text(f"Starts by itself: on 1 Jun {year}")
    visit.press("Cancel")
    visit.press("Cancel campaign")
    expect(visit.status).to_have_text("Cancelled")
