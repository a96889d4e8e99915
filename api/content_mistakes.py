"""All that is wrong with a content: what `mail` checks, and its times. One answer names all of it."""

from __future__ import annotations

from campaigns import schedule
from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail import content as mail_content
from mail.check import Check, Level
from mail.rendering import Templates


def checked(content: Content) -> Templates:
    """Check everything that does not depend on the list; return the compiled templates.

    Raises:
        InvalidCampaign: the detail is the first mistake; `mistakes` are all of them, as `Check`s.
    """
    of_schedule = [
        Check(mail_content.INVALID, words, words.partition(":")[0], None, None, Level.ERROR)
        for words in schedule.mistakes(content)
    ]
    try:
        templates = mail_content.check(content)
    except InvalidCampaign as error:
        raise InvalidCampaign(error.detail, [*error.mistakes, *of_schedule]) from None
    if of_schedule:
        raise InvalidCampaign(of_schedule[0].message, of_schedule)
    return templates
