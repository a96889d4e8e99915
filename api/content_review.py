"""The findings about a campaign's content, with its list as far as it is parsed. Remembers those of recent contents."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Final, NamedTuple

import msgspec

from campaigns.models import WITHOUT_LIST, Campaign, Content
from mail.check import Check, Level
from mail.checks import checks
from mail.rendering import Templates

#: The most reviews that a process keeps; each takes a few kB.
KEPT: Final = 256


class Review(NamedTuple):
    """The findings, the gravest first, and the columns that the templates use and the list lacks."""

    warnings: tuple[Check, ...]
    missing_columns: tuple[str, ...]


_reviews: OrderedDict[tuple[bytes, tuple[str, ...] | None], Review] = OrderedDict()
_lock: Final = Lock()


def of(campaign: Campaign) -> Review:
    """The review of a campaign's content and its parsed list."""
    has_list = campaign.slices > 0 and campaign.status not in WITHOUT_LIST
    return review(campaign.content, campaign.derived, campaign.columns if has_list else None)


def review(content: Content, derived: Content | None, columns: tuple[str, ...] | None) -> Review:
    """Review a content that `mail.content` has accepted.

    Args:
        content: what was PUT; the places of the findings are places in it.
        derived: what is sent instead, or None.
        columns: the list's template names by position; None: no list.
    """
    key = hashlib.sha256(msgspec.json.encode((content, derived))).digest(), columns
    with _lock:
        if key in _reviews:
            _reviews.move_to_end(key)
            return _reviews[key]
    made = _reviewed(content, derived, columns)
    with _lock:
        _reviews[key] = made
        while len(_reviews) > KEPT:
            _reviews.popitem(last=False)
    return made


def _reviewed(content: Content, derived: Content | None, columns: tuple[str, ...] | None) -> Review:
    found = checks(content, columns)
    if derived is not None and derived.text is not None:
        found = [finding for finding in found if finding.code != "no_text"]
    missing = () if columns is None else tuple(Templates(content).missing(columns))
    return Review(tuple(found), missing)


def unaccepted(found: Review) -> list[str]:
    """The codes of the findings that a person must accept before the campaign starts."""
    return sorted({finding.code for finding in found.warnings if finding.level is Level.ACKNOWLEDGE})
