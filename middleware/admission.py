"""Admission: nothing reaches the SendEmail actor that the ledger has not granted at that moment.

One Lua call decides by the campaign's state, the circuit breakers and the rate, and claims each row. Rows that are not
granted are put back at no cost in retries. The message that reaches the actor carries the granted rows alone.
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
from campaigns import refusals, retrying
from campaigns.ledger import Grant, Ledger, requeued_entry
from campaigns.messages import SEND_EMAIL
from lists.recipient import Recipient

log = structlog.get_logger(__name__)

#: The option of a message in process that names the claim of its rows.
CLAIM_ID: Final = "claim"


class Requeued(SkipMessage):
    """No row of the batch was granted: all were put back, or are final."""


class NotAdmitted(MiddlewareError):
    """Admission is unavailable. Dramatiq re-raises this class alone; anything else would let the actor run."""


class Admission(dramatiq.Middleware):
    """Asks the ledger before each SendEmail message; fails closed.

    Args:
        worker_id: names this process in its claims.
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
        if grant.denied or grant.held:
            self._put_back(message, grant)
        if not grant.granted:
            raise Requeued
        if len(grant.granted) < len(recipients):
            granted = [recipient for recipient in recipients if recipient.row in grant.granted]
            carry_only(message, granted)
        dramatiq_private.set_option(message, CLAIM_ID, claim_id)

    def _ask(
        self, campaign_id: str, list_version: str, batch_id: str, recipients: Sequence[Recipient], claim_id: str
    ) -> Grant:
        """The ledger's answer; as long as it cannot be asked, this thread waits and nothing is sent."""

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
        """Redis refuses this campaign, and no other: it is paused with the reason, and holds no thread. Its rows are in
        the ledger; Reconcile puts back what this message carried.
        """
        log.error("campaign_refused", campaign_id=campaign_id, reason=refusals.words(error))
        with suppress(RedisError):
            self._ledger.halt(campaign_id, list_version, refusals.of_one_campaign(error))

    def _put_back(self, message: dramatiq.MessageProxy, grant: Grant) -> None:
        """Requeue what was denied. Rows that were granted do not wait for that while Redis is away: Reconcile finds the
        others.
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
        entries = {recipient.row: requeued_entry(retries, recipient) for recipient in recipients}
        self._ledger.requeue(
            campaign_id,
            list_version,
            message.message_id,
            [entries[recipient.row] for recipient in recipients if recipient.row in grant.denied],
            [(recipient.domain, entries[recipient.row]) for recipient in recipients if recipient.row in grant.held],
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
    """Make a message in process carry these recipients alone, for the actor and for a retry. What Redis holds of it
    stays.
    """
    campaign_id, list_version, _ = message.args
    dramatiq_private.set_arguments(message, campaign_id, list_version, list(recipients))
