"""SendEmail: sends an admitted run of recipients, each one accounted for before the message ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import dramatiq
import structlog
from dramatiq.middleware import CurrentMessage

import broker
import logs
import settings
from actors.delivery import Delivery, Run
from campaigns.catalog import Catalog
from campaigns.messages import QUEUES
from campaigns.settler import Settler
from mail.providers import build
from middleware.admission import NONCE
from middleware.runs import MayBeTriedAgain

log = structlog.get_logger(__name__)


#: Made at the start, so that a key that cannot be one stops it, and no first email waits for the certificates.
_provider: Final = build(settings.current())


@cache
def _delivery() -> Delivery:
    """This process's delivery, made in its event loop when the first run comes."""
    loop = asyncio.get_running_loop()
    settler = Settler(broker.ledger, broker.WORKER_ID, loop, broker.stopping, completed=_completed, log=logs.write)
    return Delivery(Catalog(broker.redis, settings.current().default_tpm), _provider, settler)


def _completed(campaign_id: str) -> None:
    log.info("campaign_completed", campaign_id=campaign_id)


@dramatiq.actor(actor_name="SendEmail", queue_name=QUEUES["SendEmail"], priority=20)
async def send_email(campaign_id: str, generation: str, recipients: Sequence[Sequence[Any]]) -> None:
    """Send a run.

    Args:
        campaign_id: whose run.
        generation: the list that the rows belong to.
        recipients: `[row, address, values]` each; admission has made them the granted ones.

    Raises:
        MayBeTriedAgain: some rows failed in a way that may pass.
    """
    message = CurrentMessage.get_current_message()
    options = message.options if message else {}
    run = Run(campaign_id, generation, options.get("retries", 0), recipients, options.get(NONCE, ""))
    again = await _delivery().deliver(run)
    if again:
        raise MayBeTriedAgain(again)
