"""No text but a token that we have made verifies, and none raises."""

from __future__ import annotations

import base64

from hypothesis import given, strategies as st

from consent.links import MAX_ROW, Link, Links

KEYS = st.text(min_size=32, max_size=64)
HASHES = st.integers(-(2**63), 2**63 - 1)
LINKS = Links("k" * 32, "p" * 32)
CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.text() | st.text(CHARS, min_size=40, max_size=56) | st.binary(min_size=36, max_size=36).map(
    lambda raw: base64.urlsafe_b64encode(raw).decode()
))  # fmt: skip
def test_no_invented_token_verifies(text: str) -> None:
    assert LINKS.verify(text) is None


@given(st.integers(1, MAX_ROW), HASHES, st.integers(0, 47), st.sampled_from(CHARS))
def test_a_token_with_one_changed_character_does_not_verify(row: int, address: int, place: int, char: str) -> None:
    token = LINKS.token(b"12345678", row, address)
    changed = token[:place] + char + token[place + 1 :]
    expected = Link(b"12345678", row, address) if changed == token else None
    assert LINKS.verify(changed) == expected


@given(KEYS, KEYS, st.binary(min_size=8, max_size=8), st.integers(0, MAX_ROW), HASHES)
def test_a_token_verifies_under_its_own_key_alone(ours: str, other: str, mark: bytes, row: int, address: int) -> None:
    token = Links(ours).token(mark, row, address)
    assert Links(other, ours).verify(token) == Link(mark, row, address)
    assert other == ours or Links(other).verify(token) is None
