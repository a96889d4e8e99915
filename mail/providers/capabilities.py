"""What each provider can do. The API refuses what a campaign's provider lacks; `docs/operations.md` shows this table.

A provider never drops silently what a campaign asks for: either this table says that it cannot, or it does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from campaigns.models import Content


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do with an email.

    Args:
        recipients: the most recipients of one request.
        attachments: the most bytes of all files of a campaign together, before they are encoded; 0: no files.
        headers: own headers, which the unsubscribe links need too.
        reply_to: an address for replies.
        tracking: which of `on` and `off` it can do for each email; `account` is always possible.
        tracking_words: why it cannot do the others, and what to do instead.
        events: it reports what became of an email, by a webhook.
        idempotent: a request that is repeated with the same key sends one email. Rows of other providers whose response
            was lost are unknown, and are never sent again unasked.
    """

    recipients: int = 1
    attachments: int = 25_000_000
    headers: bool = True
    reply_to: bool = True
    tracking: frozenset[str] = frozenset({"on", "off"})
    tracking_words: str = ""
    events: bool = False
    idempotent: bool = False


_LEAVE_OUT: Final = 'leave it out, or set it to "account"'

CAPABILITIES: Final[dict[str, Capabilities]] = {
    # It takes 30 MB per request, with files in base64, which takes four bytes for three; a hundredth is left for the
    # email itself.
    "sendgrid": Capabilities(recipients=1000, attachments=22_275_000, events=True),
    # `off` is accepted: Postrider adds nothing. What a relay behind SMTP does is the relay's setting.
    "smtp": Capabilities(
        tracking=frozenset({"off"}), tracking_words=f"SMTP has no tracking of opens and clicks: {_LEAVE_OUT}."
    ),
    "ses": Capabilities(
        tracking=frozenset(),
        tracking_words=(
            f"Amazon SES tracks as the configuration set says, and cannot be asked per email: {_LEAVE_OUT}; set the "
            "event destinations of SES_CONFIGURATION_SET instead."
        ),
        events=True,
    ),
    "outbox": Capabilities(
        tracking=frozenset({"off"}),
        tracking_words=f"the local outbox sends nothing, so nothing can be opened: {_LEAVE_OUT}.",
    ),
}


def refusal(provider: str, content: Content, attached_bytes: int = 0) -> str | None:
    """Why a provider cannot send a campaign as its content asks, and what to do; None: it can.

    Args:
        provider: the provider's name.
        content: of the campaign.
        attached_bytes: of its files together.
    """
    can = CAPABILITIES[provider]
    asked = str(content.tracking)
    if asked in {"on", "off"} and asked not in can.tracking:
        return f"tracking: {can.tracking_words}"
    if content.headers and not can.headers:
        return f"headers: the provider {provider} takes no own headers: leave them out, or choose another account."
    if content.has_links and not can.headers:
        return (
            f"unsubscribe: the provider {provider} takes no own headers, which unsubscribe links need: set it to false "
            "for mail that is not marketing, or choose another account."
        )
    if content.reply_to and not can.reply_to:
        return f"reply_to: the provider {provider} takes none: leave it out, or choose another account."
    if attached_bytes > can.attachments:
        return (
            f"account: the attachments have {attached_bytes:,} bytes together, and the provider {provider} takes "
            f"{can.attachments:,}: remove some, or choose another account."
        )
    return None
