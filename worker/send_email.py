"""SendEmail: sends to an admitted batch of recipients, and settles each of them before the message ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

import dramatiq
import structlog
from dramatiq.middleware import CurrentMessage

from campaigns.account_table import DEFAULT
from campaigns.catalog import Catalog
from campaigns.ledger import Ledger
from campaigns.messages import QUEUES, SEND_EMAIL
from campaigns.settler import Settler
from consent.recipient_links import RecipientLinks
from lists.recipient import Recipient
from mail.providers import Provider
from middleware.admission import ACCOUNT, CLAIM_ID
from middleware.batches import MayBeTriedAgain
from worker.attached_files import AttachedFiles
from worker.delivery import Batch, Delivery
from worker.send_log import SendLog

log = structlog.get_logger(__name__)


class SendEmail:
    """The actor. Create one per process.

    Args:
        accounts: the provider of each account, by the account's name.
        worker_id: identifies this process in its claims.
        stopping: set when the worker shuts down.
        files: the files that emails carry.
        links: makes the unsubscribe links; None: SECRET_KEY is not set.
    """

    def __init__(
        self,
        ledger: Ledger,
        catalog: Catalog,
        accounts: Mapping[str, Provider],
        worker_id: str,
        stopping: threading.Event,
        *,
        files: AttachedFiles | None = None,
        links: RecipientLinks | None = None,
    ) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._accounts = accounts
        self._worker_id = worker_id
        self._stopping = stopping
        self._files = files
        self._links = links
        self._deliveries: Mapping[str, Delivery] = {}

    def declare(self, broker: dramatiq.Broker) -> None:
        """Register the actor with the broker."""
        dramatiq.actor(broker=broker, actor_name=SEND_EMAIL, queue_name=QUEUES[SEND_EMAIL], priority=20)(self.perform)

    async def perform(self, campaign_id: str, list_version: str, recipients: Sequence[Recipient]) -> None:
        """Send a batch.

        Args:
            campaign_id: the campaign.
            list_version: the version of the list that the rows belong to.
            recipients: the recipients that admission has granted.

        Raises:
            MayBeTriedAgain: some rows failed with a temporary error.
        """
        message = CurrentMessage.get_current_message()
        options = message.options if message else {}
        account = options.get(ACCOUNT, DEFAULT)
        batch = Batch(
            campaign_id, list_version, options.get("retries", 0), recipients, options.get(CLAIM_ID, ""), account
        )
        if not self._deliveries:  # the first batch builds them, inside the event loop that all batches share
            self._deliveries = self._made_here()
        retried = await self._deliveries[account].deliver(batch)
        if retried:
            raise MayBeTriedAgain(retried)

    def _made_here(self) -> Mapping[str, Delivery]:
        """Build the delivery of each account. They belong to the running event loop, and share one settler."""
        loop = asyncio.get_running_loop()
        sends = SendLog(self._stopping)

        def completed(campaign_id: str) -> None:
            sends.summarize(campaign_id)
            log.info("campaign_completed", campaign_id=campaign_id)

        settler = Settler(self._ledger, self._worker_id, loop, self._stopping, completed=completed, log=sends.add)
        return {
            name: Delivery(self._catalog, provider, settler, self._files, self._links)
            for name, provider in self._accounts.items()
        }
