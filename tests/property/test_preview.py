"""A preview is what is sent: the same email byte for byte, or the same reason why there is none."""

from __future__ import annotations

import csv
import io
from typing import Any

import fakeredis
from hypothesis import assume, event, given, settings, strategies as st

from campaigns.models import Status
from tests.support.app_harness import AppHarness
from tests.support.delivered import delivered

PIECES = [
    "{{ a }}", "{{ b }}", "{{ email }}", "{{ a|upper }}", "{{ b|int }}", "{{ a|default('x') }}", "{{ b|title }}",
    "{{ a ~ b }}", "{{ a * 2 }}", "{% if a %}", "{% else %}", "{% endif %}", "{% for x in b %}{{ x }}{% endfor %}",
    "{# no #}", "<p class='c'>", "</p>", "<b>", "</b>", "<style>.c { color: red }</style>", "<br>", " ", "é", "\n",
    "&amp;", "<a href='https://shop.test/{{ a|urlencode }}'>", "</a>", "{{ a|safe }}", "<table><tr><td>",
    "</td></tr></table>", "\r\n",
]  # fmt: skip
TEMPLATES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
CONTENT = st.fixed_dictionaries(
    {"from": st.just("News <news@shop.test>"), "subject": TEMPLATES.map("Hi{}".format), "html": TEMPLATES},
    optional={
        "text": TEMPLATES,
        "headers": st.dictionaries(st.just("X-Ref"), st.sampled_from(["{{ a }}", "{{ b|urlencode }}", "fixed"])),
        "inline_css": st.booleans(),
        "text_from_html": st.booleans(),
    },
)


@settings(max_examples=40)
@given(CONTENT, CELLS, CELLS)
def test_a_preview_is_what_is_sent(content: dict[str, Any], a: str, b: str) -> None:
    app = AppHarness(fakeredis.FakeRedis(server=fakeredis.FakeServer()))
    made = app.web.put("/campaigns/c1", content)
    assume(made.status == 201)
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["email", "a", "b"], ["ann@shop.test", a, b]])
    app.upload(file.getvalue().encode(), query="?encoding=utf-8")
    campaign = app.parse()
    assume(campaign.status is Status.READY)  # with some cells, the file is no CSV
    assume(app.web.get("/campaigns/c1").json()["missing_columns"] == [])
    shown = app.web.post("/campaigns/c1/preview", {"row": 1})
    [sent] = delivered(app).values()
    event("a reason" if isinstance(sent, str) else "an email")
    if isinstance(sent, str):
        assert shown.status == 422
        assert shown.detail == f"Row 1 cannot be rendered: {sent}."
        return
    email = shown.json()
    assert (email["to"], email["subject"]) == (sent.to, sent.subject)
    assert (email["html"], email["text"]) == (sent.html, sent.text)
    assert email["headers"] == dict(sent.headers)
