"""The recipients of other campaigns that a list leaves out: those who are done or pending there. Scans no list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from redis import Redis

from campaigns.account_table import AccountTable
from campaigns.catalog import Catalog
from campaigns.errors import Superseded, UnknownCampaign
from campaigns.ledger import Ledger
from campaigns.models import WITHOUT_LIST, Campaign, RowState, Status
from lists.address_set import AddressSet
from lists.addresses import folded
from lists.errors import UnusableList
from lists.index import Index, Slice
from lists.scan import read_slice

#: Reads the bytes of an object from an offset to another one (exclusive).
ReadRange = Callable[[str, int, int], bytes]

#: The states that exclude a recipient. The provider may have taken the emails of unknown rows, which count as pending.
_EXCLUDE: Final = frozenset({RowState.DONE, RowState.PENDING, RowState.UNKNOWN})
#: The most bytes of a list that one request reads; a slice that is larger is read by one request of its size.
_READ_BYTES: Final = 1024 * 1024


def fill(
    excluded: AddressSet, redis: Redis, read: ReadRange, campaign_ids: Sequence[str], on_slice: Callable[[], None]
) -> None:
    """Add the recipients of campaigns who are done or pending there, and seal the set.

    Args:
        excluded: the set.
        redis: a client without response decoding.
        read: reads from the object store.
        campaign_ids: the campaigns.
        on_slice: called about every 1,000 rows; may raise to stop.

    Raises:
        UnusableList: a campaign does not exist any more, or it has no parsed list.
        StoreError, redis.RedisError
    """
    catalog, ledger = Catalog(redis, default_tpm=1), Ledger(redis, AccountTable.single(""), send_timeout_s=0)
    for campaign_id in campaign_ids:
        campaign = _with_list(catalog, campaign_id)
        try:
            for addresses in _addresses(campaign, ledger, read):
                excluded.add(addresses)
                on_slice()
        except Superseded:
            raise UnusableList(
                f"exclude: the list of the campaign {campaign_id} was replaced meanwhile; upload this one again."
            ) from None
    excluded.seal()


def _with_list(catalog: Catalog, campaign_id: str) -> Campaign:
    try:
        campaign = catalog.get(campaign_id)
    except UnknownCampaign:
        raise UnusableList(
            f"exclude: the campaign {campaign_id} does not exist any more; take it out of `exclude`."
        ) from None
    if campaign.status in WITHOUT_LIST or (campaign.status is Status.CANCELLED and not campaign.slices):
        raise UnusableList(
            f"exclude: the campaign {campaign_id} has no parsed list (it is {campaign.status}); upload this list again "
            "once it has one, or take it out of `exclude`."
        )
    return campaign


def _addresses(campaign: Campaign, ledger: Ledger, read: ReadRange) -> Iterator[list[str]]:
    """The addresses of a campaign's done and pending rows, slice by slice."""
    index = ledger.index(campaign)
    data, read_from, read_to = b"", 0, 0
    for number in range(len(index)):
        part = index[number]
        rows = _wanted(campaign, ledger, part)
        if not rows:
            continue  # a slice without readable rows may be of any size: never read it
        if part.end > read_to:
            read_from, read_to = part.offset, _end_of_read(index, number)
            data = read(campaign.list_key, read_from, read_to)
        yield _in_slice(data[part.offset - read_from : part.end - read_from], campaign, part, rows)


def _wanted(campaign: Campaign, ledger: Ledger, part: Slice) -> set[int]:
    states = ledger.states(campaign.id, part.first_row, part.rows, campaign.list_version)
    return {part.first_row + place for place, state in enumerate(states) if state in _EXCLUDE}


def _end_of_read(index: Index, number: int) -> int:
    """Where a request that begins with this slice ends."""
    first = index[number]
    end = first.end
    for later in range(number + 1, len(index)):
        if index[later].end - first.offset > _READ_BYTES:
            break
        end = index[later].end
    return end


def _in_slice(data: bytes, campaign: Campaign, part: Slice, rows: set[int]) -> list[str]:
    cells = [
        row[campaign.email_index]
        for number, row in read_slice(data, campaign.dialect, part.first_row)
        if row is not None and number in rows
    ]
    return [address for address in folded(cells) if address is not None]
