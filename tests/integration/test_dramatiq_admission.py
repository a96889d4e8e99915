"""Nothing is sent without a grant by admission: a worker's real list of middleware, in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from campaigns import keys, messages
from tests.support.ledger_harness import LedgerHarness
from tests.support.services import ROOT, clean_environment
from tests.support.waiting import PATIENCE_S

#: A worker with the real broker and a stand-in for the actor. It empties the queue, then prints how many times the
#: actor ran and the ledger was called; on request, the calls to the ledger fail.
SCRIPT = """
import json, sys, time
import dramatiq, redis
import settings
from worker.composition import build_broker, build_components

counts = {"ran": 0, "asked": 0}
components = build_components(settings.current())
broker = build_broker(components)

@dramatiq.actor(broker=broker, actor_name="SendEmail", queue_name="send_email", max_retries=0)
def stand_in(campaign_id, list_version, recipients):
    counts["ran"] += 1

ask = components.ledger.admit

def admit(*args, **kwargs):
    counts["asked"] += 1
    if sys.argv[1] == "bug":
        raise ValueError("a bug")
    if sys.argv[1] == "away" and counts["asked"] < 4:
        raise redis.ConnectionError("away")
    return ask(*args, **kwargs)

components.ledger.admit = admit
worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=10)
worker.start()
deadline = time.monotonic() + 60
while broker.do_qsize("send_email") and time.monotonic() < deadline:
    time.sleep(0.01)
worker.stop()
print(json.dumps(counts))
"""


def after_work(tmp_path: Path, url: str, answer: str) -> dict[str, int]:
    """What the worker prints after it has emptied the queue."""
    script = tmp_path / "stand_in.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), answer],
        cwd=ROOT,
        env=clean_environment({"REDIS_URL": url, "PYTHONPATH": str(ROOT), "VAR_DIR": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counts


@pytest.mark.parametrize(
    ("answer", "counts", "dead_letters"),
    [
        pytest.param("grant", {"ran": 1, "asked": 1}, 0, id="granted"),
        pytest.param("bug", {"ran": 0, "asked": 1}, 1, id="a bug in admission"),
        pytest.param("away", {"ran": 1, "asked": 4}, 0, id="Redis is away for a moment"),
    ],
)
def test_the_actor_runs_only_after_a_grant(
    redis_client: redis.Redis, valkey_url: str, tmp_path: Path, answer: str, counts: dict[str, int], dead_letters: int
) -> None:
    # Given a dispatched batch
    harness = LedgerHarness(redis_client)
    harness.start(rows=1)
    harness.dispatch()
    # When a worker takes it
    assert after_work(tmp_path, valkey_url, answer) == counts
    assert redis_client.zcard(keys.dramatiq_dead("send_email")) == dead_letters


def test_a_message_with_unreadable_arguments_never_reaches_the_actor(
    redis_client: redis.Redis, valkey_url: str, tmp_path: Path
) -> None:
    """Admission cannot even be called for it."""
    messages.send(redis_client, "SendEmail", "c1")
    assert after_work(tmp_path, valkey_url, "grant") == {"ran": 0, "asked": 0}
    dead: Any = redis_client.hvals(keys.dramatiq_dead("send_email") + ".msgs")
    assert [json.loads(letter)["args"] for letter in dead] == [["c1"]]
