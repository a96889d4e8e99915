"""The actors in a worker with faults that its environment names: `dramatiq tests.support.chaos.broken_worker`.

- `LOSE_RETRIES=n`: Dramatiq's enqueue of the first n retries of SendEmail fails.
- `LOSE_ACKS=n`: the first n acknowledgements of SendEmail fail.
- `DIE_AT_BOOT=1`: the worker is killed when its threads have started, before it tells Dramatiq's main process so.
- `DIE_WITH_LOCK=file`: the worker is killed at the moment when it tells Dramatiq's main process that it is ready, while
  it holds the lock of that message. It makes the file first, and dies only if the file did not exist.
- `CLOCK_OFF_S=s`: the worker's clock is this many seconds ahead.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing.synchronize
import os
import signal
import time
from pathlib import Path
from typing import Any

import redis
from dramatiq import Broker, MessageProxy, Middleware, Worker

_off_s = float(os.environ.get("CLOCK_OFF_S", "0"))
if _off_s:
    _time, _time_ns = time.time, time.time_ns
    time.time = lambda: _time() + _off_s
    time.time_ns = lambda: _time_ns() + int(_off_s * 1e9)
    print(json.dumps({"event": "clock_is_off", "time_s": time.time()}), flush=True)  # noqa: T201 - for the test

import actors  # noqa: E402 - the clock has to be wrong before any module reads it
from broker.redis_broker import Consumer  # noqa: E402

_retries = itertools.count(1)
_acks = itertools.count(1)
#: Dramatiq looks up its Redis commands by name at run time.
_broker: Any = actors.broker
_consumer: Any = Consumer
_enqueue, _ack = _broker.do_enqueue, _consumer.ack


def _lose_retry(queue: str, message_id: str, data: bytes) -> Any:
    if queue == "send_email.DQ" and next(_retries) <= int(os.environ.get("LOSE_RETRIES", "0")):
        raise redis.ConnectionError("the retry is lost, as the test wants")
    return _enqueue(queue, message_id, data)


def _lose_ack(consumer: Any, message: MessageProxy) -> None:
    if message.actor_name == "SendEmail" and next(_acks) <= int(os.environ.get("LOSE_ACKS", "0")):
        raise redis.ResponseError("the acknowledgement is lost, as the test wants")
    _ack(consumer, message)


_broker.do_enqueue, _consumer.ack = _lose_retry, _lose_ack


class _Dies(Middleware):
    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002 - Dramatiq's signature
        os.kill(os.getpid(), signal.SIGKILL)


def _die_with_lock(event: Any) -> None:
    event._cond.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


_died = Path(os.environ.get("DIE_WITH_LOCK", os.devnull))
if not _died.exists():
    _died.touch()
    multiprocessing.synchronize.Event.set = _die_with_lock  # type: ignore[method-assign,assignment]

if os.environ.get("DIE_AT_BOOT"):
    _broker.add_middleware(_Dies())
