"""Builds the Dramatiq messages that the ledger's scripts and the web process put on the queues.

This module knows no actor. So a script can change the ledger and enqueue the message in one step, and the web process
needs no broker. A test compares the messages with those that Dramatiq itself writes.
"""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple
from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import keys
from campaigns.db.typed_redis import TypedRedis, typed

#: The actors' names.
PARSE_CSV: Final = "ParseCsv"
SEND_EMAIL: Final = "SendEmail"
RECONCILE: Final = "Reconcile"
#: Actor name -> queue name.
QUEUES: Final = {PARSE_CSV: "parse_csv", SEND_EMAIL: "send_email", RECONCILE: "reconcile"}


class Encoded(NamedTuple):
    """A message ready for a queue."""

    queue: str
    message_id: str
    data: bytes


def encode(actor: str, *args: Any, **kwargs: Any) -> Encoded:
    """Encode a message for an actor of `QUEUES`, with plain JSON values as arguments."""
    message_id = str(uuid4())
    data = {
        "queue_name": QUEUES[actor],
        "actor_name": actor,
        "args": args,
        "kwargs": kwargs,
        "options": {"redis_message_id": message_id},
        "message_id": message_id,
        "message_timestamp": int(time.time() * 1000),
    }
    return Encoded(QUEUES[actor], message_id, msgspec.json.encode(data))


def send(redis: Redis | TypedRedis, actor: str, *args: Any, **kwargs: Any) -> str:
    """Put a message on its queue. Returns its id.

    Raises:
        redis.RedisError: the message is not on the queue.
    """
    message = encode(actor, *args, **kwargs)
    with typed(redis).pipeline(transaction=True) as pipeline:
        pipeline.hset(keys.dramatiq_messages(message.queue), message.message_id, message.data)
        pipeline.rpush(keys.dramatiq_queue(message.queue), message.message_id)
        pipeline.publish(keys.NOTIFICATIONS, message.queue)
        pipeline.execute()
    return message.message_id
