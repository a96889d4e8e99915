"""Email addresses: which are valid, and in what form to send to them. Knows nothing of files.

One regular expression recognises ordinary addresses; the email-validator package checks all others. The expression
accepts nothing that email-validator rejects (a property test checks this).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import email_validator

#: An address of at most this length is within all limits of RFC 5321 (local part 64, label 63, address 254).
_ORDINARY_CHARS: Final = 64
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_LABEL: Final = r"[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+"
_ORDINARY: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@(?:{_LABEL}\.)++[A-Za-z]{{2,}}").fullmatch
#: The longest address in any form, in characters, without surrounding blanks.
MAX_CHARS: Final = 254

# The provider decides whether mail to x@shop.test or x@host.local arrives. The package documents that programs may
# change this list.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def all_ordinary(raws: Sequence[str]) -> bool:
    """Whether all are ordinary addresses without surrounding blanks: valid, and equal to `address` except for case."""
    return max(map(len, raws), default=0) <= _ORDINARY_CHARS and all(map(_ORDINARY, raws))


def address(raw: str) -> str | None:
    """The address in the form to send to: trimmed, the domain in lower case and as ASCII; None if it is invalid.

    Source: RFC 5321 for lengths and characters, RFC 5891 for the domain. A local part with characters beyond ASCII is
    invalid, since providers do not accept it (SMTPUTF8, RFC 6531).
    """
    trimmed = raw.strip()
    if len(trimmed) <= _ORDINARY_CHARS and _ORDINARY(trimmed):
        local, _, domain = trimmed.rpartition("@")
        return f"{local}@{domain.lower()}"
    if len(trimmed) > MAX_CHARS or "@" not in trimmed:
        return None
    return _validated(trimmed)


def _validated(trimmed: str) -> str | None:
    try:
        valid = email_validator.validate_email(
            trimmed, allow_smtputf8=False, strict=True, check_deliverability=False, globally_deliverable=True
        )
    except email_validator.EmailNotValidError:
        return None
    return valid.ascii_email
