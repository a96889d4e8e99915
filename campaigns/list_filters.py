"""What a campaign's content leaves out of its list: `where`, `duplicates` and `exclude`, as filters of the scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from campaigns.models import Content
from lists.address_set import AddressSet
from lists.header import CsvDialect
from lists.row_filters import Keep, RowFilters

#: Makes a condition for a list with these columns, and the position of the address; None if it lacks a column.
Condition = Callable[[Sequence[str], int], Keep | None]


def row_filters(content: Content, condition: Condition | None, excluded: AddressSet) -> RowFilters:
    """The filters of a campaign.

    Args:
        content: the campaign's content.
        condition: its condition `where` (`mail.condition.Condition.of`), or None.
        excluded: the recipients of other campaigns, sealed.
    """
    return RowFilters(
        keep=None if condition is None else _keep(condition),
        excluded=excluded.contains if content.excluded_campaigns else None,
        duplicates="keep" if content.keeps_duplicates else "reject",
    )


def _keep(condition: Condition) -> Callable[[CsvDialect], Keep | None]:
    return lambda dialect: condition(dialect.columns, dialect.email_index)
