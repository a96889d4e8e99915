"""The dry run of a list: reads it as the parser does, answers what it would give, and keeps nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import IO, Final

from api import content_review
from api.components import Components
from api.http import errors
from api.http.errors import Problem, invalid
from api.uploads.bodies import DryRunResponse
from campaigns import exclusion
from campaigns.list_filters import row_filters
from campaigns.models import Campaign
from lists.address_set import AddressSet
from lists.errors import UnusableList
from lists.list_options import ListOptions
from lists.reading import ReadList, read_list
from mail.checks import checks_with_list, to_accept
from mail.condition import Condition
from mail.known_list import KnownList

#: The most dry runs at once in one process, and the longest one, in s. A small archive may unpack to a large list.
AT_ONCE: Final = 2
LONGEST_S: Final = 30.0
_CHUNK_BYTES: Final = 1024 * 1024

_slots = threading.BoundedSemaphore(AT_ONCE)


def dry_run(parts: Components, campaign_id: str, file: IO[bytes], options: ListOptions) -> DryRunResponse:
    """What the list would give for this campaign.

    Args:
        parts: the components.
        campaign_id: the campaign.
        file: the list, at position 0.
        options: what the upload says of the list.

    Raises:
        Problem: 422: the list cannot be used, or takes too long; 503: too many dry runs are under way.
        UnknownCampaign: no campaign has this id.
    """
    campaign = parts.catalog.get(campaign_id)
    content = campaign.content
    condition = None if content.condition is None else Condition(content.condition).of
    check = _deadline()
    if not _slots.acquire(blocking=False):
        detail = f"{AT_ONCE} dry runs are under way already; try again in a few seconds."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, errors.TRY_AGAIN)
    try:
        with AddressSet() as excluded:
            exclusion.fill(
                excluded, parts.redis, parts.store.read, content.excluded_campaigns, on_slice=lambda: check(0, 0)
            )
            filters = row_filters(content, condition, excluded, parts.suppressions)
            with read_list(_chunks(file), options, filters, on_progress=check) as found:
                return _answer(found, campaign)
    except UnusableList as error:
        raise invalid(error.detail) from None
    finally:
        _slots.release()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _deadline() -> Callable[[int, int], None]:
    """A function that raises a problem once the dry run has taken too long."""
    end = time.monotonic() + LONGEST_S

    def check(_bytes: int, _rows: int) -> None:
        if time.monotonic() > end:
            raise invalid(f"The dry run of this list takes longer than {LONGEST_S:.0f} s; upload it without dry_run.")

    return check


def _answer(found: ReadList, campaign: Campaign) -> DryRunResponse:
    content, alone = campaign.content, content_review.review(campaign.content, campaign.derived, None)
    facts, result = found.facts, found.result
    sample, columns = result.kept, result.dialect.columns
    warnings, missing = checks_with_list(content, KnownList(columns, sample.numbered, sample.empty, sample.recipients))
    return DryRunResponse(
        format=facts.format,
        encoding=facts.encoding,
        encoding_confidence=facts.encoding_confidence,
        samples=facts.samples,
        delimiter=facts.delimiter,
        columns=columns,
        email_column=facts.email_column,
        rows=result.rows,
        accepted=result.total,
        rejected=result.rejected,
        excluded=result.excluded,
        reasons=facts.reasons,
        sample=result.sample,
        warnings=facts.warnings,
        missing_columns=missing,
        content_warnings=warnings,
        unaccepted=facts.to_accept + to_accept(alone.warnings) + to_accept(warnings),
    )
