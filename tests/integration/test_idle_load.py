"""How many commands an idle installation sends to Redis, and that a lost notification loses no message."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from redis import Redis

from campaigns import messages
from tests.support.stack import Stack
from tests.support.waiting import until

#: The most commands per second, including those in scripts, of one web process and two workers.
MOST_PER_S: Final = 40.0
MEASURED_S: Final = 15.0


def commands(client: Any) -> int:
    """The number of commands that the server has run, including those in scripts."""
    return sum(found["calls"] for found in client.info("commandstats").values())


def test_an_idle_installation_sends_few_commands(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Given two workers and a web process with nothing to do."""
    with Stack.open(tmp_path) as stack, stack.redis_client() as client:
        for _ in range(2):
            stack.add_worker(processes=1, threads=8)
        before, started = commands(client), time.monotonic()
        time.sleep(MEASURED_S)
        asked = commands(client) - before
        per_s = asked / (time.monotonic() - started)
        record_property("commands_per_s", round(per_s, 1))
        assert per_s <= MOST_PER_S, per_s


def test_a_message_whose_notification_was_lost_is_found(tmp_path: Path) -> None:
    """Given a message on a queue without a notification, then an idle worker still finds it."""
    with Stack.open(tmp_path, web=False) as stack, stack.redis_client() as client:
        worker = stack.add_worker(processes=1, threads=2)
        message = messages.encode("Reconcile", "nobody")
        _put_silently(client, message)
        until(lambda: worker.logged("reconcile_refused"), "the message")


def _put_silently(client: Redis, message: messages.Encoded) -> None:
    client.hset(f"dramatiq:{message.queue}.msgs", message.message_id, message.data)
    client.rpush(f"dramatiq:{message.queue}", message.message_id)
