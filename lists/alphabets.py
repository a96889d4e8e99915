"""The letters of languages, to tell code pages apart that read the same bytes as other letters. Knows no files.

Source: Unicode CLDR 46, the main and the usual auxiliary exemplar characters of each language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_GERMAN: Final = "äöüß"
#: The letters beyond ASCII of the languages that lists in a code page are written in.
_LETTERS: Final = {
    "cp1250": {
        "pl": "ąćęłńóśźż",
        "cs": "áčďéěíňóřšťúůýž",
        "sk": "áäčďéíĺľňóôŕšťúýž",
        "hu": "áéíóöőúüű",
        "hr, sl, sr": "čćđšž",
        "ro": "ăâîşţ",
        "de": _GERMAN,
    },
    "cp1252": {
        "es": "áéíñóúüºª",
        "ca": "àçéèíïóòúü·",
        "pt": "áàâãçéêíóôõúü",
        "fr": "àâæçéèêëîïôœùûüÿ",
        "it": "àéèìíîóòùú",
        "de": _GERMAN,
        "nl": "áäéëèêíïóöúü",
        "sv, fi": "åäöéàü",
        "da, nb, nn": "æøåéèêóòôü",
        "is": "áæéðíóöþúý",
    },
    "cp1254": {"tr": "âçğıîöşüû"},
    "cp1257": {"lt": "ąčėęįšųūž", "lv": "āčēģīķļņšūž", "et": "äõöšüž"},
}
_LETTERS["iso8859-2"] = _LETTERS["cp1250"]
_LETTERS["mac-roman"] = _LETTERS["cp1252"]

#: The letters by code page, with the signs that text of any language may have.
_ALPHABETS: Final = {
    encoding: [frozenset(letters + letters.upper() + "’‘“”„–—«»…·´°\xa0") for letters in languages.values()]  # noqa: RUF001
    for encoding, languages in _LETTERS.items()
}


def of_one_language(encoding: str, cells: Sequence[bytes]) -> float | None:
    """The part of some cells that one language could have written, for the best one of a code page, 0 to 1.

    Args:
        encoding: the code page.
        cells: the cells, each with other than ASCII bytes.

    Returns:
        None: nothing is known of the code page, or it lacks some of the bytes.
    """
    if encoding not in _ALPHABETS or not cells:
        return None
    try:
        foreign = [{char for char in cell.decode(encoding) if not char.isascii()} for cell in cells]
    except UnicodeDecodeError:
        return None
    return max(sum(letters <= alphabet for letters in foreign) for alphabet in _ALPHABETS[encoding]) / len(cells)
