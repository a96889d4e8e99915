"""Erasing an address from a long list in a real object store: in parts, with a few MB of memory, and nothing moves."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from pathlib import Path

from redis import Redis

from storage import ObjectStore
from tests.support.app_harness import AppHarness

ROWS = 400_000


def test_a_long_list_is_overwritten_in_place(fake_redis: Redis, s3_endpoint: str, bucket: str, tmp_path: Path) -> None:
    """Given a list of 21 MB with the address in its last rows, then all other bytes are the same afterwards."""
    store = ObjectStore(bucket, s3_endpoint)
    store.ensure_bucket()
    app = AppHarness(fake_redis, {"OUTBOX_DIR": str(tmp_path)}, store=store)  # type: ignore[arg-type]
    lines = [b"%07d,r%d@shop.test,%s\n" % (row, row, b"x" * 20) for row in range(1, ROWS + 1)]
    for row in (1, 200_000, ROWS - 1, ROWS):
        lines[row - 1] = b"Annabel,ann@shop.test,%s\n" % (b"y" * 20)
    data = b"name,email,note\n" + b"".join(lines)
    key = "campaigns/c1/abc/list.csv"
    store.put_file(key, io.BytesIO(data))
    app.make("c1", duplicates="keep")
    app.harness.catalog.accept_list("c1", object_key=key, size=len(data), filename="list.csv")
    campaign = app.parse()
    assert campaign.list_size == len(data)
    tracemalloc.start()
    answer = app.web.request("DELETE", "/recipients?email=ann@shop.test")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.json() == {"campaigns": 1}
    expected = data
    for row in (1, 200_000, ROWS - 1, ROWS):
        line = lines[row - 1]
        start = 16 + sum(map(len, lines[: row - 1]))
        expected = expected[:start] + b"x" * (len(line) - 1) + expected[start + len(line) - 1 :]
    stored = b"".join(store.stream(key))
    assert len(stored) == len(data)
    assert hashlib.sha256(stored).digest() == hashlib.sha256(expected).digest()
    assert app.harness.report().failed == 4
    assert peak < 60 * 1024 * 1024
