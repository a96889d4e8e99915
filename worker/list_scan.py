"""Read a campaign's list and record the result. Recognising the file and checking its rows is `lists.reading`."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack, suppress
from typing import IO, Final, NamedTuple

import dramatiq
import structlog
from redis import Redis

from campaigns import exclusion, keys
from campaigns.catalog import Catalog, name_columns
from campaigns.errors import ContentChanged, Superseded, UnknownCampaign
from campaigns.judgement import Judgement
from campaigns.list_filters import Suppressions, row_filters
from campaigns.models import Campaign, Content, Status
from campaigns.parsing import Parsing
from lists.address_set import AddressSet
from lists.errors import UnusableList
from lists.reading import ReadList, read_list
from lists.scan_result import ScanResult
from mail.checks import checks_with_list, to_accept
from mail.condition import Condition
from mail.known_list import KnownList
from mail.rendering import Templates
from mail.similar_names import with_suggestions
from storage import MissingObject, ObjectStore, ShortObject, StoreError

log = structlog.get_logger(__name__)

#: Time between two log lines about a long parse, in s.
LOG_EVERY_S: Final = 60.0


#: The campaign's reason while the object store refuses the report of rejected rows.
REPORT_DELAYED: Final = (
    "the list has been read, but the object store does not accept the report of rejected rows at the moment; the "
    "worker retries on its own"
)
#: The same for a list that was converted from another encoding or format.
LIST_DELAYED: Final = (
    "the list has been read and converted, but the object store does not accept it at the moment; the worker retries "
    "on its own"
)
#: Why a list cannot be used if the list of a campaign that it excludes is gone.
LIST_GONE: Final = (
    "exclude: the list of one of these campaigns is no longer in the object store; take that campaign out of `exclude`"
)
#: Wait before the worker sends an object again, in s. It doubles each time, up to the longest wait.
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
#: Time between two checks during a wait whether the parse should still continue, in s.
LOOK_S: Final = 0.5


class _Derived(NamedTuple):
    """An object that the parser makes from a list: its key, and a file with its content."""

    key: str
    file: IO[bytes]


def _judged(campaign: Campaign, result: ScanResult) -> Judgement:
    """What a campaign's content and the scanned list make together."""
    columns, sample = result.dialect.columns, result.kept
    known = KnownList(columns, sample.numbered, sample.empty, sample.recipients)
    found, missing = checks_with_list(campaign.content, known)
    return Judgement(str(campaign.content_version), to_accept(found), with_suggestions(missing, columns))


class ListScan:
    """Parses lists, each time from the start. If a parser is killed, the next one replaces all that it has left.

    Args:
        stopping: set when the worker shuts down.
        waiters: limits how many threads wait for the object store after they have read a list.
        suppressions: the suppression list; None: no address is suppressed.
    """

    def __init__(
        self,
        redis: Redis,
        store: ObjectStore,
        stopping: threading.Event,
        waiters: threading.Semaphore,
        suppressions: Suppressions | None = None,
    ) -> None:
        self._redis = redis
        self._store = store
        self._stopping = stopping
        self._waiters = waiters
        self._suppressions = suppressions

    def run(self, campaign: Campaign) -> None:
        """Parse the campaign's list and record the result.

        Raises:
            Superseded, StoreError, redis.RedisError; dramatiq.errors.Retry: the worker is stopping.
        """
        if not campaign.columns_named:
            name_columns(self._redis, campaign.id, Templates(campaign.content).missing(()))
        with Parsing(self._redis, campaign.id, campaign.list_version) as parsing:
            try:
                self._parse(parsing, campaign)
            except Superseded:
                self._discard(campaign)
                raise

    def _discard(self, campaign: Campaign) -> None:
        """Delete the objects that this parser may have stored, unless another parser of the same list uses them.

        They hold addresses. If the store refuses, the janitor deletes them a day later.
        """
        found = self._redis.hget(keys.campaign(campaign.id), "list_version")
        if found == campaign.list_version.encode():
            return
        version = campaign.id, campaign.list_version
        with suppress(StoreError):
            self._store.delete([keys.rejected_report(*version), keys.converted_list(*version)])

    def _parse(self, parsing: Parsing, campaign: Campaign) -> None:
        started = self._logged_at = time.monotonic()
        found = self._read(parsing, campaign)
        if found is None:
            return
        with found:
            list_key = self._store_converted(parsing, campaign, found)
            report = _Derived(keys.rejected_report(campaign.id, campaign.list_version), found.result.report)
            self._keep(parsing, campaign, found, report, REPORT_DELAYED)
        result = found.result
        status = self._finish(parsing, campaign.id, found, list_key)
        log.info(
            "list_parsed",
            status=status,
            format=found.facts.format,
            encoding=found.facts.encoding,
            rows=result.rows,
            total=result.total,
            rejected=result.rejected,
            excluded=result.excluded,
            duration_s=round(time.monotonic() - started, 2),
        )

    def _finish(self, parsing: Parsing, campaign_id: str, found: ReadList, list_key: str) -> Status:
        """Record the parsed list, checked with the content that the campaign has at this moment.

        Raises:
            Superseded: the list was replaced, or the campaign is gone; nothing is recorded.
        """
        while True:
            try:
                judgement = _judged(Catalog(self._redis, default_tpm=1).get(campaign_id), found.result)
                return parsing.finish(found.result, found.facts, list_key, judgement)
            except ContentChanged:  # a PUT came between these two lines
                self._check(parsing)
            except UnknownCampaign:  # it has been deleted meanwhile
                raise Superseded from None

    def _read(self, parsing: Parsing, campaign: Campaign) -> ReadList | None:
        """Read the list. If it cannot be used, record why and return None."""
        try:
            with AddressSet() as excluded:
                return self._filtered(parsing, campaign, excluded)
        except UnusableList as error:
            parsing.reject(error.detail)
            log.warning("list_rejected", reason=error.detail)
            return None
        except MissingObject:
            parsing.reject("the uploaded file is no longer in the object store; upload it again")
            raise
        except StoreError:
            parsing.report(0, 0, "the object store cannot be read at the moment; the worker retries on its own")
            raise

    def _filtered(self, parsing: Parsing, campaign: Campaign, excluded: AddressSet) -> ReadList:
        content = campaign.content
        self._fill(parsing, content, excluded)
        condition = None if content.condition is None else Condition(content.condition).of
        return read_list(
            self._store.stream(campaign.object_key),
            campaign.options,
            row_filters(content, condition, excluded, self._suppressions, size=campaign.size),
            on_progress=lambda read, rows: self._report(parsing, campaign, read, rows),
        )

    def _fill(self, parsing: Parsing, content: Content, excluded: AddressSet) -> None:
        """Fill the set with the recipients of the campaigns that the content excludes."""
        try:
            exclusion.fill(
                excluded, self._redis, self._store.read, content.excluded_campaigns, lambda: self._check(parsing)
            )
        except (MissingObject, ShortObject) as error:
            raise UnusableList(LIST_GONE) from error

    def _store_converted(self, parsing: Parsing, campaign: Campaign, found: ReadList) -> str:
        """Store a list that was converted. Returns its key, or "" if the uploaded object is read as it is."""
        if found.converted is None:
            return ""
        key = keys.converted_list(campaign.id, campaign.list_version)
        self._keep(parsing, campaign, found, _Derived(key, found.converted), LIST_DELAYED)
        return key

    def _keep(self, parsing: Parsing, campaign: Campaign, found: ReadList, derived: _Derived, reason: str) -> None:
        """Store an object. While the store does not accept it, keep what has been read and retry."""
        wait_s = FIRST_WAIT_S
        with ExitStack() as stack:
            while (error := self._send(parsing, derived)) is not None:
                self._check(parsing)
                parsing.report(campaign.size, found.result.rows, reason)
                log.warning("object_delayed", error=str(error), again_s=wait_s)
                if wait_s == FIRST_WAIT_S:
                    if not self._waiters.acquire(blocking=False):
                        raise error
                    stack.callback(self._waiters.release)
                self._wait(parsing, wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _send(self, parsing: Parsing, derived: _Derived) -> StoreError | None:
        """Send an object once. Returns None if the store has accepted it, else the error."""
        # The store closes the file that it gets, and a retry needs it again: hence a duplicate descriptor.
        with os.fdopen(os.dup(derived.file.fileno()), "rb") as file:
            file.seek(0)
            try:
                self._store.put_file(derived.key, file, on_progress=lambda: self._check(parsing))
            except StoreError as error:
                return error
        return None

    def _wait(self, parsing: Parsing, wait_s: float) -> None:
        end = time.monotonic() + wait_s
        while (left_s := end - time.monotonic()) > 0:
            self._stopping.wait(min(left_s, LOOK_S))
            self._check(parsing)

    def _check(self, parsing: Parsing) -> None:
        """Raise if the worker is stopping or the list has been superseded."""
        if self._stopping.is_set():
            raise dramatiq.errors.Retry("the worker is stopping", delay=0)
        parsing.moved()

    def _report(self, parsing: Parsing, campaign: Campaign, read: int, rows: int) -> None:
        self._check(parsing)
        parsing.report(read, rows)
        if time.monotonic() - self._logged_at > LOG_EVERY_S:
            self._logged_at = time.monotonic()
            log.info("parse_progress", bytes=read, size=campaign.size, rows=rows)
