"""What a campaign leaves out of its list, as filters of the scan: `where`, `duplicates`, `exclude`, suppressed rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from campaigns.models import Content
from lists.address_set import AddressSet
from lists.header import CsvDialect
from lists.row_filters import Keep, OfAddresses, RowFilters

#: Makes a condition for a list with these columns, and the position of the address; None if it lacks a column.
Condition = Callable[[Sequence[str], int], Keep | None]


class Suppressions(Protocol):
    """What a scan asks the suppression list, see `consent.suppressions.Suppressions`."""

    def contains_many(self, folded: Sequence[str], *, marketing: bool) -> list[bool]: ...


def row_filters(
    content: Content, condition: Condition | None, excluded: AddressSet, suppressions: Suppressions | None = None
) -> RowFilters:
    """The filters of a campaign.

    Args:
        content: the campaign's content.
        condition: its condition `where` (`mail.condition.Condition.of`), or None.
        excluded: the recipients of other campaigns, sealed.
        suppressions: the suppression list; None: no address is suppressed.
    """
    return RowFilters(
        keep=None if condition is None else _keep(condition),
        excluded=excluded.contains if content.excluded_campaigns else None,
        suppressed=None if suppressions is None else _suppressed(suppressions, content),
        duplicates="keep" if content.keeps_duplicates else "reject",
    )


def _suppressed(suppressions: Suppressions, content: Content) -> OfAddresses:
    return partial(suppressions.contains_many, marketing=content.is_marketing)


def _keep(condition: Condition) -> Callable[[CsvDialect], Keep | None]:
    return lambda dialect: condition(dialect.columns, dialect.email_index)
