"""Addresses: the fast way accepts nothing that email-validator rejects, and says the same."""

from __future__ import annotations

import email_validator
from hypothesis import given, settings, strategies as st

from lists import addresses
from lists.addresses import address, all_ordinary

#: With the Kelvin sign and the long s, whose other case is ASCII.
LETTERS = "abzAKZ019.-_+'!@ \u212aé\u017f\n\t"
NEAR_MISSES = st.text(st.sampled_from(LETTERS), max_size=90)
DOMAINS = st.sampled_from(
    ["x.test", "X.example", "a-b.c-d.org", "xn--bcher-kva.test", "a--b.com", "ab--c.com", "x.c0m", "x"]
)
ADDRESSES = st.one_of(
    st.emails(),
    st.emails().map(str.upper),
    NEAR_MISSES,
    st.builds("{}@{}".format, NEAR_MISSES, DOMAINS),
    st.builds("{}@{}.{}".format, st.text("ab.", max_size=70), st.text("a-.", max_size=70), st.text("mo1", max_size=70)),
)


def judged(raw: str) -> str | None:
    try:
        return email_validator.validate_email(
            raw, allow_smtputf8=False, strict=True, check_deliverability=False
        ).ascii_email
    except email_validator.EmailNotValidError:
        return None


@settings(max_examples=500)
@given(ADDRESSES)
def test_ordinary_addresses_are_valid_ones(raw: str) -> None:
    if all_ordinary([raw]):
        valid = judged(raw)
        assert valid is not None
        assert valid.lower() == raw.lower()


@settings(max_examples=500)
@given(ADDRESSES)
def test_an_address_is_what_email_validator_says_but_for_the_case_of_the_local_part(raw: str) -> None:
    found, valid = address(raw), judged(raw.strip())
    assert (found is None) == (valid is None)
    if found is not None and valid is not None:
        assert found.lower() == valid.lower()
        assert found.rpartition("@")[2] == valid.rpartition("@")[2]


@given(ADDRESSES | st.text())
def test_an_address_can_be_sent_to_and_stays_what_it_is(raw: str) -> None:
    found = address(raw)
    if found is not None:
        local, _, domain = found.rpartition("@")
        assert found.isascii()
        assert found.isprintable()
        assert " " not in found
        assert domain == domain.lower()
        assert 1 <= len(local) <= 64
        assert len(found) <= 254
        assert address(f" {found}\t") == found


@given(st.lists(ADDRESSES, max_size=4))
def test_all_are_ordinary_where_each_is(raws: list[str]) -> None:
    assert all_ordinary(raws) == all(all_ordinary([raw]) for raw in raws)
    assert addresses.all_ordinary([])
