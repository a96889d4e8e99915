"""Characters that no one sees: blanks, zero-width and direction marks, controls. Knows nothing of cells or addresses.

Source: Unicode, DerivedCoreProperties.txt, Default_Ignorable_Code_Point; the general categories Zs, Zl, Zp and Cc.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Characters without a width, by their first and last code point: Default_Ignorable_Code_Point without most of the
#: unassigned ones, and the interlinear marks.
_NO_WIDTH: Final = (
    *[(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)],
    *[(0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)],
    *[(0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE01EF)],
)
_IGNORABLE: Final = "".join(chr(code) for first, last in _NO_WIDTH for code in range(first, last + 1))
#: The blanks: all that `str.strip` removes, the Braille blank, and Ctrl-Z, with which DOS programs end a file.
_BLANKS: Final = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + "\u2800\x1a"
_EDGES: Final = _BLANKS + _IGNORABLE
_DELETE_IGNORABLE: Final = dict.fromkeys(map(ord, _IGNORABLE))
_DELETE_ALL: Final = dict.fromkeys(map(ord, _EDGES))
#: The ASCII blanks that stand between words as a space does.
_PLAIN_BLANKS: Final = " \t\n\v\f\r"
_NOT_PLAIN: Final = re.compile(r"[^ -~]")


def trimmed(text: str) -> str:
    """The text without invisible characters at its edges."""
    return text.strip(_EDGES)


def is_blank(text: str) -> bool:
    """Whether the text has no visible character. NUL counts as visible, since it shows that a file is damaged."""
    return not text.strip(_EDGES)


def without_marks(text: str) -> str:
    """The text without characters that have no width; blanks stay."""
    return text if text.isascii() else text.translate(_DELETE_IGNORABLE)


def without_invisible(text: str) -> str:
    """The text without any invisible character, blanks included."""
    return text.translate(_DELETE_ALL)


def written_out(text: str) -> str:
    """The text with its invisible characters as `[U+200B]`, in one line. ASCII blanks become spaces."""
    return _NOT_PLAIN.sub(lambda match: _shown(match[0]), text)


def first_invisible(text: str) -> str | None:
    """The code point of the first invisible character that is not an ASCII blank, as `U+200B`; None without one."""
    return next((_code_point(char) for char in text if char not in _PLAIN_BLANKS and _is_invisible(char)), None)


def _shown(char: str) -> str:
    if char in _PLAIN_BLANKS:
        return " "
    return f"[{_code_point(char)}]" if _is_invisible(char) else char


def _is_invisible(char: str) -> bool:
    return ord(char) in _DELETE_ALL or unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zs"}


def _code_point(char: str) -> str:
    return f"U+{ord(char):04X}"
