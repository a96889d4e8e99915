"""Mail merge: which campaigns and which recipients can share a request, and what a share holds."""

from __future__ import annotations

from typing import Any, Final
from unittest import mock

import pytest

from campaigns.models import Content
from mail import mail_merge
from mail.mail_merge import MailMerge, Share
from mail.rendering import Renderer, Templates

COLUMNS: Final = ("a", "b", "email")
MARK: Final = "qmarkmar"
HTML_A, HTML_B, TEXT_A = f"-{MARK}0-", f"-{MARK}1-", f"-{MARK}2-"


def renderer(**changes: Any) -> Renderer:
    content = {"subject": "Hi", "html": "<p>{{ a }} {{ b }}</p>", "text": "{{ a }}", **changes}
    return Templates(Content(from_="a@b.test", **content)).renderer("c1", COLUMNS)


def merge(**changes: Any) -> MailMerge | None:
    with mock.patch.object(mail_merge, "_mark", side_effect=[MARK, "qother"]):
        return MailMerge.of(renderer(**changes))


def share(values: list[str], **changes: Any) -> Share | None:
    found = merge(**changes)
    assert found
    return found.share(7, "jane@example.com", values)


def test_texts_hold_a_tag_for_each_name_and_kind_of_text() -> None:
    made = merge()
    assert made
    assert (made.message.html, made.message.text) == (f"<p>{HTML_A} {HTML_B}</p>", TEXT_A)
    assert made.message.subject == "Hi"


def test_a_value_is_escaped_for_html_alone() -> None:
    assert share(["<x>", "b"]) == Share(
        7, "jane@example.com", None, None, {HTML_A: "&lt;x&gt;", HTML_B: "b", TEXT_A: "<x>"}
    )


def test_a_subject_with_values_is_the_recipients_own() -> None:
    found = share(["x", "y"], subject="Hi  {{ b }}")
    assert found
    assert found.subject == "Hi y"


def test_headers_with_values_are_the_recipients_own_together_with_the_fixed_ones() -> None:
    found = share(["x", "y"], headers={"X-A": "{{ a }}", "X-B": "1"})
    assert found
    assert found.headers == {"X-A": "x", "X-B": "1"}
    made = merge(headers={"X-B": "1"})
    assert made
    assert made.message.headers == {"X-B": "1"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"html": "{{ a|upper }}"}, id="filter"),
        pytest.param({"text": "{% if a %}x{% endif %}"}, id="condition"),
        pytest.param({"subject": "{{ a[0] }}"}, id="subject"),
        pytest.param({"headers": {"X-A": "{{ a|urlencode }}"}}, id="header"),
        pytest.param({"html": "{{ range }}"}, id="global"),
        pytest.param({"html": "", "text": ""}, id="empty"),
        pytest.param({"text": "x" * 10_000_001}, id="long"),
        pytest.param({"text": "\ud800"}, id="surrogate"),
        pytest.param({"subject": "\x00"}, id="no subject"),
    ],
)
def test_a_campaign_that_cannot_be_merged(changes: dict[str, Any]) -> None:
    assert merge(**changes) is None


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        pytest.param([f"x{MARK}", "b"], {}, id="mark"),
        pytest.param([MARK[:5], MARK[5:]], {"html": "{{ a }}{{ b }}", "text": None}, id="cells meet"),
        pytest.param([MARK[6:], "b"], {"html": None, "text": f"{'-' * 50}{MARK[:6]}{{{{ a }}}}"}, id="text meets"),
        pytest.param(["a", MARK], {"subject": "{{ b }}", "html": None}, id="subject"),
        pytest.param(["a", MARK], {"headers": {"X-B": "{{ b }}"}, "html": None}, id="header"),
        pytest.param(["\ud800", "b"], {}, id="surrogate"),
        pytest.param(["", "b"], {}, id="empty part"),
        pytest.param(["x" * 1_000_000, "b"], {}, id="long"),
        pytest.param(["a", "\x00"], {"subject": "{{ b }}"}, id="no subject"),
        pytest.param(["a", "é"], {"headers": {"X-B": "{{ b }}"}}, id="no header"),
        pytest.param(["a"], {}, id="missing"),
    ],
)
def test_an_unusual_row_goes_alone(values: list[str], changes: dict[str, Any]) -> None:
    assert share(values, **changes) is None


def test_a_cell_may_end_like_a_mark_if_it_meets_nothing() -> None:
    assert share(["a", "b"], html=f"<p>{MARK[:5]}{{{{ a }}}}</p>", text=f"{{{{ b }}}}{MARK[5:]}") is not None


def test_a_mark_that_a_text_contains_is_replaced() -> None:
    made = merge(text=f"{MARK} {{{{ a }}}}")
    assert made
    assert made.message.text == f"{MARK} -qother2-"


def test_marks_differ_and_cannot_overlap_with_themselves() -> None:
    marks = {mail_merge._mark() for _ in range(50)}
    assert len(marks) == 50
    assert all(mark.rfind("q") == 0 and mark.isalpha() for mark in marks)
