"""What the checks of a campaign's content find: each with its code, its level, and where it stands."""

from __future__ import annotations

from typing import Any, Final

import pytest

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.checks import Check, Level, checks
from mail.content import check
from mail.envelope_checks import FREE_MAIL
from mail.html_outline import outline
from mail.known_list import KnownList
from tests.support.costs import cpu_s

COLUMNS: Final = ("email", "first_name", "prénom", "", "qty", "price")
ROW: Final = ("ann@example.com", "Ann", "Zoë", "", "12", "12,50")
FOOTER: Final = '<a href="https://shop.test/unsubscribe">Unsubscribe</a>'


def content(**changes: Any) -> Content:
    return Content(**({"from_": "News <news@shop.test>", "subject": "Hello", "text": "Unsubscribe: ..."} | changes))


def found(code: str, columns: tuple[str, ...] | None = None, **changes: Any) -> list[Check]:
    known = None if columns is None else KnownList(columns)
    return [one for one in checks(content(**changes), known) if one.code == code]


def only(code: str, columns: tuple[str, ...] | None = None, **changes: Any) -> Check:
    (one,) = found(code, columns, **changes)
    return one


def test_good_content_has_no_findings() -> None:
    good = content(
        html='<p>Hi {{ first_name|default("friend") }},</p><img src="https://x.test/a.png" alt="">' + FOOTER,
        text='Hi {{ first_name|default("friend") }}, {{ qty|int * 2 }} for {{ price|number(decimal=",") }}.',
        reply_to="help@mail.shop.test",
    )
    assert checks(good, KnownList(COLUMNS, [(1, ROW)], {"first_name": 7}, 10)) == []


@pytest.mark.parametrize(
    ("template", "message", "line", "column"),
    [
        ("Hi\n  {{ firstname }}", "the list has no column firstname; did you mean first_name?", 2, 6),
        ("Hi {{ FirstName }}", "the list has no column FirstName; did you mean first_name?", 1, 7),
        ("Hi {{ prenom }}", "the list has no column prenom; did you mean prénom?", 1, 7),
        ("first {{ zzz }}", "the list has no column zzz; its columns are email, first_name, prénom, qty, price", 1, 10),
        ("Hi {{ fist_name|default('x') }}", "the list has no column fist_name; did you mean first_name?", 1, 7),
    ],
)
def test_a_column_that_the_list_lacks_stops_the_start(template: str, message: str, line: int, column: int) -> None:
    assert only("missing_column", COLUMNS, text=template) == Check(
        "missing_column", message, "text", line, column, Level.STOPS_START
    )


def test_without_a_list_no_column_is_missing() -> None:
    assert found("missing_column", text="{{ zzz }}") == []


@pytest.mark.parametrize(
    ("html", "line", "column"),
    [('<a href="%7B%7B url %7D%7D">x</a>', 1, 10), ('x\n<a href="https://x.test/%7b%7burl%7d%7d">x</a>', 2, 25)],
)
def test_encoded_braces_are_refused(html: str, line: int, column: int) -> None:
    one = only("encoded_braces", html=html)
    assert (one.level, one.field, one.line, one.column) == (Level.ERROR, "html", line, column)
    with pytest.raises(InvalidCampaign, match=rf"html, line {line}: %7B stands for a brace"):
        check(content(html=html))


@pytest.mark.parametrize(
    ("tag", "instead"),
    [
        ("*|FNAME|*", "{{ fname }}"),
        ("%%first name%%", "{{ first_name }}"),
        ("[[name]]", "{{ name }}"),
        ("%recipient.name%", "{{ recipient_name }}"),
    ],
)
def test_tags_of_other_systems_want_to_be_acknowledged(tag: str, instead: str) -> None:
    one = only("foreign_tag", text=f"Hi\n{tag}, unsubscribe")
    assert one.level is Level.ACKNOWLEDGE
    assert one.message.startswith(tag)
    assert one.message.endswith(f"write {instead}")
    assert (one.line, one.column) == (2, 1)


@pytest.mark.parametrize("text", ["{{ [[1]]|length }}", "50%% off, 100%", "a *| b |* c", "[1][[2]]", "array[[0]]"])
def test_other_texts_are_no_foreign_tags(text: str) -> None:
    assert found("foreign_tag", text=text) == []


@pytest.mark.parametrize(
    "written",
    [
        *["[First Name]", "{first_name}", "{ First Name }", "${first_name}", "#{first_name}", "{$first_name}"],
        *["{!First Name}", "<<First Name>>", "&lt;&lt;First Name&gt;&gt;", "«First Name»", "%FIRST_NAME%", "[prenom]"],
    ],
)
def test_names_of_columns_between_other_marks_want_to_be_acknowledged(written: str) -> None:
    one = only("unfilled_column", COLUMNS, html=f"<p>\nHi {written},</p>", text=None)
    assert (one.level, one.field, one.line, one.column) == (Level.ACKNOWLEDGE, "html", 2, 4)
    column = "prénom" if "prenom" in written else "first_name"
    assert one.message == f"{written} would be sent as it is: write {{{{ {column} }}}} if you mean the column"


@pytest.mark.parametrize(
    "text",
    ["[City]", "a[first_name]", "{{ first_name }}", "{% if qty %}{% endif %}", "{first_name: 1}", "100% first_name 5%"],
)
def test_other_words_between_marks_are_fine(text: str) -> None:
    assert found("unfilled_column", COLUMNS, text=text) == []
    assert found("unfilled_column", text=text) == []


@pytest.mark.parametrize("braces", ["&#123;&#123;", "&#x7B;&#x7b;", "&lbrace;&lcub;"])
def test_braces_as_entities_want_to_be_acknowledged(braces: str) -> None:
    one = only("encoded_braces", html=f"<p>{braces} name }}}}</p>")
    assert (one.level, one.line, one.column) == (Level.ACKNOWLEDGE, 1, 4)
    assert found("encoded_braces", text=braces) == []


@pytest.mark.parametrize(
    ("tag", "remedy"),
    [("{{{name}}}", "write {{ name|safe }}"), ("{{#if name}}", "use {% if %}"), ("{{/if}}", "use {% if %}")],
)
def test_tags_of_handlebars_are_refused_in_words(tag: str, remedy: str) -> None:
    one = only("foreign_tag", html=f"<p>{tag}</p>")
    assert one.level is Level.ERROR
    assert remedy in one.message
    with pytest.raises(InvalidCampaign, match="Handlebars"):
        check(content(html=f"<p>{tag}</p>"))


@pytest.mark.parametrize(
    "css", ["@media print{#h{color:red}}", "@media print{#h{color:red}} #}", "@media x{\n#a{}}@media y{#b{}}"]
)
def test_a_comment_that_css_opens_is_refused_with_what_to_write(css: str) -> None:
    html = f'<p>x</p>\n<style>{css}</style><p>Hi</p><a href="#}}">x</a>'
    one = only("css_comment", html=html)
    assert one.level is Level.ERROR
    assert "write { # with a blank between the two" in one.message
    with pytest.raises(InvalidCampaign, match="begins a comment of Jinja2"):
        check(content(html=html))


@pytest.mark.parametrize("html", ["{# note #}", "<style>{# note #}a{}</style>", "<style></style>{#h#}", "a {#b#}"])
def test_a_comment_that_is_meant_is_fine(html: str) -> None:
    assert found("css_comment", html=html) == []


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        ("Hi {{ first_name.title }}", "write {{ first_name|title }} or {{ first_name.title() }}"),
        ("Hi {{ first_name.strip|upper }}", "write {{ first_name.strip() }}"),
        ("Hi {% if first_name.isupper %}x{% endif %}", "write {{ first_name.isupper() }}"),
    ],
)
def test_a_method_without_brackets_is_refused(template: str, remedy: str) -> None:
    one = only("method_without_call", text=template)
    assert (one.level, one.line, one.column) == (Level.ERROR, 1, template.index("first_name") + 1)
    assert remedy in one.message
    with pytest.raises(InvalidCampaign, match=r"text, line 1: .* is a method, not its result"):
        check(content(text=template))


def test_attributes_of_what_a_template_makes_are_no_methods() -> None:
    text = "{% set n = namespace(count=1) %}{{ n.count }}{% for x in [1] %}{{ loop.index }}{% endfor %}{{ a.title() }}"
    assert found("method_without_call", text=text) == []
    check(content(text=text))


@pytest.mark.parametrize(
    "template", ["{{ qty * 2 }}", "{{ 1 + qty }}", "{{ qty - price }}", "{% if qty == 12 %}x{% endif %}", "{{ -qty }}"]
)
def test_calculating_with_text_wants_to_be_acknowledged(template: str) -> None:
    one = found("text_arithmetic", text=f"x\n{template}")[0]
    assert (one.level, one.line, one.column) == (Level.ACKNOWLEDGE, 2, template.index("qty") + 1)
    assert one.message == "qty is text, so every row would fail here: write qty|int, |float or |number"


@pytest.mark.parametrize(
    "template",
    ["{{ qty|int * 2 }}", "{{ '-' * 3 }}", "{{ a + b }}", "{% if qty == '12' %}{% endif %}", "{{ loop }}", "{{ qty }}"],
)
def test_other_templates_calculate_with_no_text(template: str) -> None:
    assert found("text_arithmetic", text=template) == []


@pytest.mark.parametrize("template", ["{{ qty > '5' }}", '{% if "12.5" <= qty %}{% endif %}', "{{ qty < '-3' }}"])
def test_comparing_the_order_of_a_text_with_a_number_in_quotes_wants_to_be_acknowledged(template: str) -> None:
    one = only("text_comparison", text=template)
    assert (one.level, one.line, one.column) == (Level.ACKNOWLEDGE, 1, template.index("qty") + 1)
    assert "write qty|int" in one.message


@pytest.mark.parametrize(
    "template",
    ["{{ qty == '5' }}", "{{ qty|int > 5 }}", "{{ day > '2026-01-01' }}", "{{ code < '007' }}", "{{ qty > 'm' }}"],
)
def test_other_comparisons_of_texts_are_fine(template: str) -> None:
    assert found("text_comparison", text=template) == []


PRICES: Final = [("a@x.test", "Ann", "", "", "1", "12.50"), ROW, ("b@x.test", "Bob", "", "", "1", "7"), ROW]


@pytest.mark.parametrize(
    ("rows", "level", "others"),
    [
        (PRICES[:1], None, ""),
        (PRICES[1:2], Level.ACKNOWLEDGE, ""),
        (PRICES[:3], Level.HINT, ""),
        (PRICES, Level.ACKNOWLEDGE, " (2 of the first 4 rows fail)"),
        (PRICES * 2 + PRICES[:1] * 8, Level.ACKNOWLEDGE, " (4 of the first 16 rows fail)"),
        (PRICES * 2 + PRICES[:1] * 9, Level.HINT, " (4 of the first 17 rows fail)"),
    ],
)
def test_a_row_of_the_sample_that_would_fail_is_shown(rows: list[Any], level: Level | None, others: str) -> None:
    """Given a column of decimal commas, when the template takes it for a number, then the first such row is told with
    its number. One such row beside others, or few, cost those rows alone; a quarter or more wants acceptance.
    """
    numbered = [(7 + place, row) for place, row in enumerate(rows)]
    known = KnownList(COLUMNS, numbered)
    told = [c for c in checks(content(text="x\n{{ price|float }}"), known) if c.code == "row_fails"]
    if level is None:
        assert told == []
        return
    (one,) = told
    assert (one.field, one.line, one.level) == ("text", 2, level)
    number = next(number for number, row in numbered if row is ROW)
    assert one.message == (
        f"row {number} would fail: price: '12,50' is not a number; use |number(decimal=\",\"){others}"
    )


def test_rows_of_the_sample_take_a_bounded_time() -> None:
    """Given a template that uses up each row's time, then not all rows of the sample are rendered."""
    slow = content(text="{% for x in range(90000) %}{% for y in range(2) %}{{ y }}{% endfor %}{% endfor %}")
    known = KnownList(COLUMNS, [(number, ROW) for number in range(1, 2000)])
    assert cpu_s(lambda: checks(slow, known), 2) < 2


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("Hi {{ first_name }}", ["first_name"]),
        ("Hi {{ first_name|upper }}{{ first_name }}", ["first_name"]),
        ("Hi {{ first_name|default('friend') }}", []),
        ("{% if first_name %}Hi {{ first_name }}{% endif %}", []),
        ("{{ first_name if first_name else 'x' }}", []),
        ("{{ qty }}", []),
    ],
)
def test_a_column_that_is_empty_in_many_rows_needs_a_fallback(template: str, names: list[str]) -> None:
    known = KnownList(COLUMNS, empty={"first_name": 1200, "price": 3}, recipients=10_000)
    messages = [one.message for one in checks(content(text=template), known) if one.code == "empty_column"]
    assert messages == [
        f'{name} is empty in 1,200 of 10,000 rows: give a fallback, such as {{{{ {name}|default("friend") }}}}'
        for name in names
    ]


@pytest.mark.parametrize(
    ("count", "recipients", "level"),
    [
        (9, 9, Level.HINT),
        (10, 40, Level.ACKNOWLEDGE),
        (10, 41, Level.HINT),
        (1000, 1000, Level.ACKNOWLEDGE),
        (1, 10**7, Level.HINT),
    ],
)
def test_many_empty_cells_are_ten_and_a_quarter_of_the_rows(count: int, recipients: int, level: Level) -> None:
    known = KnownList(COLUMNS, empty={"first_name": count}, recipients=recipients)
    (one,) = [one for one in checks(content(text="{{ first_name }}"), known) if one.code == "empty_column"]
    assert one.level is level


@pytest.mark.parametrize(
    ("href", "code"),
    [
        ("", "empty_link"), (" ", "empty_link"), ("#", "empty_link"), ("www.shop.test", "link_without_scheme"),
        ("/sale", "link_without_scheme"), ("http://localhost:8080/x", "local_link"),
        ("https://127.0.0.1", "local_link"),
        ("http://192.168.1.5/x", "local_link"),
    ],
)  # fmt: skip
def test_links_that_lead_nowhere_are_found(href: str, code: str) -> None:
    one = only(code, html=f'<p>\n <a href="{href}">Sale</a></p>')
    assert (one.level, one.line, one.column) == (Level.HINT, 2, 2)


@pytest.mark.parametrize(
    "href",
    [
        "https://shop.test", "mailto:a@x.test", "tel:+47", "{{ url }}", "{{ 'a' }}/b", "#top", "//cdn.x.test/a",
        "https://localhost.shop.test", "{% if a %}https://x{% endif %}",
    ],
)  # fmt: skip
def test_other_links_are_fine(href: str) -> None:
    codes = {one.code for one in checks(content(html=f'<a href="{href}">x</a>'))}
    assert not codes & {"empty_link", "link_without_scheme", "local_link"}


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("logo.png", "image_without_scheme"), ("/a/logo.png", "image_without_scheme"), ("", "image_without_scheme"),
        ("http://localhost/logo.png", "local_link"),
    ],
)  # fmt: skip
def test_images_that_no_reader_can_load_are_found(source: str, code: str) -> None:
    one = only(code, html=f'<p>\n <img src="{source}" alt=""></p>')
    assert (one.level, one.line, one.column) == (Level.HINT, 2, 2)


@pytest.mark.parametrize("source", ["https://x.test/a.png", "//x.test/a.png", "cid:a.png", "data:x", "{{ url }}"])
def test_other_images_are_fine(source: str) -> None:
    codes = {one.code for one in checks(content(html=f'<img src="{source}" alt="">'))}
    assert not codes & {"image_without_scheme", "local_link"}


def test_an_image_without_text_is_a_hint() -> None:
    one = only("image_without_alt", html='<img src="https://x.test/{{ a }}.png"><img src="b" alt="">')
    assert (one.level, one.line, one.column) == (Level.HINT, 1, 1)
    assert "the image https://x.test/....png has no text" in one.message


@pytest.mark.parametrize(
    ("html", "code", "message", "column"),
    [
        ("<p>Hi</p><div>x", "unclosed_tag", "<div> is never closed: add </div>", 10),
        ("<b>x<i>y</b></i>", "crossed_tag", "</b> ends inside <i>: close <i> before it", 9),
        ("<p>x</div></p>", "unopened_tag", "</div> closes nothing: remove it, or add <div>", 5),
        ("{% if a %}<div>{% else %}<div class=x>{% endif %}", "unclosed_tag", "<div> is never closed: add </div>", 11),
    ],
)
def test_tags_that_do_not_match_are_hints(html: str, code: str, message: str, column: int) -> None:
    assert only(code, html=html) == Check(code, message, "html", 1, column, Level.HINT)


@pytest.mark.parametrize(
    "html",
    [
        "<ul><li>a<li>b</ul><p>x<p>y<br><hr/><img alt=x>",
        "<table><tr><td>a<td>b<tr><td>c</table>",
        "{% if a %}<div>{% else %}<div class=x>{% endif %}x</div>",
        "{% for x in a %}<td>{{ x }}</td>{% endfor %}",
        '<a title="{{ "<b>" }}" {{ "</div>" }}>x</a><p>{{ "<b>" }}</p>',
        "<!-- <b> --><script>if (a<b) {}</script><style>a>b{}</style>",
    ],
)
def test_tags_that_match_are_fine(html: str) -> None:
    assert outline(html).mismatches == []


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"html": "<p>Hi</p>", "text": None}, "no_text", Level.HINT),
        ({"text": "Hi"}, "no_unsubscribe", Level.HINT),
        ({"html": "<p>Hi</p>", "text": None}, "no_unsubscribe", Level.HINT),
        ({"html": "<p>" + "ä" * 52_000 + "</p>"}, "gmail_clips", Level.HINT),
        ({"subject": "x" * 79}, "long_subject", Level.HINT),
        ({"subject": "Sale! Now! Hurry!"}, "exclamation_marks", Level.HINT),
        ({"from_": "Ann <ann@GMail.com>"}, "free_mail_from", Level.HINT),
        ({"reply_to": "ann@example.org"}, "reply_to_elsewhere", Level.HINT),
        ({"text": " \n\t"}, "blank_part", Level.ACKNOWLEDGE),
        ({"html": " \n\t"}, "blank_part", Level.ACKNOWLEDGE),
        ({"text": "{{ a"}, "invalid_template", Level.ERROR),
    ],
)
def test_other_findings(changes: dict[str, Any], code: str, level: Level) -> None:
    assert only(code, **changes).level is level


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"html": FOOTER}, "no_unsubscribe"),
        ({"html": '<a href="https://x.test/u">Abmelden</a>', "text": None}, "no_unsubscribe"),
        ({"text": "x", "headers": {"list-unsubscribe": "<https://x.test>"}}, "no_unsubscribe"),
        ({"html": "<p>" + "a" * 101_000 + "</p>"}, "gmail_clips"),
        ({"subject": "x" * 70 + "{{ first_name|default('friend') }}"}, "long_subject"),
        ({"subject": "Sale! Now!{{ '!' }}"}, "exclamation_marks"),
        ({"reply_to": "ann@mail.shop.test"}, "reply_to_elsewhere"),
        ({"from_": "ann@gmail.com.shop.test"}, "free_mail_from"),
    ],
)
def test_what_is_not_found(changes: dict[str, Any], code: str) -> None:
    assert found(code, **changes) == []


def test_the_free_mail_providers_that_everyone_knows_are_in_the_table() -> None:
    assert {"gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "gmx.de", "gmx.net", "web.de"} <= FREE_MAIL


def test_the_gravest_finding_comes_first_and_none_comes_twice() -> None:
    all_found = checks(content(subject="a!!!", text="{{ qty * 2 }}{{ qty * 3 }}{{ zzz }}"), KnownList(COLUMNS))
    levels = [one.level for one in all_found]
    assert levels == sorted(levels, key=list(Level).index)
    assert len(set(all_found)) == len(all_found)


def test_the_checks_of_large_content_take_a_bounded_time() -> None:
    """Given the largest content that PUT takes, then its checks take less than 2 s of CPU time."""
    huge = content(html="<p><a href=x>{{ a }} {</a>%7" * 100 + "<b>x</i> [[ *| %% " * 400_000, text="*|[[%%" * 300_000)
    assert cpu_s(lambda: checks(huge, KnownList(COLUMNS)), 2) < 2
