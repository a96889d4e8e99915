"""The addresses in a campaign's content: `News <news@example.com>`, or an address alone.

The recipients' addresses come from the list; `lists.scan` checks them.
"""

from __future__ import annotations

import re
from typing import Final

import email_validator

from campaigns.errors import InvalidCampaign
from mail.message import Mailbox

#: The longest display name and the longest mailbox, in characters.
MAX_NAME: Final = 200
MAX_MAILBOX: Final = 700

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: A name and an address in angle brackets. A name that contains a separator of addresses must be quoted.
_NAMED: Final = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^<>",;\\]*))\s*<([^<>]*)>')
_ESCAPED: Final = re.compile(r"\\(.)")

# People try things out with reserved names (.test, .local, ...), and private networks use them.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def mailbox(field: str, written: str) -> Mailbox:
    """Parse one mailbox of a campaign's content; its domain is converted to ASCII.

    Args:
        field: the field's name, for the error.
        written: the mailbox as the campaign has it.

    Raises:
        InvalidCampaign: the mailbox is invalid; the detail begins with `field`.
    """
    if len(written) > MAX_MAILBOX:
        raise InvalidCampaign(f"{field}: longer than {MAX_MAILBOX} characters")
    if _CONTROL.search(written):
        raise InvalidCampaign(f"{field}: control characters are not allowed")
    named = _NAMED.fullmatch(written.strip())
    if named:
        quoted, plain, address = named.groups()
        name = _plain_name(field, plain, address) if quoted is None else _ESCAPED.sub(r"\1", quoted).strip()
    else:
        name, address = "", written.strip()
    if len(name) > MAX_NAME:
        raise InvalidCampaign(f"{field}: the name is longer than {MAX_NAME} characters")
    if "=?" in name:
        raise InvalidCampaign(f"{field}: write the name as plain text, not as an RFC 2047 encoded word")
    return Mailbox(name, _address(field, address))


def _plain_name(field: str, written: str, address: str) -> str:
    """A name without quotes. An address in place of the name is left out if it is the address itself."""
    name = written.strip()
    if "@" not in name:
        return name
    if name.lower() == address.strip().lower():
        return ""
    raise InvalidCampaign(f"{field}: the name {name[:60]!r} contains @: put the name in quotes")


def _address(field: str, written: str) -> str:
    try:
        parsed = email_validator.validate_email(written.strip(), allow_smtputf8=False, check_deliverability=False)
    except email_validator.EmailNotValidError as error:
        raise InvalidCampaign(f'{field}: expected news@example.com or "News" <news@example.com>. {error}') from None
    return f"{parsed.ascii_local_part}@{parsed.ascii_domain}"
