"""Cells of the CSV files that people open in a spreadsheet: none of them may be run as a formula. Pure.

Source: OWASP, "CSV Injection". A spreadsheet may also cut a cell where the file has another delimiter than the one that
it expects, so what follows a delimiter inside a cell is looked at as well.
"""

from __future__ import annotations

import re
from typing import Final

#: What a formula begins with, in all widths: some spreadsheets make the full-width ones plain ones.
_STARTS: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫−"  # noqa: RUF001 - they are what this is for
#: Where a spreadsheet may cut a cell.
_DELIMITERS: Final = ";,|\t\r\n；，"  # noqa: RUF001 - the same
#: What a spreadsheet drops before it looks at a cell: blanks, seen or not, and quotes that the cut has left over.
_DROPPED: Final = '\\s"\u00ad\u180e\u200b-\u200f\u2060\ufeff'
_FORMULA: Final = re.compile(f"(^|[{_DELIMITERS}])(?=[{_DROPPED}]*[{_STARTS}])|^(?=[\t\r\n])")


def guarded(cell: str) -> str:
    """The cell with an apostrophe before whatever a spreadsheet would take for a formula. Twice is the same as once."""
    return _FORMULA.sub(r"\g<1>'", cell) if cell else cell
