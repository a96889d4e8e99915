"""Admission: only rows that the ledger has just granted reach the SendEmail actor.

One Lua call checks the campaign's state, the circuit breakers and the rate, and claims each granted row. Admission
requeues the other rows, which costs no retry. The message that reaches the actor carries only the granted rows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import uuid4

import dramatiq
import structlog
from dramatiq.middleware import MiddlewareError, SkipMessage
from redis import RedisError

from broker import dramatiq_private
from campaigns.db import refusals, retrying
from campaigns.ledger import COMPLETED, NO_ACCOUNT, Grant, Ledger, requeued_entry
from campaigns.messages import SEND_EMAIL
from lists.recipient import Recipient

log = structlog.get_logger(__name__)

#: The option of a message in process that holds the claim id of its rows.
CLAIM_ID: Final = "claim"
#: The option that names the account through which its rows go.
ACCOUNT: Final = "account"


class Requeued(SkipMessage):
    """No row of the batch was granted: all rows were requeued, or are final (a suppressed row is)."""


class NotAdmitted(MiddlewareError):
    """Admission is unavailable. Dramatiq re-raises only this class; after any other exception the actor would run."""


class Admission(dramatiq.Middleware):
    """Calls the ledger before each SendEmail message. If that fails, nothing is sent.

    Args:
        worker_id: identifies this process in its claims.
        stopping: set when the worker shuts down.
    """

    def __init__(self, ledger: Ledger, worker_id: str, stopping: threading.Event) -> None:
        self._ledger = ledger
        self._worker_id = worker_id
        self._stopping = stopping

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        if message.actor_name != SEND_EMAIL:
            return
        try:
            self._admit(message)
        except MiddlewareError:
            raise
        except Exception as error:
            raise NotAdmitted(f"{type(error).__name__}: {error}") from error

    def _admit(self, message: dramatiq.MessageProxy) -> None:
        campaign_id, list_version, recipients = message.args
        claim_id = uuid4().hex[:8]
        grant = self._ask(campaign_id, list_version, message.message_id, recipients, claim_id)
        if grant.suppressed:
            log.info("rows_suppressed", campaign_id=campaign_id, count=len(grant.suppressed))
        if grant.verdict == COMPLETED:
            log.info("campaign_completed", campaign_id=campaign_id)
        if grant.verdict == NO_ACCOUNT:
            log.error("account_unknown", campaign_id=campaign_id, account=grant.account)
        if grant.denied or grant.held:
            self._put_back(message, grant)
        if not grant.granted:
            raise Requeued
        if len(grant.granted) < len(recipients):
            # By row: a batch may carry a row twice, if two copies of a message were requeued.
            granted = {recipient.row: recipient for recipient in recipients if recipient.row in grant.granted}
            carry_only(message, list(granted.values()))
        dramatiq_private.set_option(message, CLAIM_ID, claim_id)
        dramatiq_private.set_option(message, ACCOUNT, grant.account)

    def _ask(
        self, campaign_id: str, list_version: str, batch_id: str, recipients: Sequence[Recipient], claim_id: str
    ) -> Grant:
        """Ask the ledger for a grant. While Redis is unavailable, this thread waits and nothing is sent."""

        def admit() -> Grant:
            return self._ledger.admit(
                campaign_id, list_version, batch_id, self._worker_id, recipients, claim_id=claim_id
            )

        def failed(error: RedisError) -> None:
            if refusals.is_of_one_campaign(error):
                self._stand_aside(campaign_id, list_version, error)
                raise Requeued from error
            log.error("admission_unavailable", error=type(error).__name__, reason=refusals.words(error))

        return retrying.until_answered(admit, self._stopping, failed)

    def _stand_aside(self, campaign_id: str, list_version: str, error: RedisError) -> None:
        """Pause a campaign whose keys Redis refuses, with the reason, so that it blocks no thread.

        Its rows are in the ledger; Reconcile requeues those that this message carried.
        """
        log.error("campaign_refused", campaign_id=campaign_id, reason=refusals.words(error))
        with suppress(RedisError):
            self._ledger.halt(campaign_id, list_version, refusals.of_one_campaign(error))

    def _put_back(self, message: dramatiq.MessageProxy, grant: Grant) -> None:
        """Requeue the rows that were not granted.

        If Redis is unavailable, granted rows do not wait for this: Reconcile finds the others later.
        """

        def failed(error: RedisError) -> None:
            log.error("requeueing_delayed", error=type(error).__name__, reason=refusals.words(error))
            if grant.granted or refusals.is_of_one_campaign(error):
                raise error

        with suppress(RedisError):
            retrying.until_answered(lambda: self._requeue(message, grant), self._stopping, failed)

    def _requeue(self, message: dramatiq.MessageProxy, grant: Grant) -> None:
        campaign_id, list_version, recipients = message.args
        retries = message.options.get("retries", 0)
        once = {recipient.row: recipient for recipient in recipients}.values()
        entries = {recipient.row: requeued_entry(retries, recipient) for recipient in once}
        self._ledger.requeue(
            campaign_id,
            list_version,
            message.message_id,
            [entries[recipient.row] for recipient in once if recipient.row in grant.denied],
            [(recipient.domain, entries[recipient.row]) for recipient in once if recipient.row in grant.held],
            partly_admitted=bool(grant.granted),
        )
        log.debug(
            "batch_requeued",
            verdict=grant.verdict,
            granted=len(grant.granted),
            denied=len(grant.denied),
            held=len(grant.held),
        )


def carry_only(message: dramatiq.MessageProxy, recipients: Sequence[Recipient]) -> None:
    """Make a message in process carry only these recipients, for the actor and for a retry.

    The copy of the message in Redis does not change.
    """
    campaign_id, list_version, _ = message.args
    dramatiq_private.set_arguments(message, campaign_id, list_version, list(recipients))
