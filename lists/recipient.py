"""The recipient: one row of a list on its way from the slice to its settlement."""

from __future__ import annotations

import msgspec


class Recipient(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A recipient. Redis and the messages hold it as `[row, "address", [values]]`.

    Attributes:
        row: the number of its row in the list, from 1.
        address: its email address.
        values: the cells of the columns that the templates use, in the templates' order.
    """

    row: int
    address: str
    values: list[str]

    @property
    def domain(self) -> str:
        """The address's domain in lower case."""
        return self.address.rpartition("@")[2].lower()
