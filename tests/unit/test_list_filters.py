"""`where`, `duplicates` and `exclude` of a campaign: in dry run and parsing, and when they change."""

from __future__ import annotations

import csv
import io
from functools import partial
from typing import Any

import pytest
from redis import Redis

from campaigns import exclusion, keys
from lists.address_set import AddressSet
from tests.support.app_harness import AppHarness
from tests.support.costs import peak_bytes

LIST = (
    b"name,email,country,score\n"
    b"Ann,ann@shop.test,NO,5\nBob,bob@shop.test,SE,9\nCy,cy@shop.test,NO,2\nDan,dan@shop.test,NO,many\nE,bad,NO,9\n"
    b"Ann again,ANN@shop.test,NO,9\n"
)
WHERE = "country == 'NO' and score|int > 3"


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def pending(app: AppHarness, campaign_id: str = "c1") -> list[str]:
    body = app.web.get(f"/campaigns/{campaign_id}/recipients.csv?state=pending").body.decode()
    return [row["email"] for row in csv.DictReader(io.StringIO(body))]


def reasons(app: AppHarness) -> dict[int, str]:
    body = app.web.get("/campaigns/c1/recipients.csv?state=rejected").body.decode()
    return {int(row["row"]): row["reason"] for row in csv.DictReader(io.StringIO(body))}


def put(app: AppHarness, **content: Any) -> None:
    body = {"from": "News <news@shop.test>", "subject": "Hello", "text": "Hi", **content}
    answer = app.web.put("/campaigns/c1", body)
    assert answer.status in {200, 201}, answer.body


def counts(app: AppHarness, campaign_id: str = "c1") -> tuple[int, int, int]:
    report = app.harness.report(campaign_id)
    return report.total, report.rejected, report.excluded


def test_rows_for_which_the_condition_is_false_are_excluded(app: AppHarness) -> None:
    """Given a condition, then dry run and parse exclude the same rows, and reject the row that it cannot judge."""
    app.make(where=WHERE)
    dry = app.upload(LIST, query="?dry_run=true").json()
    assert (dry["accepted"], dry["rejected"], dry["excluded"]) == (1, 3, 2)
    app.upload(LIST)
    app.parse()
    assert counts(app) == (1, 3, 2)
    assert pending(app) == ["ann@shop.test"]
    found = reasons(app)
    assert found[4].startswith("malformed:where: score: 'many'")
    assert (found[5], found[6]) == ("invalid_email", "duplicate:1")


def test_the_condition_may_use_the_address_and_whatever_templates_may(app: AppHarness) -> None:
    app.ready(LIST, where="email.endswith('@shop.test') and (name if score == '9' else '')")
    assert pending(app) == ["bob@shop.test", "ANN@shop.test"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("country ==", "where: the expression ends too early: complete it"),
        ("country == 'NO'\nand (score|int > 3", "where: the expression ends too early"),
        ("country = 'NO'", "where, line 1: "),
        ("", "empty"),
        ("{{ country }}", "without {{ }}"),
        ("country == 'NO' %}{% endif %}{% if true", "without {{ }}"),
        ("x" * 2001, "2,000"),
        ("country|nonsense", "nonsense"),
    ],
)
def test_a_condition_that_is_no_expression_is_422(app: AppHarness, where: str, words: str) -> None:
    body = {"from": "a@shop.test", "subject": "s", "text": "t", "where": where}
    answer = app.web.put("/campaigns/c1", body)
    assert (answer.status, words in answer.detail) == (422, True), answer.detail


def test_a_column_that_the_list_lacks_stops_the_start(app: AppHarness) -> None:
    """Given a condition over a column that is missing, then no row is excluded, and the start names the column; with
    another condition the list is parsed again.
    """
    app.ready(LIST, where="land == 'NO'")
    refused = app.web.post("/campaigns/c1/start")
    assert (refused.status, "land" in refused.detail) == (409, True)
    assert counts(app)[2] == 0
    put(app, where=WHERE)
    assert app.harness.report().status == "parsing"
    app.parse()
    assert counts(app) == (1, 3, 2)
    assert app.web.post("/campaigns/c1/start").status == 200


@pytest.mark.parametrize("where", ["range(10**9)|list", "name * 10**9", "'x'.__class__.__mro__", "name.title"])
def test_a_costly_or_forbidden_condition_costs_its_rows(app: AppHarness, where: str) -> None:
    body = {"from": "a@shop.test", "subject": "s", "text": "t", "where": where}
    if app.web.put("/campaigns/c1", body).status == 422:
        return
    app.upload(LIST)
    app.parse()
    assert counts(app)[0] == 0
    assert reasons(app)[1].startswith("malformed:where: ")


def test_a_change_of_the_filters_parses_the_list_again(app: AppHarness) -> None:
    """Given a ready list, then a new subject leaves it alone, and `duplicates` parses it again, also during parsing;
    a start that was asked for stays.
    """
    app.make(text="Hi", subject="Hello")
    app.upload(LIST)
    first = app.parse().list_version
    put(app, subject="Other")
    assert app.harness.catalog.get("c1").list_version == first
    put(app, subject="Other", duplicates="keep")
    second = app.harness.catalog.get("c1")
    assert (second.status, second.list_version != first) == ("parsing", True)
    app.web.post("/campaigns/c1/start")
    put(app, subject="Other", duplicates="keep", where="country == 'NO'")
    assert app.harness.catalog.get("c1").list_version != second.list_version
    assert app.parse().status == "running"
    assert pending(app) == ["ann@shop.test", "cy@shop.test", "dan@shop.test", "ANN@shop.test"]


def test_the_same_content_again_parses_nothing(app: AppHarness) -> None:
    put(app, where=WHERE)
    app.upload(LIST)
    version = app.parse().list_version
    put(app, where=WHERE)
    assert (app.harness.report().status, app.harness.catalog.get("c1").list_version) == ("ready", version)


def test_recipients_of_other_campaigns_are_excluded(app: AppHarness) -> None:
    """Given a campaign with a done, a failed, an unknown and a pending row, then those that are done, unknown or
    pending are excluded, whatever their case, and the others are not.
    """
    harness = app.harness
    app.ready(b"email\nann@shop.test\nbob@shop.test\ncy@shop.test\nDAN@shop.test\n", "spring", text="Hi", subject="Hi")
    for name, row in (("done", 1), ("failed", 2)):
        app.redis.setbit(keys.of("spring", name), row, 1)
    app.redis.zadd(keys.of("spring", "unknown"), {"3": 1})
    put(app, exclude=["spring"])
    new = LIST + b"New,new@shop.test,NO,1\n"
    dry = app.upload(new, query="?dry_run=true").json()
    app.upload(new)
    app.parse()
    assert pending(app) == ["bob@shop.test", "new@shop.test"]
    assert counts(app) == (2, 1, 4)
    assert (dry["accepted"], dry["rejected"], dry["excluded"]) == (2, 1, 4)
    assert harness.report("spring").total == 4


def test_a_campaign_cannot_exclude_itself_or_an_unknown_one(app: AppHarness) -> None:
    for other in ("c1", "nothing", "no id!"):
        body = {"from": "a@shop.test", "subject": "s", "text": "t", "exclude": [other]}
        answer = app.web.put("/campaigns/c1", body)
        assert (answer.status, "exclude" in answer.detail) == (422, True)


def test_an_excluded_campaign_that_has_no_list_or_is_gone_is_named(app: AppHarness) -> None:
    app.make("other")
    put(app, exclude=["other"])
    app.upload(LIST)
    assert app.parse().status == "rejected"
    assert "other has no parsed list" in (app.harness.report().reason or "")
    assert app.web.request("DELETE", "/campaigns/other").status == 204
    app.upload(LIST)
    assert app.parse().status == "rejected"
    assert "does not exist any more" in (app.harness.report().reason or "")


def test_an_excluded_list_that_is_gone_from_the_store_is_named(app: AppHarness) -> None:
    spring = app.ready(LIST, "spring")
    put(app, exclude=["spring"])
    app.upload(LIST)
    del app.store.objects[spring.list_key]
    app.parse()
    assert "no longer in the object store" in (app.harness.report().reason or "")


def test_a_converted_list_is_excluded_as_it_was_parsed(app: AppHarness) -> None:
    rows = "".join(f"Екатерина {n},r{n}@shop.test\n" for n in range(1, 3000))
    spring = app.ready(("имя,email\n" + rows).encode("cp1251"), "spring", text="Hi", subject="Hi")
    assert spring.list_key != spring.object_key
    put(app, exclude=["spring"])
    app.upload(b"email\nr2999@shop.test\nr3000@shop.test\nR1@shop.test\n")
    app.parse()
    assert (pending(app), counts(app)) == (["r3000@shop.test"], (1, 0, 2))


def excluded(app: AppHarness, rows: int) -> None:
    """Read the recipients of a campaign of so many rows, and ask for some."""
    with AddressSet() as found:
        exclusion.fill(found, app.redis, app.store.read, [f"c{rows}"], lambda: None)
        assert found.contains(["r0@shop.test", f"r{rows - 1}@shop.test"]) == [True, True]
        assert found.contains([f"r{rows}@shop.test"]) == [False]


def test_the_memory_of_exclude_does_not_grow_with_the_other_campaign(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given campaigns of 10,000 and of 40,000 recipients, when each is excluded, then reading them takes the same
    memory: a buffer of hashes, and one piece of the list.
    """
    monkeypatch.setattr("lists.address_set._BUFFERED", 2_000)
    monkeypatch.setattr("lists.address_set._PIECE", 100)
    monkeypatch.setattr("campaigns.exclusion._READ_BYTES", 64 * 1024)
    for rows in (10_000, 40_000):
        app.ready(b"email,name\n" + b"".join(b"r%d@shop.test,Ann\n" % row for row in range(rows)), f"c{rows}")
    excluded(app, 10_000)  # Redis knows the scripts from now on
    few, many = (peak_bytes(partial(excluded, app, rows)) for rows in (10_000, 40_000))
    assert few < 2_000_000
    assert many < 1.3 * few


@pytest.mark.parametrize("where", ["email == 'ann@shop.test'", "e_mail == 'ann@shop.test'"])
def test_the_condition_gets_the_address_as_it_is_sent_to(app: AppHarness, where: str) -> None:
    put(app, where=where)
    app.upload(b"E-Mail,name\nAnn <ann@SHOP.test> ;,Ann\nbob@shop.test,Bob\n")
    app.parse()
    assert pending(app) == ["ann@shop.test"]
