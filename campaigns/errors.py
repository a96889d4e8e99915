"""What can go wrong with a campaign, each with a sentence that says what to do."""

from __future__ import annotations


class CampaignError(Exception):
    """The campaign cannot do this."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or type(self).__doc__)
        self.detail = str(self)


class UnknownCampaign(CampaignError):
    """There is no campaign of this id; make it with PUT /campaigns/{id}."""


class InvalidCampaign(CampaignError):
    """The campaign's content is not usable."""


class WrongState(CampaignError):
    """The campaign's state does not allow this step."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(f"{detail} (the campaign is {status})")
        self.status = status


class UnknownUpload(CampaignError):
    """There is no upload of this id under way; start one with upload/init."""


class IncompleteUpload(CampaignError):
    """The upload's parts are not all there; send the missing ones again, then complete it."""


class Superseded(CampaignError):
    """This work belongs to a list that has been replaced, or to a parser that another one has taken over from."""
