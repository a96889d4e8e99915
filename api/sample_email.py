"""One email of a campaign as it would be sent, for a row of the list or for given values. Reads only; sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from api.components import Components
from api.http.errors import Problem, invalid
from campaigns.errors import WrongState
from campaigns.models import Campaign
from lists.addresses import address
from lists.index import Index
from lists.scan import MAX_ROWS, read_slice
from mail.message import Message
from mail.rendering import EMAIL, LinkOf, RenderError, Templates
from mail.similar_names import similar

T = TypeVar("T")

#: The address if the given values contain none.
SAMPLE_ADDRESS: Final = "ann@example.com"
#: The number of emails that a process renders at the same time. Templates may take long to compile.
AT_ONCE: Final = 2

_RENDERING: Final = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sample-email")


class SampleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which email: `row`: of the list, from 1; `columns`: values by template name, without a list.

    With neither, the first row that is a recipient.
    """

    row: Annotated[int, Meta(ge=1, le=MAX_ROWS)] | None = None
    columns: dict[str, str] | None = None


class _Cells(NamedTuple):
    """A row's number (0: none), its address, its columns' names and their values."""

    row: int
    to: str
    columns: Sequence[str]
    values: Sequence[str]


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run a function in one of the few threads for rendering."""
    return await asyncio.get_running_loop().run_in_executor(_RENDERING, function, *args)


def message(
    parts: Components, campaign: Campaign, row: int | None = None, columns: Mapping[str, str] | None = None
) -> Message:
    """Render one email with the templates and the renderer that the workers use. Blocks.

    Args:
        parts: the components.
        campaign: the campaign.
        row: the row's number from 1.
        columns: values by template name.

    Raises:
        Problem: 404: the list has no such recipient; 422: wrong columns, or the templates fail for these values.
        WrongState: there is no list to take a row from.
        StoreError, redis.RedisError
    """
    if row is not None and columns is not None:
        raise invalid("row, columns: give one of the two.")
    templates = Templates(campaign.sent_content)
    cells = _of_list(parts, campaign, row) if columns is None else _given(campaign, templates, columns)
    used = [cells.values[place] for place in templates.fields(cells.columns)]
    try:
        return templates.renderer(campaign.id, cells.columns, _link_of(parts, campaign)).message(
            cells.row, cells.to, used
        )
    except RenderError as error:
        what = f"Row {cells.row}" if cells.row else "The email"
        raise invalid(f"{what} cannot be rendered: {error.reason}.") from None


def _link_of(parts: Components, campaign: Campaign) -> LinkOf | None:
    """Links of the same form as the recipients' own. Opened by mistake, they unsubscribe only the sample address."""
    if not campaign.content.has_links or parts.recipient_links is None:
        return None
    link_of = parts.recipient_links.of(campaign.id)
    return lambda row, _address: link_of(row, SAMPLE_ADDRESS)


def _of_list(parts: Components, campaign: Campaign, row: int | None) -> _Cells:
    """The cells of a row, read from the object store with one ranged request."""
    if not campaign.has_list:
        raise WrongState(campaign.status, "there is no parsed list to take a row from: upload one, or give `columns`")
    index = parts.ledger.index(campaign)
    number = _first_recipient(parts, campaign, index) if row is None else _checked(parts, campaign, index, row)
    part = index[index.slice_of_row(number)]
    data = parts.store.read(campaign.list_key, part.offset, part.end)
    cells = next((cells for at, cells in read_slice(data, campaign.dialect, part.first_row) if at == number), None)
    to = address(cells[campaign.email_index]) if cells is not None else None
    if cells is None or to is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"Row {number} is not a recipient any more: upload the list again.")
    cells[campaign.email_index] = to  # as templates get it
    return _Cells(number, to, campaign.columns, cells)


def _checked(parts: Components, campaign: Campaign, index: Index, row: int) -> int:
    """The row, if it is a recipient."""
    try:
        index.slice_of_row(row)
    except IndexError:
        last = sum(index[len(index) - 1][2:])
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no row {row}: the list has rows 1 to {last - 1:,}.") from None
    if parts.ledger.bits(campaign.id, "rejected", row, 1):
        detail = f"Row {row} is not a recipient: it was rejected (recipients.csv?state=rejected) or excluded."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return row


def _first_recipient(parts: Components, campaign: Campaign, index: Index) -> int:
    for number in range(len(index)):
        part = index[number]
        rejected = parts.ledger.bits(campaign.id, "rejected", part.first_row, part.rows)
        if len(rejected) < part.rows:
            return next(row for row in range(part.first_row, part.first_row + part.rows) if row not in rejected)
    raise Problem(HTTPStatus.NOT_FOUND, "The list has no valid recipient: upload a list with at least one.")


def _given(campaign: Campaign, templates: Templates, columns: Mapping[str, str]) -> _Cells:
    """The cells that a client has given; every name must be a column of the list, or one that the templates use."""
    of_list = [name for name in campaign.columns if name] if campaign.has_list else []
    known = [*dict.fromkeys([*of_list, *sorted(templates.used), EMAIL])]
    if unknown := [name for name in columns if name not in known]:
        raise invalid("columns: " + "; ".join(_unknown(name, known) for name in unknown) + ".")
    if missing := sorted(templates.used.difference(columns, (EMAIL,))):
        raise invalid(f"columns: the templates also use {', '.join(missing)}: give a value for each.")
    written = next((columns[name] for name in (EMAIL, _address_column(campaign)) if name in columns), SAMPLE_ADDRESS)
    to = address(written)
    if to is None:
        raise invalid(f"columns: {written[:100]!r} is not an email address.")
    return _Cells(0, to, tuple(columns), tuple(columns.values()))


def _address_column(campaign: Campaign) -> str:
    """The template name of the list's column of addresses."""
    return campaign.columns[campaign.email_index] if campaign.has_list else EMAIL


def _unknown(name: str, known: Sequence[str]) -> str:
    near = similar(name, known)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known[:10])}"
    return f"there is no column {name[:60]!r}; {hint}"
