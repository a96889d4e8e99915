"""Memory is bounded, however long the list: a million rows through the real parser and prefetcher, on real servers."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import pytest
import redis

from campaigns import keys
from campaigns.models import Campaign, Content
from embedded import s3
from storage import ObjectStore
from tests.support.ledger_harness import LedgerHarness
from tests.support.services import ROOT, S3_ACCESS_KEY, S3_SECRET_KEY, clean_environment
from worker.prefetcher import Prefetcher

ROWS: Final = 1_000_000
MIB: Final = 1024 * 1024
#: What Redis may use in addition to what it uses when it is empty.
REDIS_BYTES: Final = 8 * MIB
PARSER_BYTES: Final = 150 * MIB
#: How long a parser may take; it takes about 10 s.
PARSE_S: Final = 300
#: The recipients sent while the memory is measured.
SENT: Final = 30_000

#: The actor as a worker's process has it. Its peak memory is the kernel's VmHWM: `resource.getrusage` would also count
#: the memory of the process that started it, up to the exec.
PARSER = """
import sys
from pathlib import Path
import actors
actors.broker.get_actor("ParseCsv").fn(*sys.argv[1:])
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


@pytest.fixture
def store(s3_endpoint: str, bucket: str) -> ObjectStore:
    made = ObjectStore(bucket, s3_endpoint)
    made.ensure_bucket()
    return made


@pytest.fixture
def harness(redis_client: redis.Redis) -> LedgerHarness:
    return LedgerHarness(redis_client, slots=16)


def used_bytes(client: Any) -> int:
    found: int = client.info("memory")["used_memory"]
    return found


def rows() -> Iterator[bytes]:
    """The list, some rows at a time. One row in ten thousand is rejected for each of three reasons."""
    yield b"email,name,city\n"
    for start in range(1, ROWS + 1, 10_000):
        lines = [b"reader%d@shop.test,Reader %d,Town\n" % (row, row) for row in range(start, start + 9_997)]
        yield b"".join([*lines, b"nobody,Nobody,Town\n", b"Reader1@SHOP.test,Twice,Town\n", b"nul@shop.test,\0,Town\n"])


def uploaded(harness: LedgerHarness, store: ObjectStore) -> Campaign:
    """A campaign whose list is in the object store and not parsed yet."""
    with TemporaryFile() as file:
        file.writelines(rows())
        size = file.tell()
        file.seek(0)
        store.put_file("million.csv", file)
    harness.catalog.put("c1", Content(from_="news@shop.test", subject="Hello", text="Dear {{ name }}", tpm=10_000_000))
    harness.catalog.accept_list("c1", object_key="million.csv", size=size, filename="million.csv", email_column="email")
    return harness.catalog.get("c1")


def parse(campaign: Campaign, settings: dict[str, str]) -> int:
    """Parse in a separate process; return its peak memory in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PARSER, campaign.id, campaign.list_version],
        cwd=ROOT,
        env=clean_environment(settings),
        capture_output=True,
        text=True,
        timeout=PARSE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


def test_a_million_rows_take_little_memory_when_parsed_ready_and_being_sent(
    harness: LedgerHarness,
    store: ObjectStore,
    redis_client: redis.Redis,
    valkey_url: str,
    s3_endpoint: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    # Given an empty Redis, and a list in the object store
    empty = used_bytes(redis_client)
    campaign = uploaded(harness, store)
    settings = s3.client_environment(S3_ACCESS_KEY, S3_SECRET_KEY) | {
        "REDIS_URL": valkey_url,
        "S3_ENDPOINT_URL": s3_endpoint,
        "S3_BUCKET": store.bucket,
        "VAR_DIR": str(tmp_path),
    }
    # When the list is parsed
    peak = parse(campaign, settings)
    # Then neither the parser nor Redis has grown with it
    report = harness.report()
    assert (report.status, report.total, report.rejected) == ("ready", ROWS - 300, 300)
    assert peak <= PARSER_BYTES
    parsed = used_bytes(redis_client) - empty
    assert parsed <= REDIS_BYTES

    # When it is started, prefetched and dispatched as fast as possible, and no worker takes anything
    harness.controls.start("c1")
    campaign = harness.catalog.get("c1")
    prefetcher = Prefetcher(harness.ledger, store, threading.Event())
    for _ in range(20):
        prefetcher.prefetch(campaign)
        harness.dispatch()
    # Then the number of ready recipients is bounded
    ready = redis_client.llen(keys.of("c1", "ready"))
    assert isinstance(ready, int)
    assert 0 < ready < 20_000
    assert redis_client.llen(keys.dramatiq_queue("send_email")) == harness.slots
    idle = used_bytes(redis_client) - empty
    assert idle <= REDIS_BYTES

    # When it is sent
    most = 0
    sent = 0
    for turn in itertools.count():
        sent += send(harness)
        if turn % 20 == 0:
            prefetcher.prefetch(campaign)
            most = max(most, used_bytes(redis_client) - empty)
        if sent >= SENT:
            break
    # Then the memory stays bounded all the time
    assert harness.report().done == sent
    assert most <= REDIS_BYTES
    for name, figure in (("parser", peak), ("parsed", parsed), ("ready", idle), ("sending", most)):
        record_property(f"{name}_mib", round(figure / MIB, 1))


def send(harness: LedgerHarness) -> int:
    """Send all that one round dispatches, as a worker does; return the number of recipients."""
    count = 0
    for batch in harness.batches():
        granted = sorted(harness.admit(batch).granted)
        harness.settle(batch, granted, "accepted")
        harness.ledger.close_batch(batch.campaign_id, batch.batch_id)
        count += len(granted)
    return count
