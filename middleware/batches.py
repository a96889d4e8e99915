"""Records in the ledger when Dramatiq ends, retries or dead-letters a SendEmail message.

The ledger calls such a message a batch. A message whose batch is closed has no effect, however often it is delivered.
"""

from __future__ import annotations

from typing import Any, Final

import dramatiq
import structlog

from campaigns.ledger import Ledger
from campaigns.messages import SEND_EMAIL
from middleware.admission import carry_only

log = structlog.get_logger(__name__)

#: The reason of a dead letter's rows that have no reason from their last attempt.
EXHAUSTED: Final = "all attempts failed"


class MayBeTriedAgain(dramatiq.errors.Retry):
    """Some rows of a batch failed with a temporary error. Dramatiq retries them after its backoff, as another attempt.

    Args:
        rows: the numbers of these rows.
    """

    def __init__(self, rows: frozenset[int]) -> None:
        super().__init__(f"{len(rows)} rows may be tried again")
        self.rows = rows


class Batches(dramatiq.Middleware):
    """Stands after `Retries` in the list of middleware, so that its `after` hooks run before those of `Retries`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if message.actor_name != SEND_EMAIL:
            return
        if isinstance(exception, MayBeTriedAgain):
            carry_only(message, [recipient for recipient in message.args[2] if recipient.row in exception.rows])
        elif exception is None:
            self._ledger.close_batch(message.args[0], message.message_id)

    def after_enqueue(self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int | None) -> None:
        if message.actor_name == SEND_EMAIL and delay is not None:
            rows = [recipient.row for recipient in message.args[2]]
            self._ledger.touch_batch(message.args[0], message.message_id, delay, rows)

    def after_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        if message.actor_name != SEND_EMAIL:
            return
        campaign_id, list_version, recipients = message.args
        rows = [recipient.row for recipient in recipients]
        count = self._ledger.record_dead_letter(campaign_id, list_version, message.message_id, EXHAUSTED, rows)
        log.warning(
            "batch_dead_lettered", campaign_id=campaign_id, message_id=message.message_id, rows=rows, recorded=count
        )
