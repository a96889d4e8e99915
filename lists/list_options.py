"""What an upload may say of its list; an empty value leaves it to recognition. Reads no file."""

from __future__ import annotations

from typing import Final

import msgspec

from lists import encodings
from lists.errors import UnusableList

#: Delimiters by name, for those that are hard to write in a form or a query.
_NAMED: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_NEVER: Final = frozenset("\"'\r\n\0 @._-+")


class ListOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to read a list. Each is "" to recognise it.

    Attributes:
        email_column: the header of the column of addresses.
        encoding: the text's encoding, by any name that Python knows.
        delimiter: the character between cells, or its name: `tab`, `comma`, `semicolon`, `pipe`.
        sheet: the name of a spreadsheet's sheet.
    """

    email_column: str = ""
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""

    def checked(self) -> ListOptions:
        """The same options with Python's name of the encoding and the delimiter as a character.

        Raises:
            UnusableList: the encoding or the delimiter cannot be used.
        """
        return ListOptions(
            email_column=self.email_column.strip(),
            encoding=encodings.named(self.encoding) if self.encoding.strip() else "",
            delimiter=delimiter(self.delimiter),
            sheet=self.sheet,
        )


def delimiter(named: str) -> str:
    """The delimiter of this name, as one character; "" for "".

    Raises:
        UnusableList: it cannot be a delimiter.
    """
    found = _NAMED.get(named.strip().lower(), named)
    if found and (len(found) > 1 or not found.isascii() or found.isalnum() or found in _NEVER):
        raise UnusableList(
            f"The delimiter {named[:40]!r} cannot be used; give one character such as , or ; or |, or the word tab."
        )
    return found
