"""`DELETE /recipients?email=`: erases one address everywhere but on the suppression list, where its hash stays.

The address goes onto the suppression list first, so that no email to it is admitted any more while the rest is done.
Then, campaign by campaign: its rows fail for the reason `erased`; the stored list is overwritten in place, so that all
other rows keep their bytes and their slices; the report of rejected rows is written anew; an original that was
converted is deleted, and so are emails in the outbox.

A request works for a bounded time. What it has done is kept, and the same request again does the rest.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, cast

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http.errors import Problem, invalid
from api.http.responses import json_response
from api.list_search import ListSearch
from api.recipients import Export
from campaigns import keys
from campaigns.erasure import Erasure, ErasureLease
from campaigns.errors import Superseded, UnknownCampaign
from campaigns.models import Campaign, Status
from consent.records import Reason
from lists import addresses, erasing
from lists.address_search import candidates
from storage import MissingObject, ShortObject

log = structlog.get_logger(__name__)

#: After this time, in s, no other campaign is begun. One that is under way is finished, whatever its size.
ERASE_S: Final = 60.0
#: The note of the entry on the suppression list.
NOTE: Final = "erased"
QUERY: Final = {"email": {"type": "string", "maxLength": 1_000}}

#: How long to wait until rows that are in flight have an end, in s.
_BUSY_S: Final = {"Retry-After": "60"}
_AT_ONCE: Final = {"Retry-After": "1"}
_SEARCH_S: Final = 24 * 3600.0
#: How formats begin in which an address cannot be found: zip (XLSX and ODS too) and gzip.
_PACKED: Final = (b"PK", b"\x1f\x8b")


class ErasureResponse(msgspec.Struct, frozen=True):
    """`campaigns`: the number of campaigns whose lists had the address."""

    campaigns: int


def erase(request: Request) -> Response:
    """Erase an address. Again is fine."""
    folded = folded_email(request)
    parts = components.of(request)
    lease = ErasureLease(parts.redis)
    if not lease.hold():
        detail = "Another address is being erased at the moment: send the request again in a minute."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, _BUSY_S)
    try:
        count = _Run(parts, folded, lease).run()
    finally:
        lease.release()
    log.info("address_erased", campaigns=count)
    return json_response(ErasureResponse(count))


def folded_email(request: Request) -> str:
    """The address in the query, in its folded form.

    Raises:
        Problem: 422: there is none.
    """
    email = request.query_params.get("email", "")
    if not email:
        raise invalid("email is missing: name the address with ?email=ann@example.com.")
    [folded] = addresses.folded([email])
    if folded is None:
        raise invalid(f"{email[:100]!r} is no email address; expected one like ann@example.com.")
    return folded


class _Run:
    """One request's part of an erasure."""

    def __init__(self, parts: Components, folded: str, lease: ErasureLease) -> None:
        self._parts = parts
        self._folded = folded
        self._lease = lease
        self._erasure = Erasure(parts.redis)
        self._ends_at = time.monotonic() + ERASE_S

    def run(self) -> int:
        """Erase; return the number of campaigns that had the address.

        Raises:
            Problem: 503: something is left to do.
        """
        suppressions = self._parts.suppressions
        suppressions.add([self._folded], Reason.MANUAL, NOTE)
        [address_hash] = suppressions.hashes([self._folded])
        done = self._erasure.progress(address_hash)
        busy = 0
        begun = len(done)
        for campaign_id in (ids := self._parts.catalog.all_ids()):
            if time.monotonic() > self._ends_at and len(done) > begun:
                detail = f"{len(done)} of {len(ids)} campaigns are done: send the same request again to go on."
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, _AT_ONCE)
            self._hold()
            try:
                campaign = self._parts.catalog.get(campaign_id)
                field = f"{campaign_id}/{campaign.list_version}"
                if field not in done:
                    done[field] = self._in_campaign(campaign)
                    self._erasure.note_progress(address_hash, field, found=done[field])
            except UnknownCampaign:
                continue
            except (_Busy, Superseded):
                busy += 1
        if busy:
            detail = (
                f"All is erased but in {busy} campaigns, whose lists are being parsed or whose email to the address is "
                "in flight: send the same request again in a minute."
            )
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, _BUSY_S)
        self._erasure.messages(self._folded)
        suppressions.erase(self._folded)
        count = sum(done.values())
        self._parts.history.note("address_erased", details={"campaigns": count})
        self._erasure.end(address_hash)
        return count

    def _hold(self) -> None:
        if not self._lease.hold():
            detail = "The erasure was held up for too long: send the same request again to go on."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, _AT_ONCE)

    def _in_campaign(self, campaign: Campaign) -> bool:
        """Erase the address from one campaign; return whether it had it.

        Raises:
            _Busy: a row is in flight, or the list is being parsed.
        """
        if campaign.status is Status.PARSING:
            raise _Busy
        self._remove_tests(campaign.id)
        if not campaign.slices:
            return bool(campaign.object_key) and self._in_unusable(campaign)
        spans, rows = self._found(campaign)
        if not spans:
            return False
        if self._erasure.rows(campaign.id, campaign.list_version, rows).in_flight:
            raise _Busy
        self._erasure.waiting(campaign.id, self._folded, rows)
        self._erasure.samples(campaign.id, self._folded, frozenset(rows))
        self._remove_files(campaign.id, rows)
        self._rewrite_report(campaign, frozenset(rows))
        if campaign.object_key != campaign.list_key:
            self._parts.store.delete([campaign.object_key])
        # The list comes last: it tells the next request, if this one breaks off, which rows there are.
        self._overwrite(campaign, spans)
        self._erasure.waiting(campaign.id, self._folded, rows)  # what was read from the list before
        return True

    def _found(self, campaign: Campaign) -> tuple[list[erasing.Span], list[int]]:
        """The bytes of the list to overwrite, and the rows of the address."""
        spans: list[erasing.Span] = []
        rows: list[int] = []
        for part in ListSearch(self._parts, campaign, self._folded, self._hold, _SEARCH_S).slices():
            data = self._parts.store.read(campaign.list_key, part.offset, part.end)
            try:
                found = erasing.in_slice(data, campaign.dialect, part.first_row, self._folded)
            except ValueError:
                detail = f"The list of the campaign {campaign.id} is not in UTF-8, as an early version stored it: "
                raise Problem(HTTPStatus.CONFLICT, detail + "delete that campaign, then erase again.") from None
            spans += [(part.offset + start, part.offset + end) for start, end in found.spans]
            rows += found.rows
        return spans, rows

    def _overwrite(self, campaign: Campaign, spans: list[erasing.Span]) -> None:
        store, key = self._parts.store, campaign.list_key
        data = erasing.filled(store.stream(key), spans)
        store.put_file(key, cast("IO[bytes]", _Body(data, campaign.list_size)), on_progress=self._hold)

    def _rewrite_report(self, campaign: Campaign, rows: frozenset[int]) -> None:
        """Write the report of rejected rows anew without the address, if it has it."""
        store, key = self._parts.store, keys.rejected_report(campaign.id, campaign.list_version)
        try:
            if next(candidates(store.stream(key), self._folded), None) is None:
                return
            with TemporaryFile() as file:
                self._write_report(file, campaign, rows)
                file.seek(0)
                store.put_file(key, file)
        except MissingObject:
            return

    def _write_report(self, file: io.BufferedRandom, campaign: Campaign, rows: frozenset[int]) -> None:
        mentions = erasing.mentions(self._folded)
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        text.write("row,email,reason\n")
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row, email, _state, reason in Export(self._parts, campaign).report():
            is_hers = row in rows or mentions.search(email.encode())
            writer.writerow((row, "" if is_hers else email, reason))
        text.flush()
        text.detach()

    def _in_unusable(self, campaign: Campaign) -> bool:
        """Delete an upload that could not be parsed, if it has the address or cannot be searched for it."""
        store, key = self._parts.store, campaign.object_key
        try:
            stream = store.stream(key)
            first = next(stream, b"")
            packed = first.startswith(_PACKED) or b"\0" in first[:64]
            found = packed or any(True for _ in candidates(_chain(first, stream), self._folded))
        except MissingObject:
            return False
        if found:
            store.delete([key])
        return found and not packed

    def _remove_files(self, campaign_id: str, rows: Iterable[int]) -> None:
        """Delete the emails of the rows in the local outbox, if this machine has it."""
        folder = Path(self._parts.settings.outbox_dir) / campaign_id
        for row in rows:
            (folder / f"{row}.eml").unlink(missing_ok=True)

    def _remove_tests(self, campaign_id: str) -> None:
        """Delete the test emails to the address in the local outbox."""
        mentions = erasing.mentions(self._folded)
        for file in (Path(self._parts.settings.outbox_dir) / "_test" / campaign_id).glob("*.eml"):
            if mentions.search(file.read_bytes()):
                file.unlink(missing_ok=True)


class _Busy(Exception):
    """The campaign cannot be finished at the moment."""


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class _Body(io.RawIOBase):
    """Chunks as a file that is read once. It fails if they end before the list does, so that no half list is stored."""

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._left = size
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Never."""
        return False

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; all for a negative size.

        Raises:
            ShortObject: the list has ended too early.
        """
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
            self._left -= len(chunk)
        if self._left > 0 and (size < 0 or len(self._rest) < size):
            raise ShortObject("the list ends before its last slice")
        data = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(data) :]
        return data
