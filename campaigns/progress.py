"""The status report of a campaign. One script reads all its figures in one step, so that they are consistent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec
from redis import Redis, RedisError

from campaigns import keys, schedule
from campaigns.account_table import AccountTable
from campaigns.catalog import iso
from campaigns.db.scripts import Scripts
from campaigns.db.server import Writing
from campaigns.errors import UnknownCampaign
from campaigns.models import CHANGEABLE, WITHOUT_LIST, ParseProgress, Status, StatusReport
from lists.list_facts import ListFacts

#: The greatest age of a cached check that Redis accepts writes, in s.
REFUSAL_S: Final = 1.0


#: The code of the warning that the HTML shows a file that is not attached, as `acceptance.lua` has it.
MISSING_ATTACHMENT: Final = "missing_attachment"


class Progress:
    """Reports the status of campaigns. It only reads, so it works while Redis accepts no writes.

    Args:
        redis: a client without response decoding.
        accounts: the provider accounts. If the circuit breaker of its account is open, that is the reason of a running
            campaign.
        writing: checks whether Redis accepts writes, for campaigns that run or are being parsed; None: no check.
    """

    def __init__(self, redis: Redis, accounts: AccountTable, writing: Writing | None = None) -> None:
        self._writing = writing
        self._scripts = Scripts(redis)
        self._accounts = accounts

    def report(self, campaign_id: str) -> StatusReport:
        """The status of a campaign: `done + failed + pending = total`.

        Raises:
            UnknownCampaign
        """
        [found] = self.reports([campaign_id])
        if found is None:
            raise UnknownCampaign
        return found

    def reports(self, campaign_ids: Sequence[str]) -> list[StatusReport | None]:
        """The status of each of these campaigns, in one round trip; None for a campaign that does not exist.

        Raises:
            redis.RedisError
        """
        answers = self._scripts.read_each(
            "status", [(_keys(campaign_id), self._accounts.arguments) for campaign_id in campaign_ids]
        )
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        found = [_report(answer) if answer else None for answer in answers]
        return [report and self._explained(report) for report in found]

    def _explained(self, report: StatusReport) -> StatusReport:
        """Add the reason to a running or parsing campaign's report if Redis refuses writes."""
        if self._writing is None or report.status not in {Status.RUNNING, Status.PARSING}:
            return report
        with suppress(RedisError):  # Redis failed just now; the next report raises the error
            if words := self._writing.refusal(REFUSAL_S):
                return msgspec.structs.replace(report, reason=f"Redis refuses to write: {words}")
        return report


def _keys(campaign_id: str) -> dict[str, str]:
    own = keys.named(campaign_id, "campaign progress in_flight unknown window attachments")
    return {**own, "own_breaker": keys.of(campaign_id, "breaker")}


def _report(found: Sequence[Any]) -> StatusReport:
    """The response of `status.lua` as a report."""
    status, tpm, reason, started_at, finished_at, size = (value.decode() for value in found[:6])
    total, done, failed, rejected, retries, parsed_bytes, parsed_rows = (int(value) for value in found[6:13])
    in_flight, unknown, last_minute, limit_now = found[13:17]
    delivered, bounced, complained, unsubscribed, dropped, excluded = (int(value) for value in found[17:23])
    opened, opened_by_machines, clicked = (int(value) for value in found[23:26])
    list_facts, *unaccepted = found[26:30]
    codes = [code for stored in unaccepted for code in _codes(stored)]
    if found[30]:
        codes.append(MISSING_ATTACHMENT)
    start_at, windows, now_ms = found[31].decode(), found[32].decode(), int(found[33])
    facts = msgspec.json.decode(list_facts, type=ListFacts) if list_facts else None
    pending = total - done - failed
    parsed = ParseProgress(bytes=parsed_bytes, size=int(size), rows=parsed_rows) if status == Status.PARSING else None
    return StatusReport(
        done=done,
        failed=failed,
        pending=pending,
        rate_limit=int(tpm),
        limit_now=limit_now,
        status=Status(status),
        total=total,
        rejected=rejected,
        unknown=unknown,
        in_flight=in_flight,
        retries=retries,
        sent_last_minute=last_minute,
        eta_s=_eta_s(status, pending - unknown, _Pace(limit_now, last_minute, started_at, windows, now_ms)),
        start_at=iso(start_at),
        window_opens_at=_window_opens_at(status, windows, now_ms),
        reason=reason or None,
        started_at=iso(started_at),
        finished_at=iso(finished_at),
        delivered=delivered,
        bounced=bounced,
        dropped=dropped,
        complained=complained,
        unsubscribed=unsubscribed,
        opened=opened,
        opened_by_machines=opened_by_machines,
        clicked=clicked,
        changeable=status in CHANGEABLE,
        has_list=status not in WITHOUT_LIST,
        parsed=parsed,
        excluded=excluded,
        format=facts.format if facts else None,
        encoding=facts.encoding if facts else None,
        encoding_confidence=facts.encoding_confidence if facts else None,
        delimiter=facts.delimiter if facts else None,
        email_column=facts.email_column if facts else None,
        samples=facts.samples if facts else [],
        reasons=facts.reasons if facts else {},
        warnings=facts.warnings if facts else [],
        unaccepted=codes,
    )


def _codes(stored: bytes) -> list[str]:
    return msgspec.json.decode(stored, type=list[str]) if stored else []


def _window_opens_at(status: str, windows: str, now_ms: int) -> str | None:
    """When the next sending window opens, if the campaign has windows, is not over, and is outside of them now."""
    if not windows or status in {Status.COMPLETED, Status.CANCELLED}:
        return None
    opens_ms = schedule.opens_ms(windows, now_ms)
    return iso(str(opens_ms)) if opens_ms > now_ms else None


class _Pace(NamedTuple):
    """How fast a campaign sends. `limit`, `last_minute`: in emails per minute; `windows`: a `schedule.spec`."""

    limit: int
    last_minute: int
    started_at: str
    windows: str
    now_ms: int


def _eta_s(status: str, left: int, pace: _Pace) -> int | None:
    """Time to send the rest at the rate of the last minute, or at the limit if nothing was sent yet, in s.

    Outside its sending windows, a campaign sends at its limit once they open. None if the campaign does not run, or
    takes longer than a quarter of a year.
    """
    if status != Status.RUNNING:
        return None
    running_s = max(1.0, min(60.0, time.time() - int(pace.started_at or 0) / 1000))
    per_minute = min(pace.limit, pace.last_minute * 60 / running_s) if pace.last_minute else pace.limit
    if not pace.windows:
        return round(left * 60 / per_minute)
    if schedule.opens_ms(pace.windows, pace.now_ms) > pace.now_ms:
        per_minute = pace.limit
    found = schedule.eta_ms(pace.windows, pace.now_ms, round(left * 60_000 / per_minute))
    return None if found is None else round(found / 1000)
