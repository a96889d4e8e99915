"""What Postrider has recognised in a list, for people: status, dry run and page show it. Recognises nothing itself."""

from __future__ import annotations

import msgspec

from lists.list_warnings import TO_ACCEPT, ListWarning


class ListFacts(msgspec.Struct, frozen=True):
    """What a list is.

    Attributes:
        format: `csv`, `jsonl`, `xlsx`, `ods`, or what is packed, such as `gzip csv`.
        encoding: Python's name of the text's encoding.
        encoding_confidence: how sure the encoding is, 0 to 1; 1 if the caller named it.
        samples: up to three values with other than ASCII characters, as they are read.
        delimiter: the character between cells.
        email_column: the header of the column of addresses.
        reasons: the number of rejected rows per reason.
        warnings: what may be wrong with the list.
    """

    format: str
    encoding: str
    encoding_confidence: float
    samples: list[str]
    delimiter: str
    email_column: str
    reasons: dict[str, int]
    warnings: list[ListWarning]

    @property
    def to_accept(self) -> list[str]:
        """The codes of the warnings that an operator must accept before the start."""
        return [warning.code for warning in self.warnings if warning.code in TO_ACCEPT]
