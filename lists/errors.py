"""The error for a list that cannot be used."""

from __future__ import annotations


class UnusableList(Exception):
    """The CSV cannot be used; `detail` says why and what to do."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
