"""A preview over HTTP: one email, for a row of the list or for given values."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.support.app_harness import AppHarness

LIST = b"name,email,city\nAda,ada@shop.test,Oslo\n,broken,Rome\nBob,bob@shop.test,Bern\n"
CONTENT = {"subject": "Hello {{ name }}", "html": "<p>{{ name }} in {{ city }}</p>", "text": "To {{ email }}"}


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def test_a_row_is_shown_as_it_would_be_sent(app: AppHarness) -> None:
    app.ready(LIST, **CONTENT, headers={"X-City": "{{ city }}"})
    shown = app.web.post("/campaigns/c1/preview", {"row": 3})
    assert shown.status == 200
    email = shown.json()
    assert email["to"] == "bob@shop.test"
    assert (email["subject"], email["text"]) == ("Hello Bob", "To bob@shop.test")
    assert email["html"] == "<p>Bob in Bern</p>"
    assert email["headers"] == {"X-City": "Bern"}
    assert email["size"] > len(email["html"])
    assert {finding["code"] for finding in email["warnings"]} == {"no_unsubscribe"}


def test_without_a_row_the_first_recipient_is_shown(app: AppHarness) -> None:
    app.ready(b"email,name\nbroken,X\nada@shop.test,Ada\n")
    assert app.web.post("/campaigns/c1/preview").json()["to"] == "ada@shop.test"
    assert app.web.post("/campaigns/c1/preview", {}).json()["to"] == "ada@shop.test"


def test_one_slice_is_read_and_nothing_changes(app: AppHarness) -> None:
    app.ready(LIST)
    before = app.web.get("/campaigns/c1/status").json()
    app.store.reads.clear()
    app.web.post("/campaigns/c1/preview", {"row": 1})
    assert len(app.store.reads) == 1
    assert app.web.get("/campaigns/c1/status").json() == before


@pytest.mark.parametrize("step", ["start", "pause", "cancel"])
def test_it_works_after_the_start_too(app: AppHarness, step: str) -> None:
    app.ready(LIST)
    app.web.post("/campaigns/c1/start")
    app.web.post(f"/campaigns/c1/{step}")
    assert app.web.post("/campaigns/c1/preview", {"row": 1}).json()["subject"] == "Hello Ada"


def test_another_content_is_shown_and_not_kept(app: AppHarness) -> None:
    """Given an editor's content, when it is previewed, then it is shown for real rows, with its own findings."""
    app.ready(LIST, **CONTENT)
    edited = {"from": "a@shop.test", "subject": "Dear {{ name }}", "text": "Hi *|FNAME|*"}
    shown = app.web.post("/campaigns/c1/preview", {"row": 3, "content": edited}).json()
    assert (shown["subject"], shown["text"], shown["html"]) == ("Dear Bob", "Hi *|FNAME|*", None)
    assert "foreign_tag" in {finding["code"] for finding in shown["warnings"]}
    assert app.web.get("/campaigns/c1").json()["subject"] == "Hello {{ name }}"
    refused = app.web.post("/campaigns/c1/preview", {"row": 3, "content": edited | {"subject": "{{ name"}})
    assert refused.status == 422
    assert [(mistake["field"], mistake["line"]) for mistake in refused.json()["errors"]] == [("subject", 1)]


def test_given_values_need_no_list(app: AppHarness) -> None:
    app.make(**CONTENT)
    values = {"name": "Ann", "city": "Rome"}
    assert app.web.post("/campaigns/c1/preview", {"columns": values}).json()["to"] == "ann@example.com"
    shown = app.web.post("/campaigns/c1/preview", {"columns": values | {"email": "Bob <bob@shop.test>"}}).json()
    assert (shown["to"], shown["html"]) == ("bob@shop.test", "<p>Ann in Rome</p>")


def test_rows_that_are_no_recipients_are_404(app: AppHarness) -> None:
    app.ready(LIST)
    beyond = app.web.post("/campaigns/c1/preview", {"row": 4})
    assert (beyond.status, "rows 1 to 3" in beyond.detail) == (404, True)
    rejected = app.web.post("/campaigns/c1/preview", {"row": 2})
    assert (rejected.status, "Row 2 is not a recipient" in rejected.detail) == (404, True)


def test_without_a_list_a_row_is_409(app: AppHarness) -> None:
    app.make()
    refused = app.web.post("/campaigns/c1/preview", {"row": 1})
    assert (refused.status, "columns" in refused.detail) == (409, True)
    assert refused.json()["campaign_status"] == "draft"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"columns": {"Nmae": "Ann"}}, "did you mean name?"),
        ({"columns": {"zip": "1"}}, "there are name, email"),
        ({"columns": {}}, "also use name"),
        ({"columns": {"name": "Ann", "email": "ann"}}, "'ann'"),
        ({"columns": {"name": "Ann"}, "row": 1}, "one of the two"),
        ({"row": 0}, "$.row"),
        ({"rows": 1}, "rows"),
    ],
)
def test_a_wrong_request_is_422(app: AppHarness, body: object, named: str) -> None:
    app.make()
    refused = app.web.post("/campaigns/c1/preview", body)
    assert refused.status == 422
    assert named in refused.detail


def test_a_template_that_fails_says_where(app: AppHarness) -> None:
    app.ready(b"email,name\nada@shop.test,x\n", text="Hi\n{{ name|int }}")
    refused = app.web.post("/campaigns/c1/preview", {"row": 1})
    assert refused.status == 422
    assert "Row 1 cannot be rendered: text, line 2" in refused.detail


def test_the_store_and_redis_may_be_away(app: AppHarness) -> None:
    app.ready(LIST)
    app.store.away = True
    assert app.web.post("/campaigns/c1/preview", {"row": 1}).status == 503
    assert app.web.post("/campaigns/c9/preview", {"row": 1}).status == 404
