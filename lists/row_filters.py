"""What excludes or rejects rows with valid addresses. The filters decide; this module only names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lists.header import CsvDialect

#: Whether a row with a valid address is for this campaign, from its cells: False excludes it, a text rejects it for
#: that reason.
Keep = Callable[[list[str]], bool | str]
#: Which of some addresses, in ASCII and lower case, the filter is about.
OfAddresses = Callable[[Sequence[str]], Iterable[bool]]


@dataclass(frozen=True, slots=True)
class RowFilters:
    """What excludes or rejects rows with valid addresses; None does neither.

    Attributes:
        keep: makes the condition once the header is known; the function that it returns gets the cells of each row that
            has a valid address, one per column of the header, with that address alone in its column. It may return
            None, which keeps all rows.
        excluded: which addresses are excluded: neither recipients nor rejected.
        suppressed: which addresses are rejected.
        duplicates: whether a row that repeats an earlier address is rejected, or is another recipient.
    """

    keep: Callable[[CsvDialect], Keep | None] | None = None
    excluded: OfAddresses | None = None
    suppressed: OfAddresses | None = None
    duplicates: Literal["reject", "keep"] = "reject"


NO_FILTERS: Final = RowFilters()
