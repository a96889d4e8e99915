"""`recipients.csv`: every row of the list and where it stands, streamed in the memory of one slice.

The rows come from the list itself, slice by slice, their states from the ledger, and those that are no recipients from
the report of the parser. States are as of the moment when their slice is read.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import components, inputs
from api.components import Components
from api.errors import invalid
from campaigns import keys
from campaigns.errors import WrongState
from campaigns.models import Campaign, RowState, Status
from campaigns.recipients import Layout, Slice, address, read_slice

#: row, email, state, reason
Row = tuple[int, str, RowState, str]

HEADER: Final = ("row", "email", "state", "reason")
#: A spreadsheet runs a cell that starts with one of these as a formula.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
#: How many rows of the parser's report go into one chunk of the answer.
REPORT_ROWS: Final = 1000

_ALL: Final = "all"
_MEDIA_TYPE: Final = "text/csv; charset=utf-8"


def export(request: Request) -> Response:
    """The recipients in one state, or all rows, in their order."""
    parts, wanted = components.of(request), _wanted(request)
    campaign = parts.catalog.get(inputs.campaign_id(request))
    _check_parsed(campaign)
    headers = {"Content-Disposition": f'attachment; filename="{campaign.id}-recipients.csv"'}
    if request.method == "HEAD":
        return Response(None, HTTPStatus.OK, headers, media_type=_MEDIA_TYPE)
    return StreamingResponse(_chunks(Export(parts, campaign), wanted), headers=headers, media_type=_MEDIA_TYPE)


def _wanted(request: Request) -> frozenset[RowState]:
    state = request.query_params.get("state", _ALL)
    if state == _ALL:
        return frozenset(RowState)
    try:
        return frozenset({RowState(state)})
    except ValueError:
        raise invalid(f"state: expected {', '.join(RowState)} or {_ALL}.") from None


def _check_parsed(campaign: Campaign) -> None:
    never = campaign.status is Status.CANCELLED and campaign.slices == 0
    if never or campaign.status in {Status.DRAFT, Status.PARSING, Status.REJECTED}:
        raise WrongState(campaign.status, "there is no parsed list to show; upload one, or wait until it is parsed")


def _chunks(export: Export, wanted: frozenset[RowState]) -> Iterator[bytes]:
    yield _csv([HEADER])
    for rows in export.only_rejected() if wanted == {RowState.REJECTED} else export.slices(wanted):
        yield _csv((row, guarded(email), state.value, guarded(reason)) for row, email, state, reason in rows)


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


class Export:
    """Reads the rows of one campaign's list."""

    def __init__(self, parts: Components, campaign: Campaign) -> None:
        self._store = parts.store
        self._ledger = parts.ledger
        self._campaign = campaign
        self._layout = Layout(campaign.delimiter, campaign.encoding, campaign.columns, campaign.email_index, 0)

    def only_rejected(self) -> Iterator[list[Row]]:
        """The rows that are no recipients, some at a time."""
        rows: list[Row] = []
        for row, email, reason in self._report():
            rows.append((row, email, RowState.REJECTED, reason))
            if len(rows) == REPORT_ROWS:
                yield rows
                rows = []
        yield rows

    def slices(self, wanted: frozenset[RowState]) -> Iterator[list[Row]]:
        """The rows in these states, slice by slice. A slice without any is not read."""
        rejected = _InStep(self._report() if RowState.REJECTED in wanted else iter(()))
        index = self._ledger.index(self._campaign)
        for number in range(len(index)):
            part = index[number]
            states = self._ledger.states(self._campaign.id, part.first_row, part.rows)
            if not wanted.isdisjoint(states):
                yield list(self._rows(part, states, wanted, rejected.take))

    def _rows(
        self,
        part: Slice,
        states: list[RowState],
        wanted: frozenset[RowState],
        rejection: Callable[[int], tuple[str, str]],
    ) -> Iterator[Row]:
        with_reason = [part.first_row + place for place, state in enumerate(states) if state in _HAVE_REASONS & wanted]
        reasons = self._ledger.reasons(self._campaign.id, with_reason)
        data = self._store.read(self._campaign.object_key, part.offset, part.end)
        for row, cells in read_slice(data, self._layout, part.first_row):
            state = states[row - part.first_row]
            if state not in wanted:
                continue
            if state is RowState.REJECTED or cells is None:
                yield (row, *_with_state(RowState.REJECTED, rejection(row)))
            else:
                raw = cells[self._campaign.email_index]
                yield row, address(raw) or raw.strip(), state, reasons.get(row, "")

    def _report(self) -> Iterator[tuple[int, str, str]]:
        chunks = self._store.stream(keys.rejected_report(self._campaign.id, self._campaign.generation))
        records = csv.reader(_lines(codecs.iterdecode(chunks, "utf-8")))
        next(records, None)
        for row, email, reason in records:
            yield int(row), email, reason


#: The states of which the ledger may know a reason; a row that is tried again has the reason of its last failure.
_HAVE_REASONS: Final = frozenset({RowState.FAILED, RowState.UNKNOWN, RowState.PENDING})


def _with_state(state: RowState, rejection: tuple[str, str]) -> tuple[str, RowState, str]:
    email, reason = rejection
    return email, state, reason


class _InStep:
    """Walks the report along with the list: both are in the order of the rows."""

    def __init__(self, report: Iterator[tuple[int, str, str]]) -> None:
        self._report = report
        self._next = next(report, None)

    def take(self, row: int) -> tuple[str, str]:
        """Address and reason of a rejected row; rows are asked for in ascending order."""
        while self._next is not None and self._next[0] < row:
            self._next = next(self._report, None)
        if self._next is None or self._next[0] != row:
            return "", ""
        return self._next[1], self._next[2]


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Text cut after each line feed: what `csv.reader` wants, however the text arrives."""
    rest = ""
    for text in texts:
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield f"{line}\n"
    if rest:
        yield rest
