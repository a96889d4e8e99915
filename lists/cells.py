"""Makes cells of CSV files safe for spreadsheets, which must not run any of them as a formula. Pure.

Source: OWASP, "CSV Injection". A spreadsheet that expects another delimiter may cut a cell in two, so the text after
each delimiter inside a cell is checked as well.
"""

from __future__ import annotations

import re
from typing import Final

#: The characters that begin a formula, in all widths: some spreadsheets convert full-width ones.
_STARTS: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫−"  # noqa: RUF001 - full-width characters on purpose
#: The characters at which a spreadsheet may cut a cell.
_DELIMITERS: Final = ";,|\t\r\n；，"  # noqa: RUF001 - full-width characters on purpose
#: The characters that a spreadsheet drops before it reads a cell: blanks, also invisible ones, and quotes after a cut.
_DROPPED: Final = '\\s"\u00ad\u180e\u200b-\u200f\u2060\ufeff'
_FORMULA: Final = re.compile(f"(^|[{_DELIMITERS}])(?=[{_DROPPED}]*[{_STARTS}])|^(?=[\t\r\n])")


def guarded(cell: str) -> str:
    """The cell with an apostrophe before each text that a spreadsheet would take for a formula. Idempotent."""
    return _FORMULA.sub(r"\g<1>'", cell) if cell else cell
