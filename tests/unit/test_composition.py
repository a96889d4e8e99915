"""The composition root of a worker: one call builds everything, and importing a module builds nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from campaigns import messages
from tests.support.services import ROOT, clean_environment

#: Imports every module of the project but the entry point, and prints what that has made.
IMPORTS = """
import gc, importlib, json
from pathlib import Path
import boto3, dramatiq, redis, settings

files = [*Path().glob("*.py"), *(f for p in Path().glob("*/__init__.py") for f in p.parent.rglob("*.py"))]
names = sorted(".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in files)
for name in names:
    if name != "actors" and not name.startswith(("tests", "bench")):
        importlib.import_module(name)
made = [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, (redis.Redis, dramatiq.Broker))]
print(json.dumps({
    "modules": names,
    "made": made,
    "settings_read": settings.current.cache_info().misses,
    "broker": repr(dramatiq.broker.global_broker),
    "s3_session": repr(boto3.DEFAULT_SESSION),
}))
"""

#: The same way as `dramatiq actors` does it.
ENTRY = """
import json, actors, dramatiq
broker = dramatiq.get_broker()
assert broker is actors.broker
print(json.dumps({
    "middleware": [type(middleware).__name__ for middleware in broker.middleware],
    "actors": {a.actor_name: [a.queue_name, a.priority, a.options] for a in broker.actors.values()},
}))
"""


def said(script: str, **environment: str) -> Any:
    """What a script in a separate process prints at its end."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_a_module_builds_nothing_and_reads_no_setting() -> None:
    """Given a setting that would stop a start, when the modules are imported, then nothing fails."""
    found = said(IMPORTS, REDIS_URL="nonsense")
    assert {"actors", "worker.parse_csv", "worker.composition", "broker.redis_broker", "api.application"} <= set(
        found.pop("modules")
    )
    assert found == {"made": [], "settings_read": 0, "broker": "None", "s3_session": "None"}


def test_the_entry_point_builds_the_worker(tmp_path: Path) -> None:
    """Given no server at all, then the broker is Dramatiq's, its middleware are in the order on which safety relies,
    and each actor has its queue.
    """
    found = said(ENTRY, REDIS_URL="redis://127.0.0.1:1/0", VAR_DIR=str(tmp_path))
    assert found["middleware"] == [
        *("SchemaVersion", "EventLoop", "GcTuning", "Notifier", "CurrentMessage", "LogContext"),
        *("Retries", "Admission", "Batches", "Dispatch"),
    ]
    forever = {"max_retries": None, "min_backoff": 500, "max_backoff": 10_000}
    assert found["actors"] == {
        "ParseCsv": ["parse_csv", 10, forever],
        "Reconcile": ["reconcile", 5, forever | {"max_retries": 5}],
        "SendEmail": ["send_email", 20, {}],
    }
    assert {name: queue for name, (queue, _, _) in found["actors"].items()} == messages.QUEUES
