"""Which providers can follow opens and clicks as a campaign asks for it. Postrider itself rewrites no link."""

from __future__ import annotations

from typing import Final

#: Why a provider cannot do what a campaign's `tracking` asks for, by provider and choice.
_REFUSALS: Final = {
    ("smtp", "on"): "SMTP has no tracking of opens and clicks",
    ("outbox", "on"): "the local outbox sends nothing, so nothing can be opened",
    ("ses", "on"): "Amazon SES tracks as the configuration set says, and cannot be asked per email",
    ("ses", "off"): "Amazon SES tracks as the configuration set says, and cannot be asked per email",
}
_ADVICE: Final = {"smtp": "", "outbox": "", "ses": "; set the event destinations of SES_CONFIGURATION_SET instead"}


def refusal(provider: str, tracking: str) -> str | None:
    """Why a provider cannot do what a campaign asks for, and what to do; None: it can.

    With SMTP, `off` is accepted: Postrider adds nothing. What a relay behind SMTP does is the relay's setting.

    Args:
        provider: the provider's name.
        tracking: `account`, `on` or `off`.
    """
    words = _REFUSALS.get((provider, tracking))
    return words and f'tracking: {words}: leave it out, or set it to "account"{_ADVICE[provider]}.'
