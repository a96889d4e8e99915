"""What a campaign leaves out of its list, as filters of the scan: `where`, `duplicates`, `exclude`, suppressed rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from campaigns.models import Content
from lists.address_set import AddressSet
from lists.header import CsvDialect
from lists.row_filters import Keep, OfAddresses, RowFilters

#: Makes a condition for a list with these columns, and the position of the address; None if it lacks a column.
Condition = Callable[[Sequence[str], int], Keep | None]


#: The bytes of a row, about: for a guess at the number of rows from a list's size.
ROW_BYTES: Final = 64


class Screening(Protocol):
    """Tests addresses, see `consent.screening.Screening`."""

    def suppressed(self, folded: Sequence[str]) -> list[bool]: ...


class Suppressions(Protocol):
    """What a scan asks the suppression list, see `consent.suppressions.Suppressions`."""

    def screening(self, *, marketing: bool, expected: int) -> Screening: ...


def row_filters(
    content: Content,
    condition: Condition | None,
    excluded: AddressSet,
    suppressions: Suppressions | None = None,
    *,
    size: int = 0,
) -> RowFilters:
    """The filters of a campaign.

    Args:
        content: the campaign's content.
        condition: its condition `where` (`mail.condition.Condition.of`), or None.
        excluded: the recipients of other campaigns, sealed.
        suppressions: the suppression list; None: no address is suppressed.
        size: of the list, in bytes; 0: not known.
    """
    return RowFilters(
        keep=None if condition is None else _keep(condition),
        excluded=excluded.contains if content.excluded_campaigns else None,
        suppressed=None if suppressions is None else _suppressed(suppressions, content, size),
        duplicates="keep" if content.keeps_duplicates else "reject",
    )


def _suppressed(suppressions: Suppressions, content: Content, size: int) -> OfAddresses:
    return suppressions.screening(marketing=content.is_marketing, expected=size // ROW_BYTES).suppressed


def _keep(condition: Condition) -> Callable[[CsvDialect], Keep | None]:
    return lambda dialect: condition(dialect.columns, dialect.email_index)
