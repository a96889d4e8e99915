"""Cells of a list that a template takes for something else, such as a number: the error, and how it shows the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: The most characters of a cell that an error shows.
MAX_SHOWN: Final = 40


class CellError(Exception):
    """A template cannot use this text. The row fails; its reason names the column, the value and the remedy.

    Args:
        value: the text.
        words: what is wrong with it and what to do, to follow the value.
    """

    def __init__(self, value: str, words: str) -> None:
        super().__init__(f"{shown(value)} {words}")
        self.value = value


def not_converted(value: str) -> CellError:
    """The error of a text that a template takes for a number without converting it."""
    return CellError(value, "is text, and the template takes it for a number: write |int, |float or |number behind it")


def shown(value: str) -> str:
    """A text as an error shows it: in quotes, and cut if it is long."""
    return repr(str(value) if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…")


def described(error: CellError, variables: Mapping[str, Any]) -> str:
    """An error's words, led by the name of the column that holds its value if exactly one column does."""
    names = [name for name, value in variables.items() if isinstance(value, str) and value == error.value]
    return f"{names[0]}: {error}" if len(names) == 1 else str(error)
