"""A prefetcher that is killed at any point neither repeats nor skips a recipient: real servers, real `kill -9`."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from itertools import product
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import pytest
import redis

from campaigns.models import Campaign, Content
from campaigns.parsing import Parsing
from embedded import s3
from lists.recipient import Recipient
from lists.scan import scan
from storage import ObjectStore
from tests.support.ledger_harness import LedgerHarness
from tests.support.services import ROOT, S3_ACCESS_KEY, S3_SECRET_KEY, clean_environment
from tests.support.waiting import PATIENCE_S
from worker.prefetcher import Prefetcher

ROWS: Final = 24_000
#: One row in this many is rejected.
REJECTED: Final = 500

#: Where a prefetcher dies: before or after it reads a slice; with half of its command to Redis written; with all of it
#: written and the reply not read; with the reply read.
PLACES: Final = ("before read", "after read", "half written", "written", "answered")
#: Each place twice, at one slice or another.
KILLS: Final = [(place, random.Random(number).randint(1, 3)) for number, place in product(range(2), PLACES)]

#: A prefetcher as in a worker's process. It kills itself when it is at the given place for the n-th time.
PREFETCHER = """
import hashlib, os, signal, sys, threading
from redis.connection import AbstractConnection
import settings
from campaigns.catalog import Catalog
from campaigns.db.scripts import source
from worker import prefetcher
from worker.composition import build_components, object_store
from worker.prefetcher import Prefetcher

prefetcher.AHEAD_BYTES = 0  # each slice is read by itself
campaign_id, place, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
digests = [hashlib.sha1(source(name).encode()).hexdigest().encode() for name in ("prefetch", "refeed")]

def pass_by(here):
    global left
    left -= here == place
    return left == 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def read(key, start, end):
    if pass_by("before read"):
        die()
    data = read_really(key, start, end)
    if pass_by("after read"):
        die()
    return data

def send_packed_command(connection, command, check_health=True):
    data = command if isinstance(command, bytes) else b"".join(command)
    connection.prefetches = any(digest in data for digest in digests)
    if connection.prefetches and pass_by("half written"):
        connection._sock.sendall(data[: len(data) // 2])
        die()
    send_really(connection, command, check_health)
    if connection.prefetches and pass_by("written"):
        die()

def read_response(connection, *args, **kwargs):
    answer = receive_really(connection, *args, **kwargs)
    if connection.prefetches and pass_by("answered"):
        die()
    return answer

components, store = build_components(settings.current()), object_store(settings.current())()
read_really, store.read = store.read, read
send_really, AbstractConnection.send_packed_command = AbstractConnection.send_packed_command, send_packed_command
receive_really, AbstractConnection.read_response = AbstractConnection.read_response, read_response
AbstractConnection.prefetches = False
Prefetcher(components.ledger, store, threading.Event()).prefetch(Catalog(components.redis, 1000).get(campaign_id))
"""


@pytest.fixture
def store(s3_endpoint: str, bucket: str) -> ObjectStore:
    made = ObjectStore(bucket, s3_endpoint)
    made.ensure_bucket()
    return made


@pytest.fixture
def settings(valkey_url: str, store: ObjectStore, s3_endpoint: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that prefetches."""
    return clean_environment(
        s3.client_environment(S3_ACCESS_KEY, S3_SECRET_KEY)
        | {
            "REDIS_URL": valkey_url,
            "S3_ENDPOINT_URL": s3_endpoint,
            "S3_BUCKET": store.bucket,
            "VAR_DIR": str(tmp_path),
        }
    )


@pytest.fixture
def harness(redis_client: redis.Redis) -> LedgerHarness:
    return LedgerHarness(redis_client, slots=100)


@pytest.fixture
def campaign(harness: LedgerHarness, store: ObjectStore) -> Campaign:
    """A running campaign with a list in the object store, of which nothing has been prefetched."""
    lines = [f"r{row}@shop.test,Name {row}\n" if row % REJECTED else "nobody,\n" for row in range(1, ROWS + 1)]
    csv = "".join(["email,name\n", *lines]).encode()
    with TemporaryFile() as file:
        file.write(csv)
        file.seek(0)
        store.put_file("list.csv", file)
    harness.catalog.put("c1", Content(from_="news@shop.test", subject="Hello", text="Dear {{ name }}", tpm=10_000_000))
    list_version, _ = harness.catalog.accept_list(
        "c1", object_key="list.csv", size=len(csv), filename="list.csv", email_column="email"
    )
    result = scan([csv])
    result.report.close()
    Parsing(harness.redis, "c1", list_version).finish(result)
    harness.controls.start("c1")
    return harness.catalog.get("c1")


def killed(settings: dict[str, str], place: str, count: int) -> bool:
    """Let a prefetcher work until it dies at a place, or to the end if it does not get there."""
    command = [sys.executable, "-c", PREFETCHER, "c1", place, str(count)]
    done = subprocess.run(
        command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def dispatched(harness: LedgerHarness) -> list[Recipient]:
    """Dispatch all ready recipients; return them in the order in which they were dispatched."""
    found: list[Recipient] = []
    while batches := harness.batches():
        for batch in batches:
            found += batch.recipients
    return found


def prefetch_with_kills(
    harness: LedgerHarness, store: ObjectStore, campaign: Campaign, settings: dict[str, str]
) -> list[Recipient]:
    """Kill ten prefetchers, let the next one prefetch the rest, and return all dispatched recipients in order."""
    found: list[Recipient] = []
    deaths = 0
    for place, count in KILLS:
        deaths += killed(settings, place, count)
        found += dispatched(harness)
    assert deaths == len(KILLS)
    prefetcher = Prefetcher(harness.ledger, store, threading.Event())
    while len(found) <= ROWS:
        prefetcher.prefetch(campaign)
        more = dispatched(harness)
        if not more:
            break
        found += more
    return found


def people(rows: range) -> list[Recipient]:
    return [Recipient(row, f"r{row}@shop.test", [f"Name {row}"]) for row in rows if row % REJECTED]


def test_new_rows_are_prefetched_once_each_and_in_order(
    harness: LedgerHarness, store: ObjectStore, campaign: Campaign, settings: dict[str, str]
) -> None:
    assert prefetch_with_kills(harness, store, campaign, settings) == people(range(1, ROWS + 1))


def test_refed_rows_are_prefetched_once_more_each(
    harness: LedgerHarness, store: ObjectStore, campaign: Campaign, settings: dict[str, str]
) -> None:
    # Given a list whose rows the provider has all refused, to be retried
    prefetcher = Prefetcher(harness.ledger, store, threading.Event())
    prefetcher.prefetch(campaign)
    while batches := harness.batches():
        for batch in batches:
            harness.settle(batch, sorted(harness.admit(batch).granted), "rejected", reason="no")
        prefetcher.prefetch(campaign)
    wanted = people(range(1, ROWS + 1))
    assert harness.report().status == "completed"
    assert harness.reconciler.retry_failed(campaign) == len(wanted)
    # When prefetchers are killed meanwhile, then each row is still dispatched once
    assert prefetch_with_kills(harness, store, campaign, settings) == wanted
