"""The yardstick: what one would write first with Dramatiq and SendGrid's own SDK. `dramatiq bench.plain` runs it.

One message an email, `RedisBroker` as it comes, no ledger, no limit, no templates, no log line an email.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import dramatiq
import msgspec
from dramatiq.brokers.redis import RedisBroker
from redis import Redis
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import CustomArg, Mail

from bench.lists import CONTENT, cells

REDIS_URL: Final = "PLAIN_REDIS_URL"
QUEUE: Final = "plain"
#: Messages that are put on the queue in one round trip.
_BATCH: Final = 500

broker: Final = RedisBroker(url=os.environ.get(REDIS_URL, "redis://127.0.0.1:6379/1"))  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)
_client: Final = SendGridAPIClient(
    os.environ.get("SENDGRID_API_KEY", ""), host=os.environ.get("SENDGRID_API_URL", "http://127.0.0.1:9")
)
_HTML: Final = CONTENT["html"].replace("{{ first_name }}", "{0}").replace("{{ city }}", "{1}")
_TEXT: Final = CONTENT["text"].replace("{{ first_name }}", "{0}").replace("{{ city }}", "{1}")


@dramatiq.actor(queue_name=QUEUE)
def send_plainly(campaign_id: str, row: int, address: str, first_name: str, city: str) -> None:
    """Send one email."""
    mail = Mail(
        from_email=("news@shop.test", "News"),
        to_emails=address,
        subject=f"{first_name}, news from {city}",
        plain_text_content=_TEXT.format(first_name, city),
        html_content=_HTML.format(first_name, city),
    )
    mail.add_custom_arg(CustomArg("campaign_id", campaign_id))
    mail.add_custom_arg(CustomArg("row", str(row)))
    _client.send(mail)


def enqueue(redis: Redis, campaign_id: str, emails: int) -> None:
    """Put the messages on the queue, by the hundred and as Dramatiq would: what this costs is not counted."""
    messages = _messages(campaign_id, emails)
    while batch := [message for _, message in zip(range(_BATCH), messages, strict=False)]:
        with redis.pipeline(transaction=False) as pipeline:
            for message in batch:
                message_id = message.options["redis_message_id"]
                pipeline.hset(f"dramatiq:{QUEUE}.msgs", message_id, msgspec.json.encode(message.asdict()))
                pipeline.rpush(f"dramatiq:{QUEUE}", message_id)
            pipeline.execute()


def _messages(campaign_id: str, emails: int) -> Iterator[dramatiq.Message[None]]:
    for row in range(1, emails + 1):
        address, first_name, _, city, _ = cells(row)
        message = send_plainly.message(campaign_id, row, address, first_name, city)
        yield message.copy(options={"redis_message_id": message.message_id})
