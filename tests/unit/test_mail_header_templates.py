"""Headers of a campaign are templates, too: what each row gets, and what fails it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.checks import checks
from mail.content import check
from mail.known_list import KnownList
from mail.message import Message
from mail.rendering import RenderError, Templates

UNSUBSCRIBE = {
    "List-Unsubscribe": "<https://shop.test/u?e={{ email|urlencode }}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def content(headers: Mapping[str, str]) -> Content:
    return Content(from_="News <news@shop.test>", subject="s", text="t", headers=dict(headers))


def render(headers: Mapping[str, str], **cells: str) -> Message:
    templates = Templates(content(headers))
    columns = ("email", *cells)
    values = [["", *cells.values()][index] for index in templates.fields(columns)]
    return templates.renderer("c1", columns).message(1, "ann+x@shop.test", values)


def test_each_row_gets_its_own_headers_in_the_order_of_the_campaign() -> None:
    assert list(render(UNSUBSCRIBE).headers.items()) == [
        ("List-Unsubscribe", "<https://shop.test/u?e=ann%2Bx%40shop.test>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ]
    check(content(UNSUBSCRIBE))


def test_a_header_takes_columns_that_nothing_else_uses() -> None:
    headers = {"X-Ref": "{{ ref|default('none') }}-{{ shop }}"}
    assert Templates(content(headers)).missing(("email", "shop")) == ["ref"]
    assert render(headers, ref=" ", shop="7", other="x").headers == {"X-Ref": "none-7"}


def test_headers_without_tags_are_the_same_for_all_rows() -> None:
    """Given fixed headers, when rows are rendered, then they share one mapping and cost nothing."""
    made = content({"X-A": "1 } %"})
    renderer = Templates(made).renderer("c1", ("email",))
    assert renderer.message(1, "a@x.test", []).headers is made.headers


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "headers.X-Ref: it is empty for this row"),
        ("  ", "headers.X-Ref: it is empty for this row"),
        ("a\r\nBcc: x@example.com", "headers.X-Ref: a value is printable ASCII on one line"),
        ("a\nb", "printable ASCII on one line"),
        ("a\x00", "printable ASCII on one line"),
        ("a\x85b", "printable ASCII on one line"),
        ("é", "printable ASCII on one line"),
        ("=?utf-8?q?a=0D=0ABcc:x?=", "printable ASCII on one line"),
        ("x" * 901, "headers.X-Ref: 901 characters are more than 900"),
    ],
)
def test_a_value_that_no_header_can_have_fails_its_row(cell: str, words: str) -> None:
    with pytest.raises(RenderError) as raised:
        render({"X-Ref": "{{ ref }}"}, ref=cell)
    assert words in raised.value.reason


def test_a_header_that_throws_names_itself() -> None:
    with pytest.raises(RenderError) as raised:
        render({"X-Ref": "{{ ref|int }}"}, ref="x")
    assert raised.value.reason == "headers.X-Ref, line 1: ref: 'x' is not a number: correct the list"


def test_headers_share_the_budget_of_their_row() -> None:
    loop = "{% for i in range(70000) %}{% endfor %}x"
    render({"X-A": loop})
    with pytest.raises(RenderError, match=r"headers\.X-B, line 1: this row takes more than 50 ms"):
        render({"X-A": loop, "X-B": loop})


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("{{ a", "headers.X-A, line 1: unexpected end of template"),
        ("{{ a }}\n", "headers: X-A needs a value of 1 to 900 printable ASCII characters"),
        ("é {{ a }}", "headers: X-A needs a value of 1 to 900 printable ASCII characters"),
        ("{{ a.title }}", "headers.X-A, line 1: {{ a.title }} is a method"),
        ("{{ a }}" * 200, "headers: X-A needs a value of 1 to 900 printable ASCII characters"),
    ],
)
def test_a_header_that_can_never_be_sent_is_refused(value: str, detail: str) -> None:
    with pytest.raises(InvalidCampaign) as raised:
        check(content({"X-A": value}))
    assert raised.value.detail.startswith(detail)


def test_the_checks_look_into_headers() -> None:
    headers = {"X-A": "{{ nmae }}", "X-B": "*|FNAME|*", "X-C": "{{ name * 2 }}"}
    found = {(one.code, one.field) for one in checks(content(headers), KnownList(("email", "name")))}
    assert {
        ("missing_column", "headers.X-A"),
        ("foreign_tag", "headers.X-B"),
        ("text_arithmetic", "headers.X-C"),
    } <= found
