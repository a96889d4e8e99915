"""The yardstick: the obvious program with Dramatiq and SendGrid's own SDK. `dramatiq bench.plain` runs it.

It has one message per email, an unchanged `RedisBroker`, no ledger, no limit, no templates, and no log line per email.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import dramatiq
import msgspec
from dramatiq.brokers.redis import RedisBroker
from redis import Redis
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import CustomArg, Mail

from bench.lists import CONTENT, cells
from tests.support.services import ROOT

REDIS_URL: Final = "PLAIN_REDIS_URL"
QUEUE: Final = "plain"
#: The messages that go onto the queue in one round trip.
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


def send_all(url: str, campaign_id: str, emails: int) -> float:
    """Send the messages one by one, as usual, from a separate process; return the time of the first one.

    Returns once all are on the queue.
    """
    code = f"import bench.plain as plain; print(plain.send_here({campaign_id!r}, {emails}))"
    command, environment = [sys.executable, "-c", code], os.environ | {REDIS_URL: url}
    return float(subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True).stdout)


def send_here(campaign_id: str, emails: int) -> float:
    """Send the messages from this process; return when that began."""
    started = time.time()
    for row in range(1, emails + 1):
        address, first_name, _, city, _ = cells(row)
        send_plainly.send(campaign_id, row, address, first_name, city)
    return started


def enqueue(redis: Redis, campaign_id: str, emails: int) -> None:
    """Put the messages on the queue in hundreds. This is faster than usual, and its time is not counted."""
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
