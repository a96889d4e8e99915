"""All cells are text: what a template may take them for, and how a row fails instead of sending a wrong value."""

from __future__ import annotations

from typing import Final

import pytest

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail import dates
from mail.cell_numbers import number, written
from mail.rendering import RenderError, Templates
from mail.title_case import title_case

ROW: Final = {
    "name": "ann lee",
    "price": "12,50",
    "grouped": "1,234.50",
    "qty": "12",
    "empty": "",
    "blank": " \t",
    "day": "2026-03-05",
    "american": "3/5/2026",
}


def render(template: str) -> str:
    templates = Templates(Content(from_="news@shop.test", subject="s", text=template))
    columns = ("email", *ROW)
    cells = ["", *ROW.values()]
    values = [cells[index] for index in templates.fields(columns)]
    return templates.renderer("c1", columns).message(1, "a@x.test", values).text or ""


def reason(template: str) -> str:
    with pytest.raises(RenderError) as raised:
        render(template)
    return raised.value.reason


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ price|float }}", "price: '12,50' is not a number; use |number(decimal=\",\")"),
        ("{{ price|int }}", "price: '12,50' is not a number; use |number(decimal=\",\")"),
        ("{{ grouped|float }}", "grouped: '1,234.50' is not a number; use |number"),
        ("{{ name|float }}", "name: 'ann lee' is not a number: correct the list"),
        ("{{ empty|int }}", "'' is empty, not a number: give a fallback"),
        ("{{ 'nan'|float }}", "'nan' is not a number"),
        ("{{ 'inf'|float }}", "'inf' is not a number"),
        ("{{ '1_000'|int }}", "'1_000' is not a number"),
        ("{{ price|filesizeformat }}", "price: '12,50' is not a number"),
        ("{{ price|number }}", "price: '12,50' is not a number with '.' for decimals and ',' for thousands"),
        ("{{ price|number(decimal='x') }}", "'x' separates no digits"),
        ("{{ qty|number_format }}", "qty: '12' is text"),
    ],
)
def test_a_cell_that_is_no_number_fails_its_row_with_its_value(template: str, words: str) -> None:
    assert words in reason(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ qty * 2 }}", "{{ 2 * qty }}", "{{ qty + 2 }}", "{{ qty - 2 }}", "{{ qty / 2 }}", "{{ qty // 2 }}",
        "{{ qty % 2 }}", "{{ 2 % qty }}", "{{ -qty }}", "{{ qty * qty }}", "{{ qty|trim * 2 }}", "{{ [qty]|sum }}",
        "{{ '-' * qty }}", "{{ qty|abs }}", "{{ qty|round }}",
        "{% if qty == 12 %}x{% endif %}", "{% if 12 != qty %}x{% endif %}", "{% if qty > 3 %}x{% endif %}",
        "{% if qty > -1 %}x{% endif %}", "{% if qty == 12.0 %}x{% endif %}", "{% if qty == true %}x{% endif %}",
        "{% if 1 < qty < 20 %}x{% endif %}",
        "{% if qty in [12, 13] %}x{% endif %}", "{% if qty in range(20) %}x{% endif %}",
        "{% set dozen = 12 %}{% if qty == dozen %}x{% endif %}", "{% set few = [12] %}{% if qty in few %}x{% endif %}",
        "{% if qty is eq 12 %}x{% endif %}", "{% if qty is even %}x{% endif %}", "{{ [qty]|select('gt', 3)|list }}",
        "{% if qty|int == '12' %}x{% endif %}",
        "{{ '%d'|format(qty) }}", "{{ '%s: %5.2f'|format(name, qty) }}", "{{ '%%%d' % qty }}",
        "{{ '%(n)s %(q)05d'|format(n=name, q=qty) }}", "{{ '{:.2f}'.format(qty) }}",
        "{{ '{0} {1:,d}'.format(name, qty) }}", "{{ range(qty)|list }}",
    ],
)  # fmt: skip
def test_a_text_that_is_taken_for_a_number_fails_its_row(template: str) -> None:
    assert "12' is text, and the template takes it for a number: write |int, |float or |number" in reason(template)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ (price|number(decimal=',') * 2)|number_format(2, ',') }}", "25,00"),
        ("{{ grouped|number }}", "1234.5"),
        ("{{ qty|int * 2 }} {{ qty|number * 2 }} {{ qty|float }}", "24 24 12.0"),
        ("{{ price|int(7) }} {{ price|float(default=1.5) }} {{ empty|default('3')|int }}", "7 1.5 3"),
        ("{% if qty == '12' %}dozen{% endif %}{% if qty|int == 12 %}!{% endif %}", "dozen!"),
        ("{% if qty|int in [12] and qty in ['12'] %}dozen{% endif %}", "dozen"),
        ("{% if 1 < qty|int < 20 %}few{% endif %}{% if -1 < qty|int %}!{% endif %}", "few!"),
        ("{% for i in range(3) %}{% if loop.index > 1 %}{{ i }}{% endif %}{% endfor %}", "12"),
        ("{{ '-' * 3 }}{{ 3 * '=' }}{{ '%s!' % qty }}{{ name + qty }}", "---===12!ann lee12"),
        ("{{ [1] * 2 }} {{ name|length * 2 }}", "[1, 1] 14"),
    ],
)
def test_those_who_mean_numbers_get_them(template: str, text: str) -> None:
    assert render(template) == text


@pytest.mark.parametrize("name", ["empty", "blank"])
@pytest.mark.parametrize("filter_", ["default", "d"])
def test_a_fallback_also_takes_an_empty_or_blank_cell(name: str, filter_: str) -> None:
    assert render(f"Hi {{{{ {name}|{filter_}('friend') }}}},") == "Hi friend,"


def test_a_fallback_leaves_other_values_alone() -> None:
    assert render("{{ name|default('x') }}{{ 0|default('x') }}{{ 0|default('x', true) }}") == "ann lee0x"


@pytest.mark.parametrize("template", ["{{ x.title }}", "{% if x.isupper %}x{% endif %}", "{{ x['upper'] }}"])
def test_a_method_without_brackets_fails_its_row(template: str) -> None:
    loop = f"{{% for x in [name] %}}{template}{{% endfor %}}"
    assert "is a method: write ." in reason(loop)


def test_a_method_with_brackets_and_the_position_of_a_loop_are_fine() -> None:
    assert render("{% for x in [name] %}{{ x.title() }}{{ loop.index }}{% endfor %}") == "Ann Lee1"
    assert render("{% set n = namespace(count=3) %}{{ n.count }}{{ {'title': 'Dr'}.title }}") == "3Dr"


@pytest.mark.parametrize(
    ("written_as", "shown"),
    [
        ("ann lee", "Ann Lee"),
        ("ANN LEE", "Ann Lee"),
        ("Ann McDonald", "Ann McDonald"),
        ("ann McDonald", "Ann McDonald"),
        ("van der Berg", "van der Berg"),
        ("Ludwig van BEETHOVEN", "Ludwig van Beethoven"),
        ("O'Neil", "O'Neil"),
        ("o'neil", "O'Neil"),
        ("D\u2019ANGELO", "D\u2019Angelo"),
        ("it's", "It's"),
        ("Jean-Luc", "Jean-Luc"),
        ("jean-luc", "Jean-Luc"),
        ("élodie", "Élodie"),
        ("", ""),
    ],
)
def test_title_case_changes_only_words_of_one_case(written_as: str, shown: str) -> None:
    assert title_case(written_as) == shown


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ day|date }}", "Mar 5, 2026"),
        ("{{ day|date('long', locale='de') }}", "5. März 2026"),
        ("{{ day|date('%A, %e. %B %Y', locale='nb') }}", "torsdag, 5. mars 2026"),
        ("{{ day|date('%d %B %Y', locale='pt-BR') }}", "05 março 2026"),
        ("{{ american|date('%d.%m.%y', input='%m/%d/%Y') }}", "05.03.26"),
        ("{{ '5.3.26 7:05'|date('%Y-%m-%d %H:%M:%S 100%%', input='%d.%m.%y %H:%M') }}", "2026-03-05 07:05:00 100%"),
        ("{{ '2026-03-05T07:05:00+01:00'|date('%a %b %H:%M') }}", "Thu Mar 07:05"),
    ],
)
def test_dates_are_written_in_a_language(template: str, text: str) -> None:
    assert render(template) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ american|date }}", "american: '3/5/2026' is not a date like 2026-12-31; say how it is written"),
        ("{{ american|date(input='%d.%m.%Y') }}", "american: '3/5/2026' is not a date written %d.%m.%Y"),
        ("{{ '31.2.2026'|date(input='%d.%m.%Y') }}", "'31.2.2026' is not a date written %d.%m.%Y"),
        ("{{ empty|date }}", "'' is empty, not a date: use the date inside {% if %}"),
        ("{{ day|date(locale=name) }}", "'ann lee' is no language"),
        ("{{ 5|date }}", "expected a date as text, not a int"),
    ],
)
def test_a_cell_that_is_no_date_fails_its_row(template: str, words: str) -> None:
    assert words in reason(template)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ day|date('%Q') }}", "text, line 1: date: %Q is unknown"),
        ("{{ day|date(locale='xx_YY') }}", "text, line 1: date: 'xx_YY' is no language"),
        ("{{ day|date(input='%d.%m') }}", "text, line 1: date: input= needs a day, a month and a year"),
        ("{{ day|date(input='%d.%m.%d') }}", "text, line 1: date: a directive of input= occurs twice"),
        ("{{ day|date(format='%d') }}", "text, line 1: "),
    ],
)
def test_a_wrong_date_pattern_is_refused_before_any_row(template: str, words: str) -> None:
    with pytest.raises(InvalidCampaign) as raised:
        render(template)
    assert raised.value.detail.startswith(words)


def test_loading_languages_out_of_cells_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a process without languages, when a row loads many, then it fails; one that the template names is ready."""
    monkeypatch.setattr(dates, "_loaded", {})
    many = "{% for name in ['sv', 'da', 'fi', 'nl', 'fr'] %}{{ day|date(locale=name) }}{% endfor %}"
    assert "takes more than 50 ms" in reason(many)
    assert render("{{ day|date(locale='it') }}") == "5 mar 2026"
    assert dates.is_loaded("it")


def test_a_process_keeps_a_bounded_number_of_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "_loaded", {})
    monkeypatch.setattr(dates, "MAX_LOCALES", 1)
    template = "{% for name in ['de', 'en'] %}{{ day|date(locale=name) }}{% endfor %}"
    assert "more than 1 languages are in use" in reason(template)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "value"),
    [
        ("12", ".", None, 12),
        ("-12.5", ".", None, -12.5),
        ("\u22123", ".", None, -3),
        ("1.234,5", ",", None, 1234.5),
        ("1\xa0234,5", ",", " ", 1234.5),
        ("1\u202f234 567", ",", " ", 1234567),
        ("1'234.5", ".", "'", 1234.5),
        ("12,34,567", ".", None, 1234567),
        ("1234567", ".", None, 1234567),
    ],
)
def test_numbers_are_read_in_their_notation(text: str, decimal: str, thousands: str | None, value: float) -> None:
    assert number(text, decimal, thousands) == value


@pytest.mark.parametrize("text", ["12,50", "1,2,3", "1e5", "0x10", "$5", "5 %", "1,234,5", "", ".", "--1", "1.2.3"])
def test_a_text_in_another_notation_is_no_number(text: str) -> None:
    assert "is not a number with" in reason(f"{{{{ {text!r}|number }}}}")


@pytest.mark.parametrize(
    ("value", "arguments", "text"),
    [
        (1234.5, (), "1234.50"),
        (1234.5, (2, ",", "."), "1.234,50"),
        (2.675, (2,), "2.68"),
        (0.5, (0,), "1"),
        (-1234567, (0, ".", " "), "-1 234 567"),
        (10**40, (1,), "1" + "0" * 40 + ".0"),
    ],
)
def test_numbers_are_written_rounded_half_up(value: float, arguments: tuple[object, ...], text: str) -> None:
    assert written(value, *arguments) == text  # type: ignore[arg-type]


def test_a_row_that_throws_costs_that_row_alone() -> None:
    """Given a list with one wrong cell, when all rows are rendered, then the others are messages."""
    templates = Templates(Content(from_="news@shop.test", subject="s", text="Pay {{ price|float }}"))
    renderer = templates.renderer("c1", ("email", "price"))
    texts = []
    for row, cell in enumerate(("1.5", "12,50", "2"), 1):
        try:
            texts.append(renderer.message(row, "a@x.test", [cell]).text)
        except RenderError:
            texts.append(None)
    assert texts == ["Pay 1.5", None, "Pay 2.0"]
