"""Names in title case: `ann mcdonald` becomes `Ann Mcdonald`, and `Ann McDonald` stays as it is."""

from __future__ import annotations

import re
from typing import Final

#: Where a word begins, as for Jinja2's filter.
_BREAK: Final = re.compile(r"([-\s({\[<]+)")
#: A single letter before an apostrophe: the next letter is a capital, as in O'Neil and D'Angelo.
_PREFIX: Final = re.compile("^(\\w['\u2019])(\\w)")
#: Small words within names. They stay small in a name that has capitals elsewhere.
_PARTICLES: Final = frozenset({
    "af", "al", "av", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos", "du", "e", "el", "ibn",
    "la", "las", "le", "los", "of", "op", "ten", "ter", "the", "til", "van", "vom", "von", "y", "zu", "zum", "zur",
})  # fmt: skip


def title_case(text: str) -> str:
    """A text with a capital at the start of each word.

    Only words that are wholly in lower or wholly in upper case change. `van`, `de` and the like stay small where
    another word of the text has a capital.
    """
    mixed = not text.islower() and not text.isupper()
    if not mixed and text.isalpha():  # nearly always: one word
        return text[0].upper() + text[1:].lower()
    if mixed and not _BREAK.search(text):
        return text
    return "".join([_word(part, mixed) if part else "" for part in _BREAK.split(text)])


def _word(word: str, mixed: bool) -> str:
    if not word.islower() and not word.isupper():
        return word
    if mixed and word in _PARTICLES:
        return word
    made = word[0].upper() + word[1:].lower()
    if "'" in made or "\u2019" in made:
        return _PREFIX.sub(lambda match: match.group(1) + match.group(2).upper(), made)
    return made
