"""Email addresses: which are valid, and in what form to send to them. Knows nothing of files.

One regular expression recognises ordinary addresses; the email-validator package checks all others. The expression
accepts nothing that email-validator rejects (a property test checks this).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

import email_validator

from lists.invisible import first_invisible, trimmed

#: An address of at most this length is within all limits of RFC 5321 (local part 64, label 63, address 254).
_ORDINARY_CHARS: Final = 64
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_LABEL: Final = r"[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+"
_ORDINARY: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@(?:{_LABEL}\.)++[A-Za-z]{{2,}}").fullmatch
#: The longest address in any form, in characters.
MAX_CHARS: Final = 254
#: The reasons for a cell that is no address, and for one that is too long. More words may follow after a colon.
INVALID: Final = "invalid_email"
TOO_LONG: Final = "too_long"

_SCHEME: Final = "mailto:"
#: What stands between several addresses in one cell.
_SEPARATORS: Final = frozenset(";,")
_EDGE_SEPARATORS: Final = re.compile(r"^[;,\s]+|[;,\s]+$")
_QUOTES: Final = frozenset("'\"")
_BETWEEN_ADDRESSES: Final = re.compile(r"""[\s"<>():,;|]+""")

# The provider decides whether mail to x@shop.test or x@host.local arrives. The package documents that programs may
# change this list.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def all_ordinary(raws: Sequence[str]) -> bool:
    """Whether all are ordinary addresses without surrounding blanks: valid, and equal to `address` except for case."""
    return max(map(len, raws), default=0) <= _ORDINARY_CHARS and all(map(_ORDINARY, raws))


def address(raw: str) -> str | None:
    """The address of a cell in the form to send to: the domain in lower case and as ASCII; None if it is invalid.

    Invisible characters at the edges do not count. `Ann <ann@x.org>`, `<ann@x.org>`, `mailto:ann@x.org` and one address
    with quotes or separators round it, `'ann@x.org'`, `ann@x.org;`, are understood.

    Source: RFC 5321 for lengths and characters, RFC 5891 for the domain, RFC 5322 (3.4) for `Ann <ann@x.org>`, RFC 6068
    for `mailto:`. A local part with characters beyond ASCII is invalid, since providers do not accept it (SMTPUTF8,
    RFC 6531).
    """
    bare = raw.strip()
    if not (len(bare) <= _ORDINARY_CHARS and _ORDINARY(bare)):
        bare = _bare(bare)
        if not (len(bare) <= _ORDINARY_CHARS and _ORDINARY(bare)):
            return _validated(bare)
    local, _, domain = bare.rpartition("@")
    return f"{local}@{domain.lower()}"


def folded(raws: Sequence[str]) -> list[str | None]:
    """The addresses of cells as they are compared: like `address`, in lower case throughout."""
    return [
        raw.lower() if len(raw) <= _ORDINARY_CHARS and _ORDINARY(raw) else (address(raw) or "").lower() or None
        for raw in raws
    ]


def rejection(raw: str) -> str:
    """The reason for the report, for a cell from which `address` makes no address."""
    bare = _bare(raw)
    if sum("@" in part[1:-1] for part in _BETWEEN_ADDRESSES.split(bare)) > 1:
        return f"{INVALID}:several addresses in one cell"
    if "@" in bare and len(bare) > MAX_CHARS:
        return TOO_LONG
    invisible = first_invisible(bare)
    return f"{INVALID}:contains {invisible}" if invisible else INVALID


def _bare(raw: str) -> str:
    """The text in place of the address: without edges, separators, quotes, a name, angle brackets and `mailto:`."""
    bare = trimmed(raw)
    if bare[-1:] in _SEPARATORS or bare[:1] in _SEPARATORS:
        # What a program leaves that joins several addresses, if there is one.
        bare = trimmed(_EDGE_SEPARATORS.sub("", bare))
    bare = _unquoted(bare)
    if bare.endswith(">") and bare.count("<") == bare.count(">") == 1:
        name, _, inner = bare[:-1].partition("<")
        inner = _without_scheme(_unquoted(trimmed(inner)))
        # A name with another address leaves open which one is meant.
        bare = inner if "@" not in name or trimmed(name).strip("\"'").casefold() == inner.casefold() else bare
    return _without_scheme(bare)


def _unquoted(text: str) -> str:
    """The text without quotes round it, with which Outlook writes an address without a name. No domain ends in one."""
    is_quoted = len(text) > 2 and text[0] in _QUOTES and text[-1] == text[0]
    return trimmed(text[1:-1]) if is_quoted else text


def _without_scheme(text: str) -> str:
    if text[: len(_SCHEME)].casefold() != _SCHEME:
        return text
    return unquote(text[len(_SCHEME) :].partition("?")[0])


def _validated(bare: str) -> str | None:
    if len(bare) > MAX_CHARS or "@" not in bare:
        return None
    try:
        valid = email_validator.validate_email(
            bare, allow_smtputf8=False, strict=True, check_deliverability=False, globally_deliverable=True
        )
    except email_validator.EmailNotValidError:
        return None
    return valid.ascii_email
