from __future__ import annotations

import pytest

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.message import Mailbox, Message
from mail.rendering import MAX_BODY, RenderError, Templates, one_line

COLUMNS = ("email", "first_name", "", "city", "range")


def content(
    subject: str = "Hello", html: str | None = None, text: str | None = "Text", reply_to: str | None = None
) -> Content:
    return Content(from_="News <news@example.com>", subject=subject, html=html, text=text, reply_to=reply_to)


def render(made: Content, values: dict[str, str] | None = None) -> Message:
    cells = values or {}
    renderer = Templates(made).renderer("c1", ("email", *cells))
    wanted = Templates(made).fields(("email", *cells))
    return renderer.message(12, "jane@example.com", [("", *cells.values())[index] for index in wanted])


def reason(made: Content, values: dict[str, str] | None = None) -> str:
    with pytest.raises(RenderError) as raised:
        render(made, values)
    return raised.value.reason


def test_a_message_carries_the_campaign_the_row_and_all_rendered_parts() -> None:
    made = content("Hi {{ first_name }}", "<p>{{ first_name }}</p>", "To {{ email }}", "help@example.com")
    assert render(made, {"first_name": "Zoë"}) == Message(
        campaign_id="c1",
        row=12,
        to="jane@example.com",
        sender=Mailbox("News", "news@example.com"),
        reply_to=Mailbox("", "help@example.com"),
        subject="Hi Zoë",
        html="<p>Zoë</p>",
        text="To jane@example.com",
        headers={},
    )


def test_html_is_escaped_and_text_and_subject_are_not() -> None:
    message = render(content("{{ a }}", "{{ a }}", "{{ a }}"), {"a": "<b>&'\""})
    assert message.html == "&lt;b&gt;&amp;&#39;&#34;"
    assert (message.subject, message.text) == ("<b>&'\"", "<b>&'\"")


def test_what_the_author_marks_as_safe_stays_html() -> None:
    assert render(content(html="{{ a|safe }}"), {"a": "<b>"}).html == "<b>"


def test_used_names_come_from_all_three_templates_and_leave_out_what_templates_define() -> None:
    made = content(
        "{{ a }}", "{% for x in b %}{{ x }}{{ loop.index }}{% endfor %}", "{% set y = c %}{{ y }}{{ email }}"
    )
    assert Templates(made).used == {"a", "b", "c", "email"}


def test_missing_names_are_sorted_and_email_is_never_missing() -> None:
    templates = Templates(content("{{ zip }} {{ city }} {{ email }} {{ age }}", text="{{ range(2) }}"))
    assert templates.missing(("mail", "city")) == ["age", "zip"]


def test_fields_are_the_positions_of_used_columns_without_the_address() -> None:
    assert Templates(content("{{ city }} {{ email }}", text="{{ first_name }}")).fields(COLUMNS) == (1, 3)


def test_email_is_the_recipient_even_where_a_column_has_that_name() -> None:
    templates = Templates(content("{{ email }}"))
    assert templates.fields(("email", "contact")) == ()
    assert templates.renderer("c1", ("email",)).message(1, "jane@example.com", []).subject == "jane@example.com"


def test_a_column_wins_over_a_function_of_the_same_name() -> None:
    templates = Templates(content("{{ range }}"))
    fields = templates.fields(COLUMNS)
    assert fields == (4,)
    assert templates.renderer("c1", COLUMNS).message(1, "a@example.com", ["5 km"]).subject == "5 km"


def test_range_and_namespace_are_there() -> None:
    made = content(
        text="{% set n = namespace(v=0) %}{% for i in range(4) %}{% set n.v = n.v + i %}{% endfor %}{{ n.v }}"
    )
    assert render(made).text == "6"


@pytest.mark.parametrize(
    ("field", "template", "detail"),
    [
        ("subject", "{{ a", "subject, line 1: unexpected end of template"),
        ("html", "x\n\n{% if %}", "html, line 3: Expected an expression"),
        ("text", "x\n{{ a|nonsense }}", "text, line 2: No filter named 'nonsense'"),
        ("text", "{% include 'x' %}", "text: a template cannot include"),
        ("html", "{% extends base %}", "html: a template cannot include"),
        ("html", "{% from 'x' import y %}", "html: a template cannot include"),
        ("text", "{{ row['First Name'] ", "text, line 1:"),
        ("text", "{{ " + "(" * 500 + ")" * 500 + " }}", "text"),
    ],
)
def test_a_template_that_does_not_compile_names_its_field_and_line(field: str, template: str, detail: str) -> None:
    made = {"subject": "Hello", "text": "Text"} | {field: template}
    with pytest.raises(InvalidCampaign) as raised:
        Templates(Content(from_="news@example.com", **made))  # type: ignore[arg-type]
    assert raised.value.detail.startswith(detail)


def test_a_name_without_value_is_an_error_and_not_an_empty_string() -> None:
    assert reason(content(text="Dear\n{{ nickname }}")) == "text, line 2: 'nickname' is undefined"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ 1 / 0 }}", "text, line 1: division by zero"),
        ("{{ a.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ ''.join(a.__class__) }}", "is unsafe"),
        ("{{ 2 ** 70 }}", "powers are not available"),
        ("{{ 'x' * 10001 }}", "too large"),
        ("{{ 10001 * [1] }}", "too large"),
        ("{% set n = namespace(v=10) %}{% for i in range(20) %}{% set n.v = n.v * n.v %}{% endfor %}", "too large"),
        ("{{ range(100001) }}", "Range too big"),
        ("{{ '\\ud800' }}", "surrogate"),
        ("{{ a|int('x') + 1 }}", "text, line 1: "),
    ],
)
def test_what_a_template_cannot_do_fails_its_row_with_a_reason(template: str, words: str) -> None:
    assert words in reason(content(text=template), {"a": "x"})


def test_ordinary_products_are_fine() -> None:
    made = content(text="{{ '-' * 40 }}{{ 1250 * 3 }}{{ 'ab' * 2 }}{{ a|float * 2 }}")
    assert render(made, {"a": "1.5"}).text == "-" * 40 + "3750" + "abab" + "3.0"


def test_a_reason_never_holds_an_address() -> None:
    assert reason(content(text="{{ {}[email] }}")) == "text, line 1: 'dict object' has no attribute '***@example.com'"


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("Hello\r\nBcc: x@example.com", "Hello Bcc: x@example.com"),
        ("  a \t\n b  ", "a b"),
        ("a  b", "a b"),
        ("a\x00\x07\x1bb\x7f\x85c\u2028d", "ab c d"),
        ("naïve 👨\u200d👩\u200d👧", "naïve 👨\u200d👩\u200d👧"),
        ("10\xa0€", "10\xa0€"),
    ],
)
def test_a_subject_is_one_line_without_control_characters(subject: str, line: str) -> None:
    assert render(content("{{ a }}"), {"a": subject}).subject == line
    assert one_line(line) == line


@pytest.mark.parametrize("length", [999, 5_000])
def test_a_subject_that_no_header_can_have_fails_its_row(length: int) -> None:
    assert render(content("{{ a }}"), {"a": "x" * 998}).subject == "x" * 998
    words = f"subject: {length:,} characters are more than 998: use |truncate(78)"
    assert reason(content("{{ a }}"), {"a": "x" * length}) == words


def test_an_empty_subject_fails_its_row() -> None:
    assert reason(content("{{ a }}"), {"a": " \n\x00 "}) == "the subject is empty"


def test_an_empty_part_is_left_out_and_an_empty_message_fails_its_row() -> None:
    made = content(html="<p>Hi</p>", text="{{ a }}")
    assert render(made, {"a": ""}).text is None
    assert render(content(html="{{ a }}", text="Hi"), {"a": ""}).html is None
    assert reason(content(text="{{ a }}"), {"a": ""}) == "the message is empty"


def test_a_body_beyond_the_limit_fails_its_row() -> None:
    assert "longer than" in reason(content(text="x" * (MAX_BODY + 1)))
    made = content(text="{% for i in range(1001) %}{{ a }}{% endfor %}")
    assert "needs more than 10 MB" in reason(made, {"a": "x" * (MAX_BODY // 1000)})


@pytest.mark.parametrize("address", ["a@example.com\r\nBcc: b@example.com", "a b@example.com", "a@example.com\x00"])
def test_an_address_that_could_leave_its_header_fails_its_row(address: str) -> None:
    renderer = Templates(content()).renderer("c1", ("email",))
    with pytest.raises(RenderError, match="white space or control"):
        renderer.message(1, address, [])


def test_a_template_keeps_its_last_newline() -> None:
    assert render(content(text="Bye\n")).text == "Bye\n"


def test_a_template_cannot_change_what_the_next_row_sees() -> None:
    made = content(text="{% set a = 'changed' %}{{ a }}", html="{{ a }}", subject="{{ a }}")
    renderer = Templates(made).renderer("c1", ("a",))
    texts = [renderer.message(row, "x@example.com", ["cell"]).html for row in (1, 2)]
    assert texts == ["cell", "cell"]
