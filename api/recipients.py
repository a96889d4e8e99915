"""`recipients.csv`: every row of the list with its state, streamed; memory holds one slice at a time.

Rows come from the list, slice by slice; their states from the ledger; rejected rows from the parser's report. Each
slice shows the states at the moment when it is read.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import components
from api.components import Components
from api.http import inputs
from api.http.errors import invalid
from campaigns import keys
from campaigns.errors import WrongState
from campaigns.models import Campaign, RowState, Status
from lists.addresses import address
from lists.cells import guarded
from lists.index import Slice
from lists.scan import read_slice

#: row, email, state, reason
Row = tuple[int, str, RowState, str]

HEADER: Final = ("row", "email", "state", "reason")
#: The number of rows of the parser's report per chunk of the response.
REPORT_ROWS: Final = 1000

#: The states for which the ledger may have a reason. A retried row has the reason of its last failure. A row that is
#: done has a reason if the provider accepted its email and reported later that it dropped it.
_HAVE_REASONS: Final = frozenset({RowState.FAILED, RowState.UNKNOWN, RowState.PENDING})

_ALL: Final = "all"
#: The query of the export, as JSON schemas.
QUERY: Final = {"state": {"type": "string", "enum": [*RowState, _ALL], "default": _ALL}}
_MEDIA_TYPE: Final = "text/csv; charset=utf-8"


def export(request: Request) -> Response:
    """The recipients in one state, or all rows, in row order."""
    parts, wanted = components.of(request), _wanted(request)
    campaign = parts.catalog.get(inputs.campaign_id(request))
    check_parsed(campaign)
    headers = {"Content-Disposition": f'attachment; filename="{campaign.id}-recipients.csv"'}
    if request.method == "HEAD":
        return Response(None, HTTPStatus.OK, headers, media_type=_MEDIA_TYPE)
    parts.store.ping()  # an unavailable store is a 503 now; later it would be a broken download
    return StreamingResponse(_chunks(Export(parts, campaign), wanted), headers=headers, media_type=_MEDIA_TYPE)


def _wanted(request: Request) -> frozenset[RowState]:
    state = request.query_params.get("state", _ALL)
    if state == _ALL:
        return frozenset(RowState)
    try:
        return frozenset({RowState(state)})
    except ValueError:
        raise invalid(f"state: {state[:50]!r} is unknown; use {', '.join(RowState)} or {_ALL}.") from None


def check_parsed(campaign: Campaign) -> None:
    """Raise an error if the campaign has no parsed list."""
    never = campaign.status is Status.CANCELLED and campaign.slices == 0
    if never or campaign.status in {Status.DRAFT, Status.PARSING, Status.REJECTED}:
        raise WrongState(campaign.status, "the campaign has no parsed list yet; upload one, or wait until it is parsed")


def _chunks(export: Export, wanted: frozenset[RowState]) -> Iterator[bytes]:
    yield f"{','.join(HEADER)}\r\n".encode()
    for rows in export.only_rejected() if wanted == {RowState.REJECTED} else export.slices(wanted):
        yield _csv((row, guarded(email), state.value, guarded(reason)) for row, email, state, reason in rows)


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


class Export:
    """Reads the rows of one campaign's list."""

    def __init__(self, parts: Components, campaign: Campaign) -> None:
        self._store = parts.store
        self._ledger = parts.ledger
        self._campaign = campaign
        self._dialect = campaign.dialect

    def only_rejected(self) -> Iterator[list[Row]]:
        """The rejected rows, `REPORT_ROWS` at a time."""
        report = self.report()
        while rows := list(islice(report, REPORT_ROWS)):
            yield rows

    def slices(self, wanted: frozenset[RowState]) -> Iterator[list[Row]]:
        """The rows in these states, slice by slice. A slice without a wanted recipient is not read from the store."""
        rejections = self.report() if RowState.REJECTED in wanted else iter(())
        rejection = next(rejections, None)
        index = self._ledger.index(self._campaign)
        for number in range(len(index)):
            part = index[number]
            rows = list(self._recipients(part, wanted))
            while rejection is not None and rejection[0] < part.first_row + part.rows:
                rows.append(rejection)
                rejection = next(rejections, None)
            if rows:
                yield sorted(rows)

    def _recipients(self, part: Slice, wanted: frozenset[RowState]) -> Iterator[Row]:
        states = self._ledger.states(self._campaign.id, part.first_row, part.rows, self._campaign.list_version)
        rows = {
            part.first_row + place: state
            for place, state in enumerate(states)
            if state in wanted and state is not RowState.REJECTED
        }
        if not rows:
            return  # a slice without readable rows may be of any size: never read it
        with_reason = [row for row, state in rows.items() if state in _HAVE_REASONS]
        reasons = self._ledger.reasons(self._campaign.id, with_reason)
        reasons |= self._ledger.drops(self._campaign.id, [row for row, state in rows.items() if state is RowState.DONE])
        data = self._store.read(self._campaign.list_key, part.offset, part.end)
        for row, cells in read_slice(data, self._dialect, part.first_row):
            if row in rows and cells is not None:
                raw = cells[self._campaign.email_index]
                yield row, address(raw) or raw.strip(), rows[row], reasons.get(row, "")

    def report(self) -> Iterator[Row]:
        """The rejected rows, as the parser reported them, in row order."""
        chunks = self._store.stream(keys.rejected_report(self._campaign.id, self._campaign.list_version))
        records = csv.reader(_lines(codecs.iterdecode(chunks, "utf-8")))
        next(records, None)
        for row, email, reason in records:
            yield int(row), email, RowState.REJECTED, reason


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Split the text after each line feed, as `csv.reader` needs it, wherever its pieces were cut."""
    rest = ""
    for text in texts:
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield f"{line}\n"
    if rest:
        yield rest
