"""What the checks say of a content and a list together. `mail.checks` checks; this module knows no mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple


class Judgement(NamedTuple):
    """What a content and a list make together.

    Attributes:
        version: of that of the two which the campaign had when they were checked: its list if the content is new, its
            content if the list is new. If the campaign has another version when the judgement is stored, nothing is
            stored, and the two must be checked again. "" for no list.
        unaccepted: the codes of the warnings that a person must accept before the start.
        missing: the columns that the content names and the list lacks, in words; "" for none.
    """

    version: str
    unaccepted: Sequence[str] = ()
    missing: str = ""


#: For a campaign without a parsed list.
WITHOUT_LIST: Final = Judgement("")
