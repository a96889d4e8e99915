"""What an operator should know about a list that can be used all the same. Does not decide what happens then."""

from __future__ import annotations

from typing import NamedTuple


class ListWarning(NamedTuple):
    """One warning: a code for programs, and a sentence for people. The sentence never contains an address."""

    code: str
    message: str
