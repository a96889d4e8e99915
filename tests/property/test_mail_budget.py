"""Templates out of the grammar, as odd as they come: none costs a row more than it may."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from hypothesis import HealthCheck, given, settings, strategies as st

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail.rendering import RenderError, Templates
from mail.template_filters import FILTERS, TESTS
from mail.template_methods import _TEXT
from tests.support.costs import cpu_s, peak_bytes

ROW_S: Final = 0.05
ROW_BYTES: Final = 10_000_000

CELLS: Final = {
    "a": "Ann",
    "big": "x " * 400_000,
    "wide": "😀é" * 100_000,
    "odd": "<(a@b.c-)>\n\t" * 50_000,
}
COLUMNS: Final = ("email", *CELLS)
NUMBERS: Final = ["0", "1", "2", "7", "-1", "100", "9999", "100000", "1000000000", "1.5"]
TEXTS: Final = ["''", "'a'", "'%s'", "'%99999999d'", "'{:99999999}'", "'{0!r}'", "'upper'", "'eq'", "'<b>'", "' '"]
NAMES: Final = [*CELLS, "n.v", "n.w", "x", "loop.index", "loop"]
FILTER_NAMES: Final = sorted(name for name in FILTERS if " " not in name)
TEST_NAMES: Final = sorted(name for name in TESTS if name.isalpha() and name not in {"in", "filter", "test"})
METHODS: Final = [*sorted(_TEXT), "format", "format_map", "encode", "items", "keys", "get", "index", "copy", "changed"]
OPERATORS: Final = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "not in", "and", "or"]

atoms = st.sampled_from([*NAMES, *NUMBERS, *TEXTS, "range(100000)", "range(50)", "[]", "{}", "none"])


def _extended(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=2).map(", ".join)
    return st.one_of(
        st.tuples(inner, st.sampled_from(FILTER_NAMES), arguments).map(lambda t: f"({t[0]})|{t[1]}({t[2]})"),
        st.tuples(inner, st.sampled_from(METHODS), arguments).map(lambda t: f"({t[0]}).{t[1]}({t[2]})"),
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(TEST_NAMES), arguments).map(lambda t: f"({t[0]} is {t[1]}({t[2]}))"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"{{({t[0]}): {t[1]}}}"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}:]"),
        inner.map(lambda one: f"macro_({one})"),
    )


expressions = st.recursive(atoms, _extended, max_leaves=6)


def _nested(body: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(expressions, body).map(lambda t: f"{{% for x in {t[0]} %}}{t[1]}{{% endfor %}}"),
        st.tuples(expressions, expressions, body).map(
            lambda t: f"{{% for x in {t[0]} if {t[1]} %}}{t[2]}{{% endfor %}}"
        ),
        st.tuples(expressions, body, body).map(lambda t: f"{{% if {t[0]} %}}{t[1]}{{% else %}}{t[2]}{{% endif %}}"),
        body.map(lambda one: f"{{% set x %}}{one}{{% endset %}}"),
        body.map(lambda one: f"{{% filter upper %}}{one}{{% endfilter %}}"),
        body.map(lambda one: f"{{% call macro_(x) %}}{one}{{% endcall %}}"),
        st.tuples(body, body).map("".join),
    )


statements = st.recursive(
    st.one_of(
        expressions.map(lambda one: f"{{{{ {one} }}}}"),
        expressions.map(lambda one: f"{{% set n.v = {one} %}}"),
        st.tuples(expressions, expressions).map(lambda t: f"{{% set n.v, n.w = {t[0]}, {t[1]} %}}"),
        st.just("text"),
    ),
    _nested,
    max_leaves=6,
)
#: `macro_` is called by the rest and calls nothing but `other_`: endless recursion is a separate example.
templates = st.tuples(statements, statements).map(
    lambda t: (
        "{% set n = namespace(v='ab', w=[1]) %}{% set x = 'c' %}{% macro other_(z) %}{{ caller() }}{% endmacro %}"
        "{% macro macro_(y) %}"
        + t[0].replace("call macro_(", "call other_(").replace("macro_(", "(")
        + "{% if caller is defined %}{{ caller() }}{% endif %}{% endmacro %}"
        + f"{{% for i in range(30) %}}{t[1]}{{% endfor %}}"
    )
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(template=templates, html=st.booleans())
def test_no_template_costs_a_row_more_than_it_may(template: str, html: bool) -> None:
    try:
        made = Templates(
            Content(
                from_="n@example.com",
                subject="Hi",
                text=None if html else template,
                html=template if html else None,
            )
        )
    except InvalidCampaign:
        return
    renderer = made.renderer("c1", COLUMNS)
    cells = ["", *CELLS.values()]
    values = [cells[index] for index in made.fields(COLUMNS)]

    def message() -> None:
        with suppress(RenderError):
            renderer.message(1, "ann@example.com", values)

    assert cpu_s(message, ROW_S) < ROW_S
    assert peak_bytes(message) < ROW_BYTES
