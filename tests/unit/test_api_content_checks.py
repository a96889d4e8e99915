"""What a PUT says about the content: all mistakes at once, warnings, and what is derived from it."""

from __future__ import annotations

import pytest
from redis import Redis

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail import content as mail_content
from tests.support.app_harness import CONTENT, AppHarness

STYLED = '<style>p { color: red }</style><p>Hi {{ name }}, <a href="https://shop.test/unsubscribe">unsubscribe</a></p>'


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


def test_all_mistakes_are_answered_at_once(app: AppHarness) -> None:
    wrong = {"reply_to": "nobody", "subject": "{{ name", "html": "<p>\n{% if x %}</p>", "headers": {"Bcc": "x"}}
    refused = app.web.put("/campaigns/c1", CONTENT | wrong)
    assert refused.status == 422
    mistakes = refused.json()["errors"]
    assert refused.detail == mistakes[0]["message"]
    assert [mistake["field"] for mistake in mistakes] == ["reply_to", "headers", "subject", "html"]
    assert {mistake["level"] for mistake in mistakes} == {"error"}
    assert mistakes[3]["line"] == 2


def test_one_mistake_in_each_template_is_answered(app: AppHarness) -> None:
    refused = app.web.put("/campaigns/c1", CONTENT | {"subject": "%7B%7B name }}", "text": "{{{name}}}"})
    assert [mistake["code"] for mistake in refused.json()["errors"]] == ["encoded_braces", "foreign_tag"]
    assert refused.detail.startswith("subject, line 1: %7B")


def test_put_and_get_answer_with_the_same_warnings(app: AppHarness) -> None:
    made = app.web.put("/campaigns/c1", CONTENT | {"text": "Hi\n*|FNAME|*"}).json()
    assert made["warnings"] == app.web.get("/campaigns/c1").json()["warnings"]
    first, second = made["warnings"]
    assert first | {"message": ""} == {
        "code": "foreign_tag", "message": "", "field": "text", "line": 2, "column": 1, "level": "acknowledge",
    }  # fmt: skip
    assert (second["code"], second["level"]) == ("no_unsubscribe", "hint")


def test_the_columns_of_a_parsed_list_are_checked_too(app: AppHarness) -> None:
    app.ready(b"email,first_name\nada@shop.test,Ada\n", subject="Hi {{ firstname }}", text="Hello")
    found = app.web.get("/campaigns/c1").json()
    assert found["missing_columns"] == ["firstname"]
    missing = found["warnings"][0]
    assert (missing["code"], missing["level"]) == ("missing_column", "stops_start")
    assert "did you mean first_name?" in missing["message"]
    changed = app.web.put("/campaigns/c1", CONTENT | {"subject": "Hi {{ first_name }}", "text": "Hello"}).json()
    assert [finding["code"] for finding in changed["warnings"]] == ["no_unsubscribe"]


def test_css_is_moved_once_and_the_content_stays_as_it_was_put(app: AppHarness) -> None:
    app.ready(html=STYLED, inline_css=True)
    found = app.web.get("/campaigns/c1").json()
    assert (found["html"], found["inline_css"]) == (STYLED, True)
    sent = app.web.post("/campaigns/c1/preview", {"row": 1}).json()["html"]
    assert '<p style="color: red;">Hi Ada' in sent


def test_css_stays_without_the_field(app: AppHarness) -> None:
    app.ready(html=STYLED)
    assert app.web.post("/campaigns/c1/preview", {"row": 1}).json()["html"] == STYLED.replace("{{ name }}", "Ada")


def test_a_text_is_made_where_only_html_is_given(app: AppHarness) -> None:
    app.ready(html=STYLED, text=None)
    found = app.web.get("/campaigns/c1").json()
    assert (found["text"], found["text_from_html"]) == (None, True)
    assert "no_text" not in {finding["code"] for finding in found["warnings"]}
    sent = app.web.post("/campaigns/c1/preview", {"row": 1}).json()
    assert sent["text"].strip() == "Hi Ada, unsubscribe (https://shop.test/unsubscribe)"


def test_no_text_is_made_if_the_client_says_so(app: AppHarness) -> None:
    app.ready(html=STYLED, text=None, text_from_html=False)
    assert app.web.post("/campaigns/c1/preview", {"row": 1}).json()["text"] is None
    found = app.web.get("/campaigns/c1").json()
    assert found["text_from_html"] is False
    assert "no_text" in {finding["code"] for finding in found["warnings"]}


def test_a_given_text_is_sent(app: AppHarness) -> None:
    app.ready(html=STYLED, text_from_html=True)
    assert app.web.post("/campaigns/c1/preview", {"row": 1}).json()["text"] == "Hi Ada"
    assert app.web.get("/campaigns/c1").json()["text_from_html"] is None


def test_a_change_derives_again(app: AppHarness) -> None:
    app.ready(html=STYLED, text=None, inline_css=True)
    app.web.put("/campaigns/c1", CONTENT | {"html": STYLED.replace("red", "blue"), "text": None, "inline_css": True})
    sent = app.web.post("/campaigns/c1/preview", {"row": 1}).json()
    assert "color: blue" in sent["html"]
    app.web.put("/campaigns/c1", CONTENT | {"html": None})
    sent = app.web.post("/campaigns/c1/preview", {"row": 1}).json()
    assert (sent["html"], sent["text"]) == (None, "Hi Ada")


def test_html_that_makes_no_text_is_refused_only_if_a_text_was_asked_for(app: AppHarness) -> None:
    long = "<p>" + "x" * 160_000
    assert app.web.put("/campaigns/c1", CONTENT | {"html": long, "text": None}).status == 201
    refused = app.web.put("/campaigns/c1", CONTENT | {"html": long, "text": None, "text_from_html": True})
    assert (refused.status, "give a text" in refused.detail) == (422, True)
    refused = app.web.put("/campaigns/c1", CONTENT | {"html": "<style>p {}</style>" + long * 2, "inline_css": True})
    assert (refused.status, refused.detail.startswith("inline_css: ")) == (422, True)


def test_an_image_alone_makes_no_text(app: AppHarness) -> None:
    app.ready(html='<img src="https://shop.test/a.png" alt="">', text=None)
    assert app.web.post("/campaigns/c1/preview", {"row": 1}).json()["text"] is None


def test_a_template_that_is_too_large_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_content, "MAX_TEMPLATES_BYTES", 10)
    with pytest.raises(InvalidCampaign) as refused:
        mail_content.check(Content(from_="a@b.test", subject="Hi", html="{{ name" * 10))
    assert len(refused.value.mistakes) == 1
    assert refused.value.detail.startswith("html, text: together larger than 10 bytes")
