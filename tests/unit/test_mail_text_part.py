"""The text part that is made from HTML: readable, with its links, and with the tags of the template."""

from __future__ import annotations

from typing import Final

import pytest

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.rendering import Templates
from mail.text_part import MAX_HTML, text_from_html
from tests.support.costs import cpu_s

NEWSLETTER: Final = """{% set greeting = 'Dear' %}<!doctype html><html><head><title>News</title>
<style>p{color:red}</style></head>
<body>
<div style="display:none">Preview of {{ name }}</div><!--[if mso]><p>Outlook</p><![endif]-->
<table width="600"><tr><td class="{% if vip %}gold{% endif %}"><h1>Spring sale</h1>
<p>{{ greeting }} {{ name|default("friend") }} &amp; family,<br>
see <a href="https://x.test/a?b=1&amp;c={{ email|urlencode }}">our
shop</a>.</p></td></tr>
{% for item in items.split(',') %}<tr><td>{{ item }}</td></tr>{% endfor %}
</table>
<ul>{% for item in items.split(',') %}<li>{{ item }}</li>{% endfor %}</ul>
{% if vip == 'yes' %}<p>Thank you.</p>{% endif %}
<p><a href="https://x.test/u">https://x.test/u</a> <a href="mailto:a@x.test">a@x.test</a> <a href="#top">Top</a></p>
<a href="https://x.test"><img src="https://x.test/l.png" alt="Logo"></a></body></html>"""

RENDERED: Final = """Spring sale

Dear Ann & family,
see our shop (https://x.test/a?b=1&c=a%40x.test).

tea
cups

  * tea
  * cups

Thank you.

https://x.test/u a@x.test Top

Logo (https://x.test)
"""


def render(text: str, **cells: str) -> str:
    templates = Templates(Content(from_="news@shop.test", subject="s", text=text + "\n."))
    columns = ("email", *cells)
    values = [["", *cells.values()][index] for index in templates.fields(columns)]
    made = templates.renderer("c1", columns).message(1, "a@x.test", values).text
    assert made is not None
    return made.removesuffix("\n.")


def test_a_newsletter_is_readable_as_text() -> None:
    made = render(text_from_html(NEWSLETTER), name="Ann", items="tea,cups", vip="yes")
    assert [line for line in made.split("\n") if line] == [line for line in RENDERED.split("\n") if line]
    assert "\n\n\n" not in made


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<b>a</b> <i>b</i>  c\n d", "a b c d"),
        ("<ol><li>a</li><li>b</li></ol>", " 1. a\n 2. b"),
        ("a<br>b<hr>c", "a\nb\n\n----------\n\nc"),
        ('<a href="{{ url }}">Go</a>', "Go ({{ url }})"),
        ('<a href="https://x.test"></a>', "https://x.test"),
        ('<a href="javascript:x()">Go</a>', "Go"),
        ('<a href="https://x.test?a=1&amp;b=2">https://x.test?a=1&amp;b=2</a>', "https://x.test?a=1&b=2"),
        ('<img alt="A &lt;b&gt;"><img src="x"><script>x()</script>', "A <b>"),
        ("{{ bio|safe }} {{ url|urlize }} {{ x|e }}", "{{ bio|striptags }} {{ url }} {{ x }}"),
        ("&lt;b&gt; &euro; &#233;", "<b> € é"),
        ('<div style="display: none">x{% if a %}</div>y{% endif %}', "{% if a %}y{% endif %}"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("", ""),
        ("<p> </p>", ""),
    ],
)
def test_each_kind_of_element(html: str, text: str) -> None:
    assert text_from_html(html).strip("\n") == text


@pytest.mark.parametrize(
    "written", ["&#123;&#123; a }}", "&#123;% a %}", "&#123;# a #}", "{&#123; a }}", "&#123;{{ 'x' }}"]
)
def test_braces_that_are_no_tag_in_the_html_are_none_in_the_text(written: str) -> None:
    shown = written.replace("&#123;", "{").replace("{{ 'x' }}", "x")
    assert render(text_from_html(f"<p>{written}</p>")).strip() == shown


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("x" * (MAX_HTML + 1), f"html: longer than {MAX_HTML:,} characters, so no text is made from it: give a text"),
        ("<!-- {% if a %} -->x{% endif %}", "html: no text can be made from it"),
        ("{{ a }}" * 1_100, "html: no text can be made from it (text: 1,100 tags are more than 1,000"),
    ],
)
def test_html_that_yields_no_text_is_refused_in_words(html: str, words: str) -> None:
    with pytest.raises(InvalidCampaign) as raised:
        text_from_html(html)
    assert raised.value.detail.startswith(words)


@pytest.mark.parametrize(
    "piece", ["<div>", "<b>", "<p>x", "<h1>x</h1>", "<ul><li>", "<pre>", "<a href=http://x>", "&", "<a "]
)
def test_making_a_text_takes_half_a_second_at_most(piece: str) -> None:
    html = (piece * MAX_HTML)[:MAX_HTML]
    assert cpu_s(lambda: text_from_html(html), 0.5) < 0.5
