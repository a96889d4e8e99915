"""Provider accounts with real processes: a dead key gets few requests; a failover loses and doubles nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.chaos import audit
from tests.support.doubles.sendgrid import SendGridDouble
from tests.support.stack import Stack
from tests.support.waiting import until

#: The most requests that a dead key may get.
MOST: Final = 20
ROWS: Final = 3_000
CAMPAIGNS: Final = ("a", "b", "c")


@contextmanager
def stack_with_workers(directory: Path, **settings: Any) -> Iterator[Stack]:
    with Stack.open(directory, **settings) as stack:
        for _ in range(2):
            stack.add_worker(processes=2, threads=8)
        yield stack


def requests(stack: Stack) -> int:
    found: int = stack.double.stats()["requests"]
    return found


def until_paused(stack: Stack) -> None:
    for campaign_id in CAMPAIGNS:
        report = stack.until_status(campaign_id, "paused")
        assert "401" in report["reason"]


def restart_workers(stack: Stack, how: Callable[[Any], None]) -> None:
    for worker in stack.workers:
        how(worker)
    for worker in stack.workers:
        worker.start()


@pytest.mark.short
def test_a_dead_key_gets_few_requests_from_the_first_start_on(tmp_path: Path) -> None:
    """Given a key that SendGrid refuses, four worker processes and three campaigns of 3,000 recipients.
    When the campaigns start, are resumed, and are resumed after the workers were stopped or killed.
    Then the key gets at most 20 requests altogether.
    """
    with stack_with_workers(tmp_path) as stack:
        stack.double.behave(answer="401", latency_ms=50)
        for campaign_id in CAMPAIGNS:
            audit.launch(stack, campaign_id, audit.addresses(ROWS))
        until_paused(stack)
        for campaign_id in CAMPAIGNS:
            stack.resume(campaign_id)
        until_paused(stack)
        restart_workers(stack, lambda worker: worker.kill())
        for campaign_id in CAMPAIGNS:
            stack.resume(campaign_id)
        until_paused(stack)
        for worker in stack.workers:
            worker.terminate()
            worker.wait()
        for campaign_id in CAMPAIGNS:
            stack.resume(campaign_id)
        for worker in stack.workers:
            worker.start()
        until_paused(stack)
        assert requests(stack) <= MOST
        # And a good key sends everything, at once
        stack.double.behave(answer="202", latency_ms=5)
        for campaign_id in CAMPAIGNS:
            stack.resume(campaign_id)
        for campaign_id in CAMPAIGNS:
            assert stack.until_status(campaign_id, "completed")["done"] == ROWS


def test_a_key_that_dies_while_nothing_is_sent_gets_few_requests_too(tmp_path: Path) -> None:
    """Given campaigns that have been sending, when they are paused, the key dies, and they go on within the minute,
    also with new workers, then the key gets at most 20 requests.
    """
    with stack_with_workers(tmp_path) as stack:
        stack.double.behave(latency_ms=5)
        for campaign_id in CAMPAIGNS:
            audit.launch(stack, campaign_id, audit.addresses(ROWS), tpm=12_000)
        for campaign_id in CAMPAIGNS:
            audit.until_done(stack, campaign_id, 100, 60)
            stack.pause(campaign_id)
        until(
            lambda: all(stack.status(campaign_id)["in_flight"] == 0 for campaign_id in CAMPAIGNS), "nothing in flight"
        )
        before = requests(stack)
        stack.double.behave(answer="401", latency_ms=50)
        for campaign_id in CAMPAIGNS:
            stack.resume(campaign_id)
        until_paused(stack)
        restart_workers(stack, lambda worker: worker.kill())
        for campaign_id in CAMPAIGNS:
            stack.resume(campaign_id)
        until_paused(stack)
        assert requests(stack) - before <= MOST


@pytest.mark.short
def test_a_start_is_not_slowed_by_the_first_try(tmp_path: Path) -> None:
    """Given an idle installation, when a campaign starts, then its first row goes out at once, and the others follow
    right after the response to it. The comparison is within this run: all rows take little longer than one response.
    """
    with stack_with_workers(tmp_path) as stack:
        stack.double.behave(latency_ms=200)
        stack.put("c1", tpm=10_000_000)
        stack.upload("c1", audit.addresses(200))
        stack.until_status("c1", "ready")
        stack.start("c1")
        stack.until_status("c1", "completed")
        arrived = sorted(arrival.time_s for arrival in stack.double.arrivals())
        assert arrived[1] - arrived[0] < 2


@pytest.mark.short
def test_two_accounts_with_a_failover_under_load(tmp_path: Path) -> None:
    """Given a campaign on each of two accounts, the first with the second as its fallback, and workers under load.
    When the first account's provider fails, its worker is killed meanwhile, and the provider comes back.
    Then both campaigns complete, each row is accepted exactly once but for the unknown ones, and the second account's
    own campaign has lost no time.
    """
    with SendGridDouble.running(latency_ms=10, key="SG.news") as news:
        settings = {
            "ACCOUNTS": "news",
            "ACCOUNT_NEWS_SENDGRID_API_KEY": "SG.news",
            "ACCOUNT_NEWS_SENDGRID_API_URL": news.url,
            "ACCOUNT_NEWS_FALLBACK": "default",
            "FALLBACK_AFTER_S": "2",
            "SEND_TIMEOUT_S": "3",
        }
        with stack_with_workers(tmp_path, **settings) as stack:
            stack.double.behave(latency_ms=10)
            audit.launch(stack, "own", audit.addresses(2_000), tpm=6_000)
            audit.launch(stack, "fail", audit.addresses(12_000), tpm=36_000, account="news")
            audit.until_done(stack, "fail", 1_500, 60)
            news.behave(answer="503")
            until(lambda: through(stack.double, "fail") > 500, "the fallback sends")
            reason = stack.status("fail")["reason"]
            assert reason.startswith("sending through default, because news takes no emails:")
            states = {account["name"]: account for account in stack.call("GET", "/accounts")}
            assert states["news"]["breaker"] in {"open", "half-open"}
            assert states["default"]["breaker"] == "closed"
            assert (states["news"]["fallback"], states["default"]["sent_last_minute"] > 500) == ("default", True)
            stack.workers[0].kill()
            stack.workers[0].start()
            back_at = time.time()
            news.behave(answer="202")
            reports = {campaign_id: stack.until_status(campaign_id, "completed") for campaign_id in ("own", "fail")}
            accepted = Counter(
                (arrival.campaign_id, arrival.row)
                for double in (stack.double, news)
                for arrival in double.arrivals()
                if arrival.accepted
            )
            assert set(accepted.values()) == {1}
            for campaign_id, rows in (("own", 2_000), ("fail", 12_000)):
                report = reports[campaign_id]
                assert report["done"] + report["unknown"] == rows
                sent = sum(1 for campaign, _ in accepted if campaign == campaign_id)
                assert report["done"] <= sent <= rows
            by_account = {
                name: Counter(arrival.campaign_id for arrival in double.arrivals() if arrival.accepted)
                for name, double in (("default", stack.double), ("news", news))
            }
            assert by_account["news"].keys() == {"fail"}
            assert by_account["default"]["fail"] > 500
            assert any(arrival.accepted and arrival.time_s > back_at for arrival in news.arrivals())


def through(double: SendGridDouble, campaign_id: str) -> int:
    return sum(arrival.accepted and arrival.campaign_id == campaign_id for arrival in double.arrivals())


@pytest.mark.short
@pytest.mark.parametrize("name", ["newz", "billing"])
def test_an_account_that_there_is_not_is_refused_with_the_names_of_those_there_are(tmp_path: Path, name: str) -> None:
    with Stack.open(tmp_path, ACCOUNTS="news", ACCOUNT_NEWS_PROVIDER="outbox") as stack:
        status, raw = stack.ask(
            "PUT", "/campaigns/c1", {"from": "n@shop.test", "subject": "S", "text": "T", "account": name}
        )
        assert status == 422
        assert f"there is no account '{name}': choose one of default, news" in raw.decode()


def test_an_account_that_stops_answering_leaves_the_workers_to_the_others(tmp_path: Path) -> None:
    """Given a campaign without a limit on one account and one of 1,200 per minute on another, and few worker threads.
    When the first account's provider takes requests and answers none, in the middle of it.
    Then the other campaign keeps its rate.
    """
    with SendGridDouble.running(latency_ms=100, key="SG.news") as news:
        settings: dict[str, Any] = {
            "ACCOUNTS": "news",
            "ACCOUNT_NEWS_SENDGRID_API_KEY": "SG.news",
            "ACCOUNT_NEWS_SENDGRID_API_URL": news.url,
            "SEND_TIMEOUT_S": "10",
        }
        with Stack.open(tmp_path, **settings) as stack:
            stack.add_worker(processes=1, threads=8)
            audit.launch(stack, "sick", audit.addresses(60_000), account="news")
            audit.launch(stack, "well", audit.addresses(600), tpm=1_200)
            audit.until_done(stack, "well", 40, 60)
            news.behave(answer="hang")
            began = time.time()
            until(lambda: stack.status("sick")["unknown"] > 0, "the requests have timed out")
            ended = time.time()
            times = sorted(arrival.time_s for arrival in stack.double.arrivals() if began < arrival.time_s < ended)
        gaps = [later - earlier for earlier, later in pairwise([began, *times, ended])]
        assert max(gaps) < 3
        assert len(times) > 0.8 * 20 * (ended - began)
