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
    """The campaign's content is not usable."""


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


class UnknownUpload(CampaignError):
    """No upload with this id is in progress; start one with upload/init."""


class IncompleteUpload(CampaignError):
    """Some parts of the upload are missing; upload them again, then complete the upload."""


class Superseded(CampaignError):
    """The list has been replaced, or another parser has taken over this one's work."""
