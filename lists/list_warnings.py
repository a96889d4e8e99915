"""What an operator should know about a list that can be used all the same. Does not decide what happens then."""

from __future__ import annotations

from typing import Final

import msgspec

#: The codes of warnings that an operator must accept before the campaign can start.
TO_ACCEPT: Final = frozenset({"encoding_guessed"})


class ListWarning(msgspec.Struct, frozen=True):
    """Something that may be wrong with a list that can be used.

    Attributes:
        code: a word for programs, such as `surplus_cells`.
        message: a sentence for people: what was found, and what to do. It never contains an address.
        count: the number of rows, lines or characters that it is about; 0 if it is about the whole file.
    """

    code: str
    message: str
    count: int = 0
