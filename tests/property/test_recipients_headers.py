"""Headers and invisible characters against everything that Hypothesis can think of."""

# ruff: noqa: RUF001 - look-alikes are what this is about

from __future__ import annotations

import unicodedata

from hypothesis import given, strategies as st

from lists.email_column import candidates, folded
from lists.invisible import first_invisible, is_blank, trimmed, without_invisible, without_marks, written_out

ODD = st.sampled_from(
    [
        *"eEmMaiIİıſßŉΐ- _\u200b\u00ad\ufeff\u00a0\u0301\u0307\u0345\u2011\u1e9eﬁｅ－＿\u3000",
        "mail",
        "E-Mail",
        "א\u05b0",
    ]
)
NAMES = st.text(max_size=12) | st.lists(ODD, max_size=8).map("".join)
MARKS = st.text(st.sampled_from(" \t\u200b\u200e\u202c\u2060\ufeff\u00ad\u00a0-_\u2011"), max_size=4)


@given(NAMES)
def test_folding_is_idempotent(name: str) -> None:
    once = folded(name)
    assert folded(once) == once
    assert without_invisible(once) == once
    assert unicodedata.is_normalized("NFKC", once)


@given(NAMES, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_folding_does_not_depend_on_the_normal_form(name: str, form: str) -> None:
    plain = without_marks(name)
    assert folded(unicodedata.normalize(form, plain)) == folded(plain)  # type: ignore[arg-type]


@given(MARKS, MARKS, st.sampled_from(["email", "EMAIL", "Email"]))
def test_marks_in_a_header_do_not_matter(before: str, after: str, name: str) -> None:
    for wanted in ("", "email", f"{after}EMAIL{before}"):
        assert candidates(["name", f"{before}{name[:1]}{after}{name[1:]}{before}"], wanted) == [1]


@given(st.lists(NAMES, max_size=6), NAMES)
def test_candidates_are_columns(header: list[str], wanted: str) -> None:
    places = candidates(header, wanted)
    assert places == sorted(set(places))
    assert all(0 <= place < len(header) for place in places)


@given(NAMES)
def test_nothing_invisible_is_left(text: str) -> None:
    shown = written_out(text)
    assert first_invisible(shown) is None
    assert written_out(shown) == shown
    assert trimmed(trimmed(text)) == trimmed(text)
    assert is_blank(text) == (not trimmed(text)) == (not without_invisible(text))
