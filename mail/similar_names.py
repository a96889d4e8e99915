"""Finds the name that was probably meant: "did you mean first_name?". Knows nothing of templates or lists."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

#: How alike two names must be, from 0 to 1.
ALIKE: Final = 0.6
#: The most names that are compared, and the most for which a similar one is looked for; each takes some time.
MAX_COMPARED: Final = 2_000
MAX_LOOKED_FOR: Final = 20


def similar(name: str, names: Iterable[str]) -> str | None:
    """The most similar of some names, without regard to case, accents and punctuation; None: there is none."""
    by_folded = {folded(other): other for other in list(names)[:MAX_COMPARED] if other}
    near = difflib.get_close_matches(folded(name), by_folded, 1, ALIKE)
    return by_folded[near[0]] if near else None


def with_suggestions(missing: Sequence[str], names: Sequence[str]) -> str:
    """Names that do not exist, in words: `firstname (did you mean first_name?), zzz`."""
    written = list(missing)
    for place, name in enumerate(missing[:MAX_LOOKED_FOR]):
        if near := similar(name, names):
            written[place] = f"{name} (did you mean {near}?)"
    return ", ".join(written)


def folded(name: str) -> str:
    """A name as it is compared: without case, accents and punctuation."""
    bare = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in bare if character.isalnum())
