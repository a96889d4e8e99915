"""The set of addresses on disk is a set."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lists import address_set
from lists.address_set import AddressSet

ADDRESSES = st.lists(st.integers(0, 300).map("r{}@shop.test".format), max_size=200)


@pytest.mark.parametrize("buffered", [1, 7, 10_000])
@given(added=st.lists(ADDRESSES, max_size=6), asked=ADDRESSES)
def test_it_contains_what_was_added(buffered: int, added: list[list[str]], asked: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, AddressSet() as found:
        patch.setattr(address_set, "_BUFFERED", buffered)
        patch.setattr(address_set, "_PIECE", 5)
        for addresses in added:
            found.add(addresses)
        found.seal()
        everything = {address for addresses in added for address in addresses}
        assert found.contains(asked) == [address in everything for address in asked]
