"""What can be wrong with a list, in a sentence that says what to do."""

from __future__ import annotations


class UnusableList(Exception):
    """The CSV cannot be used."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
