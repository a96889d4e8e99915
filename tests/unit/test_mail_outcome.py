from __future__ import annotations

import pytest

from mail.outcome import MAX_REASON, reason


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("plain words", "plain words"),
        ("two\r\nlines\x00 and\tmore ", "two lines and more"),
        ("jane.doe+x@example.com is bad", "***@example.com is bad"),
        ("<jane@example.com>, 'joe@b.example'", "<***@example.com>, '***@b.example'"),
        ("0@jane@example.com", "***@example.com"),
        ("zoë@bücher.example", "***@bücher.example"),
    ],
)
def test_a_reason_is_one_line_with_masked_addresses(words: str, expected: str) -> None:
    assert reason(words) == expected


def test_a_reason_is_cut_after_it_is_masked() -> None:
    made = reason("x" * (MAX_REASON - 5) + " jane@example.com" + "y" * 10_000)
    assert len(made) == MAX_REASON
    assert "jane" not in made
    assert made.endswith("…")
