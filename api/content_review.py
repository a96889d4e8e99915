"""The findings about a campaign's content, with its list as far as it is parsed. Remembers those of recent contents."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final, NamedTuple

import msgspec

from campaigns.attachments import StoredFile
from campaigns.models import Campaign, Content
from mail import file_checks
from mail.check import Check
from mail.checks import by_level, checks, checks_with_list
from mail.known_list import KnownList

#: The most reviews that a process keeps; each takes a few kB.
KEPT: Final = 256


class Review(NamedTuple):
    """The findings, the gravest first, and the columns that the templates use and the list lacks."""

    warnings: tuple[Check, ...]
    missing_columns: tuple[str, ...]


_reviews: OrderedDict[tuple[bytes, str], Review] = OrderedDict()
_lock: Final = Lock()


def of(campaign: Campaign, files: Sequence[StoredFile]) -> Review:
    """The review of a campaign's content, its parsed list and its attachments."""
    found = review(campaign.content, campaign.derived, campaign)
    of_files = file_checks.files(campaign.content.html, {file.filename: file.content_type for file in files})
    return found._replace(warnings=tuple(by_level([*found.warnings, *of_files])))


def review(content: Content, derived: Content | None, campaign: Campaign | None) -> Review:
    """Review a content that `mail.content` has accepted.

    Args:
        content: what was PUT; the places of the findings are places in it.
        derived: what is sent instead, or None.
        campaign: the campaign with the list, if it is parsed; None: no campaign yet.
    """
    if campaign is None or not campaign.has_list:
        return _remembered(content, derived, None, "")
    sample = campaign.sample
    known = KnownList(campaign.columns, sample.numbered, sample.empty, sample.recipients)
    return _remembered(content, derived, known, f"{campaign.id} {campaign.list_version}")


def _remembered(content: Content, derived: Content | None, known: KnownList | None, of_list: str) -> Review:
    key = hashlib.sha256(msgspec.json.encode((content, derived))).digest(), of_list
    with _lock:
        if key in _reviews:
            _reviews.move_to_end(key)
            return _reviews[key]
    made = _alone(content, derived) if known is None else _with_list(content, derived, known)
    with _lock:
        _reviews[key] = made
        while len(_reviews) > KEPT:
            _reviews.popitem(last=False)
    return made


def _alone(content: Content, derived: Content | None) -> Review:
    found = checks(content)
    if derived is not None and derived.text is not None:
        found = [finding for finding in found if finding.code != "no_text"]
    return Review(tuple(found), ())


def _with_list(content: Content, derived: Content | None, known: KnownList) -> Review:
    alone, both = _remembered(content, derived, None, ""), checks_with_list(content, known)
    return Review(tuple(by_level([*alone.warnings, *both.found])), tuple(both.missing))
