"""Rendering: nothing of a list changes what a template means, and nothing of a template breaks more than its row."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

from hypothesis import assume, given, strategies as st

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.message import Message
from mail.outcome import MAX_REASON, reason
from mail.rendering import RenderError, Templates, one_line
from mail.template import HTML, TEXT


def render(content: Content, cell: str) -> Message:
    templates = Templates(content)
    values = [cell] if templates.fields(("a",)) else []
    return templates.renderer("c1", ("a",)).message(1, "jane@example.com", values)


class Events(HTMLParser):
    """What a mail client's parser sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.seen.append(data)


@given(st.text())
def test_a_cell_in_html_is_text_and_stays_what_it_is(cell: str) -> None:
    assume("\r" not in cell and "\0" not in cell)
    content = Content(from_="news@example.org", subject="Hi", html='<p title="{{ a }}">{{ a }}</p>')
    events = Events(str(render(content, cell).html))
    assert events.seen == [("p", [("title", cell)]), "p"]
    assert events.text == cell


@given(st.text(min_size=1))
def test_a_cell_in_text_stays_what_it_is(cell: str) -> None:
    assert render(Content(from_="news@example.org", subject="Hi", text="{{ a }}"), cell).text == cell


@given(st.text())
def test_a_cell_is_never_taken_for_a_template(cell: str) -> None:
    content = Content(from_="news@example.org", subject="Hi", text="{{ a }}.")
    assert render(content, "{{ " + cell + " }}{% endif %}").text == "{{ " + cell + " }}{% endif %}."


@given(st.text(st.characters(exclude_categories=())))
def test_a_header_line_has_no_control_characters_and_no_doubled_blanks(text: str) -> None:
    line = one_line(text)
    assert not [char for char in line if unicodedata.category(char) in {"Cc", "Zl", "Zp"}]
    assert "  " not in line
    assert line == line.strip(" ")
    assert one_line(line) == line
    kept = [char for char in text if unicodedata.category(char) not in {"Cc", "Zl", "Zp"} and char != " "]
    assert [char for char in line if char != " "] == kept


PIECES = [
    "{{", "}}", "{%", "%}", "{#", "#}", " a ", " email ", " if ", " else ", " endif ", " for x in a ", " endfor ",
    " set y = 1 ", "|upper", "|length", "|int", "|e", " x ", " y ", "'s'", " 7 ", " + ", " * ", " ** ", "(", ")", "[0]",
    ".b", " ~ ", "|join(',')", " is defined ", " loop.index ", " range(3) ", " block q ", " endblock ", " macro m() ",
    " endmacro ", " raw ", " endraw ", "-", "\n", "text", "\\ud800", "é",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.text(max_size=20))
def test_any_template_is_refused_or_renders_or_fails_its_row(source: str, cell: str) -> None:
    try:
        templates = Templates(Content(from_="news@example.org", subject="Hi", text="t" + source))
    except InvalidCampaign as error:
        assert error.detail.startswith("text")  # noqa: PT017 - either way is right
        return
    try:
        renderer = templates.renderer("c1", ("a",))
        message = renderer.message(1, "jane@example.com", [cell] if templates.fields(("a",)) else [])
    except RenderError as error:
        assert 0 < len(error.reason) <= MAX_REASON  # noqa: PT017
        assert "jane@" not in error.reason  # noqa: PT017
        return
    assert str(message.text).startswith("t")


@given(
    st.lists(st.sampled_from(["{{ a }}", "{{ email }}", "{{a}}", "<p>", "é", " ", "\n", "{# c #}", "\\", "%"])),
    st.text(max_size=9),
)
def test_a_form_is_filled_in_as_jinja_would(pieces: list[str], cell: str) -> None:
    source = "".join(["t", *pieces])
    message = render(Content(from_="news@example.org", subject="Hi", html=source, text=source), cell)
    values = {"a": cell, "email": "jane@example.com"}
    for sandbox, found in ((HTML, message.html), (TEXT, message.text)):
        assert found == sandbox.from_string(source).render(values)


@given(st.text(), st.sampled_from(["jane.doe@example.com", "o'neil+x@a-b.example", "zoë@bücher.example"]), st.text())
def test_no_reason_ever_shows_a_whole_address(before: str, address: str, after: str) -> None:
    made = reason(f"{before}{address}{after}")
    assert address not in made
    assert len(made) <= MAX_REASON
    assert made.isprintable() or not [char for char in made if unicodedata.category(char) == "Cc"]
