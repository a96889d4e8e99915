"""Whatever HTML a template has: moved CSS and a text made from it keep every tag, and readers see the same words."""

from __future__ import annotations

import html as entities

from hypothesis import HealthCheck, given, settings, strategies as st

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.css_inlining import inlined
from mail.html_tokens import What, tokens
from mail.rendering import Templates
from mail.tags import replaced, tags
from mail.text_part import text_from_html

STYLE = "<style>p,td,li{color:red}.x{margin:0}a:hover{top:0}@media print{p{left:0}}</style>"

WORDS = st.sampled_from(
    ["hello", "th\xe9", "&amp;", "&lt;b&gt;", "a < b", "\n", " ", "{ ", "jinja0x", "{{ a }}", "{{ b|upper }}"]
)
TEXTS = st.lists(WORDS, max_size=4).map(" ".join)


def _around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        inner.map(lambda text: f"<p class='{{{{ a }}}}'>{text}</p>"),
        inner.map(lambda text: f'<div title="{{{{ b|default("x>y") }}}}">{text}</div>'),
        inner.map(lambda text: f'<a href="https://x.test/?q={{{{ a|urlencode }}}}&amp;r=1">{text}</a>'),
        inner.map(lambda text: f"{{% if a %}}<b>{text}</b>{{% else %}}<i>{text}</i>{{% endif %}}"),
        inner.map(lambda text: f"<ul>{{% for c in b.split(',') %}}<li>{{{{ c }}}}{text}</li>{{% endfor %}}</ul>"),
        inner.map(
            lambda text: (
                f"<table>{{% for c in b.split(',') %}}<tr><td>{{{{ c }}}}{text}</td></tr>{{% endfor %}}</table>"
            )
        ),
        inner.map(lambda text: f"{{# note #}}<div>{text}</div><!-- {{{{ a }}}} -->"),
        st.tuples(inner, inner).map("".join),
    )


HTML = st.recursive(TEXTS, _around, max_leaves=8)


def words(html: str) -> list[str]:
    """What a reader sees of HTML."""
    shown = [html[one.start : one.end] if not one.raw else "" for one in tokens(html) if one.what is What.TEXT]
    return entities.unescape(" ".join(shown)).split()


def rendered(html: str | None, text: str | None = None) -> str:
    templates = Templates(Content(from_="n@shop.test", subject="s", html=html, text=text))
    columns = ("email", "a", "b")
    values = [["", "Ann & Co", "tea,cups"][index] for index in templates.fields(columns)]
    message = templates.renderer("c1", columns).message(1, "ann@shop.test", values)
    return message.html or message.text or ""


@settings(suppress_health_check=list(HealthCheck))
@given(HTML)
def test_moved_css_keeps_every_tag_and_every_word(source: str) -> None:
    html = STYLE + source + "<p>end</p>"
    try:
        made = inlined(html)
    except InvalidCampaign as error:
        assert "too broken" in error.detail  # noqa: PT017 - either way is right
        return
    assert [made[tag.start : tag.end] for tag in tags(made)] == [html[tag.start : tag.end] for tag in tags(html)]
    assert "".join(words(rendered(made))) == "".join(words(rendered(html)))


@settings(suppress_health_check=list(HealthCheck))
@given(HTML)
def test_a_text_made_from_html_is_a_template_with_the_same_statements(source: str) -> None:
    made = text_from_html(source + "<p>end</p>")
    statements = [source[tag.start : tag.end] for tag in tags(source) if tag.kind.value == "statement"]
    assert [made[tag.start : tag.end] for tag in tags(made) if tag.kind.value == "statement"] == statements
    seen = rendered(None, made)
    assert "<p" not in seen
    assert seen.rstrip().endswith("end")
    fixed = replaced(source, lambda _number, _tag: " ")
    for word in words(fixed):
        assert word in seen
