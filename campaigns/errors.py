"""The errors of campaigns. The docstring of each class is its default message."""

from __future__ import annotations

from collections.abc import Sequence


class CampaignError(Exception):
    """The campaign cannot do this."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or type(self).__doc__)
        self.detail = str(self)


class UnknownCampaign(CampaignError):
    """No campaign has this id; create it with PUT /campaigns/{id}."""


class InvalidCampaign(CampaignError):
    """The campaign's content is not usable.

    `mistakes`: all that is wrong, each with its code, message and place, if more than the detail is known.
    """

    def __init__(self, detail: str | None = None, mistakes: Sequence[object] = ()) -> None:
        super().__init__(detail or "The campaign's content is not usable.")
        self.mistakes = mistakes


class WrongState(CampaignError):
    """The campaign's state does not allow this step."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(f"{detail} (the campaign is {status})")
        self.status = status


class NotAccepted(WrongState):
    """Some warnings must be accepted before the campaign starts. `codes`: theirs."""

    def __init__(self, status: str, codes: Sequence[str]) -> None:
        super().__init__(
            status,
            f"these warnings must be accepted before the start: {', '.join(codes)}; GET the campaign to read them, "
            'then change the campaign, or start it with {"accept_warnings": true}',
        )
        self.codes = codes


class BrakeHolds(WrongState):
    """The brake holds the campaign until a person accepts the figures. `figures`: a sentence with them."""

    def __init__(self, status: str, figures: str) -> None:
        super().__init__(
            status,
            f"the brake has paused the campaign: {figures}; look into the list and the content, then resume it with "
            '{"accept_brake": true}: the brake then counts only what is sent after that',
        )
        self.figures = figures


class MissingColumns(WrongState):
    """The list lacks columns that the campaign uses.

    `columns`: their names. `words`: the names with more words, if there are any.
    """

    def __init__(self, status: str, columns: Sequence[str], words: str = "") -> None:
        named = words or ", ".join(columns)
        super().__init__(status, f"the templates name columns that the CSV lacks: {named}; change one of the two")
        self.columns = columns


class ListChanged(CampaignError):
    """The campaign has got another list meanwhile."""


class ContentChanged(CampaignError):
    """The campaign has got another content meanwhile."""


class UnknownUpload(CampaignError):
    """No upload with this id is in progress; start one with upload/init."""


class IncompleteUpload(CampaignError):
    """Some parts of the upload are missing; upload them again, then complete the upload."""


class Superseded(CampaignError):
    """The list has been replaced, or another parser has taken over this one's work."""


class TooManyTestEmails(CampaignError):
    """At most 60 test emails are sent per minute.

    Args:
        wait_ms: until the refused ones could be sent, in ms.
    """

    def __init__(self, wait_ms: int) -> None:
        super().__init__(
            f"At most 60 test emails are sent per minute: send these again in {-(-wait_ms // 1000)} s, or fewer now."
        )
        self.wait_ms = wait_ms


class BreakerOpen(CampaignError):
    """The circuit breaker of the provider is open.

    Args:
        wait_ms: until it is half-open, in ms.
        why: the provider's words.
    """

    def __init__(self, wait_ms: int, why: str) -> None:
        words = f" ({why})" if why else ""
        super().__init__(f"The provider takes no emails at the moment{words}: try again in {-(-wait_ms // 1000)} s.")
        self.wait_ms = wait_ms


class UnknownAttachment(CampaignError):
    """The campaign has no attachment of this name; GET /campaigns/{id}/attachments lists them."""


class AttachmentsTooLarge(CampaignError):
    """The campaign's attachments are too large together, or too many."""
