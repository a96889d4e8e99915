"""What a campaign's content and its list make together: in the dry run, at PUT, GET, preview and start, and in any
order of events.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from campaigns import keys
from campaigns.catalog import Catalog
from campaigns.errors import ListChanged
from campaigns.models import Campaign, Status
from campaigns.parsing import Parsing
from lists.sample import KEPT_BYTES, KEPT_ROWS
from tests.support.app_harness import CONTENT, AppHarness
from tests.support.list_agreement import dry_run, status_of
from tests.support.lists import parse

#: A decimal comma in all rows; and an empty first name in every second one.
PRICES = b'email,price\na@shop.test,"12,50"\nb@shop.test,"7,25"\n'
NAMES = b"email,name\n" + b"".join(b"r%d@shop.test,%s\n" % (row, b"" if row % 2 else b"Ann") for row in range(40))
PAY = {"subject": "Hello", "text": "Pay {{ price|float }}"}
GOOD = {"subject": "Hello", "text": "Pay {{ price|number(decimal=',') }}"}


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def codes(app: AppHarness) -> set[str]:
    return {one["code"] for one in app.web.get("/campaigns/c1").json()["warnings"]}


def test_rows_that_would_fail_are_told_everywhere(app: AppHarness) -> None:
    """Given a template that fails for the rows of the list, then dry run, GET, PUT, preview and start tell so."""
    app.make(**PAY)
    dry = dry_run(app, PRICES)
    assert [one["code"] for one in dry["content_warnings"]] == ["row_fails"]
    assert dry["unaccepted"] == ["row_fails"]
    app.upload(PRICES)
    app.parse()
    [told] = [one for one in app.web.get("/campaigns/c1").json()["warnings"] if one["code"] == "row_fails"]
    assert told["message"] == (
        "row 1 would fail: price: '12,50' is not a number; use |number(decimal=\",\") (2 of the first 2 rows fail)"
    )
    assert (told["field"], told["line"], told["level"]) == ("text", 1, "acknowledge")
    given = app.web.post("/campaigns/c1/preview", {"columns": {"price": "12.50"}}).json()
    assert told in given["warnings"]
    assert status_of(app)["unaccepted"] == ["row_fails"]
    refused = app.web.post("/campaigns/c1/start")
    assert (refused.status, refused.json()["unaccepted"]) == (409, ["row_fails"])
    changed = app.web.put("/campaigns/c1", CONTENT | PAY | {"subject": "Other"}).json()
    assert told in changed["warnings"]
    assert app.web.post("/campaigns/c1/start").status == 409
    assert app.web.post("/campaigns/c1/start", {"accept_warnings": True}).json() == {"status": "running"}


def test_a_mended_template_starts(app: AppHarness) -> None:
    app.ready(PRICES, **PAY)
    assert app.web.put("/campaigns/c1", CONTENT | GOOD).status == 200
    assert status_of(app)["unaccepted"] == []
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


def test_a_column_that_is_empty_in_many_rows_wants_acceptance(app: AppHarness) -> None:
    app.ready(NAMES)
    [told] = [one for one in app.web.get("/campaigns/c1").json()["warnings"] if one["code"] == "empty_column"]
    assert told["message"].startswith("name is empty in 20 of 40 rows: give a fallback")
    assert app.web.post("/campaigns/c1/start").json()["unaccepted"] == ["empty_column"]
    app.web.put("/campaigns/c1", CONTENT | {"subject": "Hello", "text": "Hi {{ name|default('friend') }}"})
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


def test_few_empty_cells_are_a_hint(app: AppHarness) -> None:
    app.ready(b"email,name\na@shop.test,\nb@shop.test,Bob\n")
    assert "empty_column" in codes(app)
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


def test_rejected_and_excluded_rows_do_not_count(app: AppHarness) -> None:
    """Given empty cells in rows that no email goes to, then no finding tells of them."""
    app.ready(b"email,name\nnobody,\nno@shop.test,\nann@shop.test,Ann\n", where="email != 'no@shop.test'")
    assert "empty_column" not in codes(app)
    sample = app.harness.catalog.get("c1").sample
    assert (sample.recipients, [kept.row for kept in sample.rows]) == (1, [3])


def test_an_older_list_without_a_sample_has_no_such_findings(app: AppHarness) -> None:
    app.ready(PRICES, **PAY)
    app.redis.hdel(keys.campaign("c1"), "list_sample", "unaccepted_with_list")
    assert "row_fails" not in codes(app)
    assert app.web.post("/campaigns/c1/start").json() == {"status": "running"}


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [(GOOD, PAY, Status.READY), (PAY, GOOD, Status.RUNNING), (GOOD, GOOD, Status.RUNNING)],
)
def test_the_content_that_is_put_while_the_list_is_parsed_is_the_one_that_counts(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch, before: dict[str, str], after: dict[str, str], status: Status
) -> None:
    """Given a PUT between the parser's check of the content and the end of parsing, then the new content is checked."""
    app.make(**before)
    app.upload(PRICES)
    app.web.post("/campaigns/c1/start")
    once(monkeypatch, Parsing, "finish", lambda: app.web.put("/campaigns/c1", CONTENT | after | {"subject": "Other"}))
    assert app.parse().status is status
    assert ("row_fails" in codes(app)) == (status is Status.READY)
    if status is Status.READY:
        assert status_of(app)["reason"] == "accept the warnings to start: row_fails"


@pytest.mark.parametrize("content", [PAY, {"subject": "{{ prices }}", "text": "x"}])
def test_a_list_that_is_parsed_during_a_put_is_checked_with_the_new_content(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch, content: dict[str, str]
) -> None:
    """Given the end of parsing between a PUT's look at the list and its change, then the two are checked together."""
    app.make(**GOOD)
    app.upload(PRICES)
    once(monkeypatch, Catalog, "put", app.parse)
    app.web.put("/campaigns/c1", CONTENT | content)
    assert app.harness.catalog.get("c1").status is Status.READY
    assert app.web.post("/campaigns/c1/start").status == 409
    if content is PAY:
        assert status_of(app)["unaccepted"] == ["row_fails"]
    else:
        assert str(status_of(app)["reason"]).endswith("lacks: prices (did you mean price?)")


def test_another_list_that_arrives_during_a_put_is_checked(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a good list, when a bad one replaces it between a PUT's look and its change, then the bad one counts."""
    app.ready(b"email,price\na@shop.test,12.50\n", **GOOD)

    def replace() -> Campaign:
        app.upload(PRICES)
        return app.parse()

    once(monkeypatch, Catalog, "put", replace)
    app.web.put("/campaigns/c1", CONTENT | PAY)
    assert status_of(app)["unaccepted"] == ["row_fails"]


def test_a_content_that_is_put_while_the_start_is_scheduled_is_checked(app: AppHarness) -> None:
    """Given a campaign that is scheduled, when its content is changed, then the new content is checked."""
    start_at = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    app.ready(PRICES, **GOOD, start_at=start_at)
    assert app.web.post("/campaigns/c1/start").json()["status"] == "scheduled"
    app.web.put("/campaigns/c1", CONTENT | PAY | {"start_at": start_at})
    assert status_of(app)["unaccepted"] == ["row_fails"]


def test_a_list_that_changes_at_every_look_is_a_503(app: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*_args: object, **_kwargs: object) -> None:
        raise ListChanged

    monkeypatch.setattr(Catalog, "put", changed)
    answer = app.web.put("/campaigns/c1", CONTENT)
    assert (answer.status, "retry-after" in answer.headers) == (503, True)


def test_the_findings_of_a_list_go_with_it(app: AppHarness) -> None:
    """Given a list with findings, when another is uploaded, then a start during parsing does not ask for them."""
    app.ready(PRICES, **PAY)
    app.upload(b"email,price\na@shop.test,12.50\n")
    assert app.web.post("/campaigns/c1/start").json() == {"status": "parsing"}
    assert app.parse().status is Status.RUNNING


def once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, first: Callable[[], object]) -> None:
    """Call `first` once, before the next call of a method."""
    method = getattr(owner, name)

    def with_first(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(owner, name, method)
        first()
        return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, with_first)


def test_columns_that_the_list_lacks_are_told_by_the_dry_run(app: AppHarness) -> None:
    """Given templates and a condition with misspelt columns, then the dry run names these and similar ones."""
    app.make(subject="Hello", text="Hi {{ firstname }}", where="counrty == 'NO'")
    dry = dry_run(app, b"email,first_name,country\na@shop.test,Ann,NO\n")
    assert dry["missing_columns"] == ["counrty", "firstname"]
    told = {one["field"]: (one["level"], one["message"]) for one in dry["content_warnings"]}
    assert told == {
        "where": ("stops_start", "the list has no column counrty; did you mean country?"),
        "text": ("stops_start", "the list has no column firstname; did you mean first_name?"),
    }


def test_columns_that_the_list_lacks_are_told_by_the_start(app: AppHarness) -> None:
    app.ready(b"email,first_name,country\na@shop.test,Ann,NO\n", subject="{{ firstname }}{{ xyz }}", text="x")
    refused = app.web.post("/campaigns/c1/start", {"accept_warnings": True})
    assert refused.status == 409
    assert "lacks: firstname (did you mean first_name?), xyz; change one of the two" in refused.detail


def test_a_start_during_parsing_tells_the_columns_too(app: AppHarness) -> None:
    app.make(subject="{{ firstname }}", text="x")
    app.upload(b"email,first_name\na@shop.test,Ann\n")
    app.web.post("/campaigns/c1/start")
    assert app.parse().status is Status.READY
    reason = "the templates name columns that the CSV lacks: firstname (did you mean first_name?)"
    assert status_of(app)["reason"] == reason


def test_the_sample_is_bounded_and_holds_no_recipient_address() -> None:
    """Given long and short rows, then rows that do not fit are passed over, and the address column is not kept."""
    rows = [f"r{row}@shop.test,{'x' * (20_000 if row % 3 else 10)},\u00e9\n" for row in range(200)]
    result, _ = parse("".join(["email,text,more\n", *rows]).encode())
    kept = result.kept.rows
    assert len(kept) <= KEPT_ROWS
    assert [row.row for row in kept][:3] == [1, 2, 4]
    assert {row.cells[0] for row in kept} == {"ann@example.com"}
    assert sum(len(str(row.cells).encode()) for row in kept) < KEPT_BYTES + 50 * len(kept)
    assert result.kept.recipients == 200


def test_empty_cells_are_counted_by_column() -> None:
    result, _ = parse(b"email,a,b,a\na@x.test,,1,\nb@x.test,,,z\nc@x.test,x,y,\n,,,\nbad,,,\n")
    assert result.kept.empty == {"a": 2, "b": 1, "a_2": 2}
    assert result.kept.recipients == 3
