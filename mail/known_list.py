"""What the checks of a campaign's content know of its list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KnownList:
    """A parsed list.

    Attributes:
        columns: its template names by position, "" for a column without a usable name.
        rows: some of its rows: each its number and the cells of all columns.
        empty: how many recipients have an empty cell, by column.
        recipients: how many rows were counted for that.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]] = ()
    empty: Mapping[str, int] = field(default_factory=dict)
    recipients: int = 0
