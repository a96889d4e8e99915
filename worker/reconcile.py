"""Reconcile: compares the ledger with its counters and the dead letters, repairs differences, and carries out an
operator's decisions.
"""

from __future__ import annotations

import dramatiq
import structlog
from redis import RedisError

from campaigns import actor
from campaigns.catalog import Catalog
from campaigns.db.retrying import MESSAGE_PAUSE_MAX_MS, MESSAGE_PAUSE_MS
from campaigns.errors import CampaignError
from campaigns.messages import QUEUES, RECONCILE
from campaigns.models import UnknownDecision
from campaigns.progress import Progress
from campaigns.reconciliation import Reconciler

log = structlog.get_logger(__name__)


class Reconcile:
    """The actor."""

    def __init__(self, catalog: Catalog, reconciler: Reconciler, progress: Progress) -> None:
        self._catalog = catalog
        self._reconciler = reconciler
        self._progress = progress

    def declare(self, broker: dramatiq.Broker) -> None:
        """Register the actor with the broker."""
        dramatiq.actor(
            broker=broker,
            actor_name=RECONCILE,
            queue_name=QUEUES[RECONCILE],
            priority=5,
            max_retries=5,
            min_backoff=MESSAGE_PAUSE_MS,
            max_backoff=MESSAGE_PAUSE_MAX_MS,
        )(self.perform)

    def perform(
        self, campaign_id: str, retry_failed: bool = False, unknown: str | None = None, by: str = actor.SYSTEM
    ) -> None:
        """Reconcile a campaign.

        Args:
            campaign_id: the campaign.
            retry_failed: make all failed rows pending again.
            unknown: the decision about all unknown rows: `resend`, `failed` or `done`.
            by: who has decided, for the history.

        Raises:
            Retry: Redis is unavailable.
        """
        reconciler = self._reconciler
        try:
            campaign = self._catalog.get(campaign_id)
            actor.begin(by)
            if unknown is not None:
                log.info(
                    "unknown_decided", decision=unknown, rows=reconciler.decide(campaign, UnknownDecision(unknown))
                )
            if retry_failed:
                log.info("failed_retried", rows=reconciler.retry_failed(campaign))
            actor.begin(actor.SYSTEM)
            report = reconciler.reconcile(campaign)
            status = self._progress.report(campaign_id)
        except CampaignError as error:
            log.warning("reconcile_refused", reason=error.detail)
            return
        except RedisError as error:
            raise dramatiq.errors.Retry(type(error).__name__) from error
        log.log(
            30 if report.found else 20,
            "campaign_reconciled",
            checked=report.checked,
            repaired=report.repaired,
            status=status.status,
            done=status.done,
            failed=status.failed,
            pending=status.pending,
            unknown=status.unknown,
        )
