"""CSS moves into the elements once per campaign, and the tags of the template stay what and where they are."""

from __future__ import annotations

import pytest

from campaigns.errors import InvalidCampaign
from mail.css_inlining import MAX_ELEMENTS, MAX_HTML, MAX_OPEN, inlined
from tests.support.costs import cpu_s


def refusal(html: str) -> str:
    with pytest.raises(InvalidCampaign) as raised:
        inlined(html)
    return raised.value.detail


def test_css_moves_into_the_elements() -> None:
    html = '<html><head><style>p, .b{color:red}</style></head><body><p>x</p><b class="b">y</b></body></html>'
    made = inlined(html)
    assert '<p style="color: red;">x</p><b class="b" style="color: red;">y</b>' in made
    assert "p, .b" not in made


def test_rules_that_no_attribute_can_hold_stay_in_the_style() -> None:
    made = inlined("<style>a:hover{color:red}@media (max-width:9px){p{width:1px}}</style><p>x</p>")
    style = made[made.index("<style>") : made.index("</style>")]
    assert "a:hover" in style
    assert "max-width:9px" in style


def test_html_without_css_stays_as_it_is() -> None:
    html = "<P>{{ a }}<br>{% if b %}</p"
    assert inlined(html) == html


@pytest.mark.parametrize(
    "html",
    [
        '<p title="{{ a|default("x>y") }}">{{ b }}</p>',
        "<a href='https://x.test/?a=1&amp;b={{ c|urlencode }}'>{# note <b> #}</a>",
        "<table>{% for r in rows.split(',') %}<tr><td>{{ r }}</td></tr>{% endfor %}</table>",
        "<ul>{% if a %}<li>{{ a }}</li>{% else %}<li>-</li>{% endif %}</ul>",
        '<p class="{% if a %}x{% else %}y{% endif %}">{% raw %}{{ no }}{% endraw %}</p>',
        "<!-- {{ in_comment }} --><title>{{ t }}</title><p>jinja0x jinja</p>",
        "<select>{% for o in a %}<option>{{ o }}</option>{% endfor %}</select>",
    ],
)
def test_every_tag_is_still_there_in_its_order(html: str) -> None:
    made = inlined("{% set x = 1 %}<!doctype html><style>p,td{margin:0}</style>" + html + "{{ end }}")
    position = 0
    for start in ("{% set x = 1 %}", *_tags(html), "{{ end }}"):
        position = made.index(start, position) + len(start)
    assert made.lower().startswith("{% set x = 1 %}<!doctype html>")
    assert "jinja" not in made.replace("jinja0x jinja", "")


def _tags(html: str) -> list[str]:
    pieces, position = [], 0
    while (
        start := min((at for at in (html.find(mark, position) for mark in ("{{", "{%", "{#")) if at >= 0), default=-1)
    ) >= 0:
        end = html.index({"{": "}}", "%": "%}", "#": "#}"}[html[start + 1]], start) + 2
        pieces.append(html[start:end])
        position = end
    return pieces


def test_columns_in_the_css_reach_the_elements() -> None:
    made = inlined(
        '<style>p{color:{{ color }};width:{{ w }}px}.{{ k }}{margin:0}</style><p>x</p><b class="{{ k }}">y</b>'
    )
    assert '<p style="color: {{ color }};width: {{ w }}px;">x</p>' in made
    assert '<b class="{{ k }}" style="margin: 0;">y</b>' in made


@pytest.mark.parametrize(
    ("html", "words"),
    [
        (
            '<style>p{}</style>\n<p {% if a %}class="x"{% endif %}>',
            "html, line 2: {% if a %} stands between attributes",
        ),
        ("<style>p{}</style><{{ tag }}>", "{{ tag }} stands between attributes"),
        ("<style>{% if a %}p{}{% endif %}</style>", "{% if a %} stands inside <style>"),
        ("x\n{% if a %}<style>p{}</style>{% endif %}", "html, line 2: <style> stands inside a condition or loop"),
        ("<style>p{}</style>" + "x" * MAX_HTML, f"longer than {MAX_HTML:,} characters"),
        ("<style>p{}</style>" + "<br>" * (MAX_ELEMENTS + 1), f"elements are more than {MAX_ELEMENTS:,}"),
        ("<style>p{}</style>" + "<div>" * (MAX_OPEN + 1), "too many elements are never closed"),
        ("<style>p{}</style>" + "<b><p>" * 100, "too many elements are never closed"),
        ("<style>" + "*{a:b}" * 1000 + "</style>" + "<p>x</p>" * 1000, "the CSS is too large for this many elements"),
        ("<style>*{a:" + "b" * 30_000 + "}</style>" + "<p>x</p>" * 1000, "the CSS is too large for this many elements"),
    ],
)
def test_what_css_cannot_be_moved_past_is_refused_in_words(html: str, words: str) -> None:
    detail = refusal(html)
    assert detail.startswith("inline_css: ")
    assert words in detail


def test_a_large_newsletter_is_not_refused() -> None:
    css = "".join(f".c{i}{{padding:{i}px;color:#{i:06x}}} td.k{i} p{{margin:0}}\n" for i in range(150)) + "p{margin:0}"
    row = '<tr><td class="c1"><p class="c2">{{ a }} <a href="https://x.test">x</a></p><img src="https://x.test/a.png"></td></tr>'
    made = inlined(f"<style>{css}</style><table>{row * 300}</table>")
    assert made.count('<p class="c2" style="margin: 0;padding: 2px;color: #000002;">{{ a }}') == 300


def test_stylesheets_behind_links_are_never_loaded() -> None:
    """Given links to a port that would refuse and to a file, when CSS is moved, then neither is asked for."""
    made = inlined(
        '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><link rel="stylesheet" href="file:///etc/passwd">'
        "<style>p{color:red}</style><p>x</p>"
    )
    assert '<p style="color: red;">x</p>' in made


@pytest.mark.parametrize(
    "html",
    [
        "<style>" + "*{a:b}" * 20 + "</style>" + "<p>x</p>" * 9_900,
        "<style>" + ".a{b:c}" * 300 + "</style>" + "<p class=a>x</p>" * 9_900,
        "<style>*{a:" + "b" * 790 + "}</style>" + "<p>x</p>" * 9_900,
        "<style>" + ".a{b:" + "c" * 3_900 + "}</style>" + "<p class=a>x</p>" * 9_900 + "{{ a }}",
        "<style>p{margin:0 auto;color:red;padding:0}</style>" + "<p class=a>x{{ a }}</p>" * 900 + "<p>x</p>" * 9_000,
        "<style>p{}</style>" + "<a " * 99_000,
        "<style>p{}</style>" + "{{ a }}" * 900 + "<p>x</p>" * 9_900,
        "<style>" + "div " * 20_000 + "{}</style>" + "<div>" * 900,
    ],
)
def test_moving_css_takes_half_a_second_at_most(html: str) -> None:
    def work() -> None:
        try:
            inlined(html)
        except InvalidCampaign:
            return

    assert cpu_s(work, 0.5) < 0.5
