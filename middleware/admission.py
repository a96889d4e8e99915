"""Admission: nothing reaches the SendEmail actor that the ledger has not granted at that moment.

State, pause, the provider's block, the rate and the claim of each row are decided by one Lua call. Rows that are not
granted
go back to the campaign's waiting side, at no cost in retries; the message that reaches the actor carries the granted
rows alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import dramatiq
import structlog
from dramatiq.middleware import MiddlewareError, SkipMessage
from redis import RedisError

from broker import dramatiq_private
from campaigns import refusals, retrying
from campaigns.ledger import Grant, Ledger, deferred_entry, domain_of
from campaigns.messages import SEND_EMAIL

log = structlog.get_logger(__name__)

#: The option of a message in process that names the claim of its rows.
NONCE: Final = "claim"


class Deferred(SkipMessage):
    """No row of the run was granted: they are all back on the waiting side, or nobody's any more."""


class NotAdmitted(MiddlewareError):
    """Admission could not be asked for. Dramatiq re-raises this class alone; anything else would let the actor run."""


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
        campaign_id, generation, recipients = message.args
        nonce = uuid4().hex[:8]
        grant = self._ask(campaign_id, generation, message.message_id, recipients, nonce)
        if grant.denied or grant.parked:
            self._put_back(message, grant)
        if not grant.granted:
            raise Deferred
        if len(grant.granted) < len(recipients):
            granted = [recipient for recipient in recipients if recipient[0] in grant.granted]
            carry_only(message, granted)
        dramatiq_private.set_option(message, NONCE, nonce)

    def _ask(
        self, campaign_id: str, generation: str, run_id: str, recipients: Sequence[Sequence[Any]], nonce: str
    ) -> Grant:
        """The ledger's answer; as long as it cannot be asked, this thread waits and nothing is sent."""

        def admit() -> Grant:
            return self._ledger.admit(campaign_id, generation, run_id, self._worker_id, recipients, nonce=nonce)

        def failed(error: RedisError) -> None:
            if refusals.is_of_one_campaign(error):
                self._stand_aside(campaign_id, generation, error)
                raise Deferred from error
            log.error("admission_unavailable", error=type(error).__name__, reason=refusals.words(error))

        return retrying.until_answered(admit, self._stopping, failed)

    def _stand_aside(self, campaign_id: str, generation: str, error: RedisError) -> None:
        """Redis refuses this campaign, and no other: it is paused with the reason, and holds no thread. Its rows are in
        the ledger; Reconcile puts back what this message carried.
        """
        log.error("campaign_refused", campaign_id=campaign_id, reason=refusals.words(error))
        with suppress(RedisError):
            self._ledger.halt(campaign_id, generation, refusals.of_one_campaign(error))

    def _put_back(self, message: dramatiq.MessageProxy, grant: Grant) -> None:
        """Defer what was denied. Rows that were granted do not wait for that while Redis is away: Reconcile finds the
        others.
        """

        def failed(error: RedisError) -> None:
            log.error("deferring_delayed", error=type(error).__name__, reason=refusals.words(error))
            if grant.granted or refusals.is_of_one_campaign(error):
                raise error

        with suppress(RedisError):
            retrying.until_answered(lambda: self._defer(message, grant), self._stopping, failed)

    def _defer(self, message: dramatiq.MessageProxy, grant: Grant) -> None:
        campaign_id, generation, recipients = message.args
        retries = message.options.get("retries", 0)
        entries = {recipient[0]: deferred_entry(retries, recipient) for recipient in recipients}
        self._ledger.defer(
            campaign_id,
            generation,
            message.message_id,
            [entries[recipient[0]] for recipient in recipients if recipient[0] in grant.denied],
            [
                (domain_of(recipient[1]), entries[recipient[0]])
                for recipient in recipients
                if recipient[0] in grant.parked
            ],
            partly_admitted=bool(grant.granted),
        )
        log.debug(
            "run_deferred",
            verdict=grant.verdict,
            granted=len(grant.granted),
            denied=len(grant.denied),
            parked=len(grant.parked),
        )


def carry_only(message: dramatiq.MessageProxy, recipients: Sequence[Sequence[Any]]) -> None:
    """Make a message in process carry these recipients alone, for the actor and for a retry. What Redis holds of it
    stays.
    """
    campaign_id, generation, _ = message.args
    dramatiq_private.set_arguments(message, campaign_id, generation, list(recipients))
