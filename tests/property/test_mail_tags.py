"""Finding tags: what this project finds is what Jinja2's lexer and a tokenizer of HTML find."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import example, given, reject, strategies as st
from jinja2 import TemplateSyntaxError

from mail.html_tokens import What, tokens
from mail.tags import BLANK, Kind, blanked, replaced, tags
from mail.template import TEXT

TEMPLATE = st.lists(
    st.sampled_from([
        "{{ a }}", "{{ '}}' }}", '{{ "{{" }}', "{{ {'a': {'b': 1}} }}", "{{ a[b[0]] }}", "{{ f({'x': (1, 2)}) }}",
        "{% if a %}", "{% endif %}", "{% set x = '%}' %}", "{%- set x = {'a': {}} -%}", "{# a {{ b }} #}", "{#- '#}",
        "{% raw %}{{ no }}{% if %}{% endraw %}", "{%- raw -%} } {%- endraw -%}", "text",
        "<b>", "'", '"', "{", "}", "%}",
        "}}", "#}", "\n", "é😀", r"{{ 'it\'s }}' }}",
    ]),
    max_size=12,
).map("".join)  # fmt: skip


@given(TEMPLATE)
@example("{{% if a %}}{% raw %}{{ no }}{% if %}{% endraw %}")
def test_the_texts_around_tags_are_those_of_jinja2(source: str) -> None:
    try:
        lexed = list(TEXT.lexer.tokeniter(source, None))
    except TemplateSyntaxError:
        reject()
    expected = "".join(text for _line, kind, text in lexed if kind == "data")
    kept = []
    position = 0
    for tag in tags(source):
        kept.append(source[position : tag.start])
        position = tag.end
        if tag.kind is Kind.RAW:
            inner = source[tag.start : tag.end]
            kept.append(inner[inner.index("%}") + 2 : inner.rindex("{%")])
    kept.append(source[position:])
    # Jinja2 strips blanks beside `-`; all other characters are the same.
    assert "".join("".join(kept).split()) == "".join(expected.split())


@given(TEMPLATE)
def test_blanked_tags_leave_every_other_character_in_its_place(source: str) -> None:
    text = blanked(source)
    assert len(text) == len(source)
    assert [now for now, before in zip(text, source, strict=True) if now != before] == [BLANK] * sum(
        now != before for now, before in zip(text, source, strict=True)
    )
    assert replaced(source, lambda number, _tag: [source[t.start : t.end] for t in tags(source)][number]) == source


PIECES = st.lists(
    st.sampled_from([
        "<p>", "</p>", "<br/>", '<a href="x>y">', "<a href='&amp;'>", "<a href=z b>", "</A>", "<!-- <b> -->", "text",
        "<!doctype html>", "<style>a>b{}</style>", "<SCRIPT>if (a<b) '</p>'</script>", " < ", "&lt;", "\n", "é",
        "<img alt src=x>",
    ]),
    max_size=12,
).map("".join)  # fmt: skip


class _Oracle(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.seen: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)


@given(PIECES)
def test_the_tags_of_ordinary_html_are_those_of_pythons_parser(source: str) -> None:
    oracle = _Oracle()
    oracle.feed(source)
    oracle.close()
    found = [
        token.name if token.what is What.END else (token.name, [(one.name, one.value) for one in token.attributes])
        for token in tokens(source)
        if token.what in {What.START, What.END}
    ]
    assert found == oracle.seen


@given(st.text(st.sampled_from("<>/!?-=\"' ab\n&;pstyle")))
def test_tokens_are_the_whole_of_any_text(source: str) -> None:
    position = 0
    for token in tokens(source):
        assert token.start == position < token.end
        position = token.end
    assert position == len(source)
