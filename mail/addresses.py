"""Addresses that people write into a campaign: `News <news@example.com>` or bare.

The recipients' addresses are the list's, and `campaigns.recipients` judges them.
"""

from __future__ import annotations

import re
from typing import Final

import email_validator

from campaigns.errors import InvalidCampaign
from mail.message import Mailbox

#: The longest display name, in characters.
MAX_NAME: Final = 200

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# Reserved names (.test, .local, ...) are what people try things out with and what private networks use.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def mailbox(field: str, written: str) -> Mailbox:
    """One mailbox as it is written in a campaign, its domain as ASCII.

    Raises:
        InvalidCampaign: naming `field`.
    """
    if _CONTROL.search(written):
        raise InvalidCampaign(f"{field}: control characters are not allowed")
    try:
        parsed = email_validator.validate_email(
            written.strip(), allow_display_name=True, allow_smtputf8=False, check_deliverability=False
        )
    except email_validator.EmailNotValidError as error:
        raise InvalidCampaign(f"{field}: expected News <news@example.com> or news@example.com. {error}") from None
    name = (parsed.display_name or "").strip()
    if len(name) > MAX_NAME:
        raise InvalidCampaign(f"{field}: the name is longer than {MAX_NAME} characters")
    if "=?" in name:
        raise InvalidCampaign(f"{field}: write the name as it is to be read, not as an RFC 2047 encoded word")
    return Mailbox(name, f"{parsed.ascii_local_part}@{parsed.ascii_domain}")
