"""An upgrade while campaigns are under way: the data that the previous version left in Redis, and this version's
processes.

`tests/data/schema_1.json.gz` holds what a version with schema 1 left when its two workers were killed in the middle of
a campaign of 10,000 recipients, with another one paused: every key as Redis dumps it, and the rows that the provider
had accepted by then.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from campaigns import keys
from tests.support.services import S3_ACCESS_KEY, S3_SECRET_KEY
from tests.support.stack import Stack

LEFT: Final = Path(__file__).parents[1] / "data" / "schema_1.json.gz"
#: The recipients of the campaigns in it.
ROWS: Final = {"c1": 10_000, "c2": 2_000}


@pytest.fixture
def left() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(LEFT.read_bytes()))
    return found


def c1_list() -> bytes:
    """The list of the campaign under way: every 50th recipient was retried, every 20th is of a limited domain."""
    addresses = (
        f"{'r' if row % 50 else 'flaky'}{row}@{'shop' if row % 20 else 'slow'}.test\n"
        for row in range(1, ROWS["c1"] + 1)
    )
    return "".join(["email\n", *addresses]).encode()


def c2_list() -> bytes:
    return b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, ROWS["c2"] + 1))


def csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def restore(stack: Stack, left: dict[str, Any]) -> None:
    """Put the data into the Redis and the object store of this stack."""
    client: Any = stack.redis_client()
    for key, (ttl_ms, dump) in left["keys"].items():
        client.restore(key, max(0, ttl_ms), base64.b64decode(dump))
    client.close()
    s3: Any = boto3.client(
        "s3", endpoint_url=stack.s3_url, aws_access_key_id=S3_ACCESS_KEY, aws_secret_access_key=S3_SECRET_KEY
    )
    bucket = stack.environment.get("S3_BUCKET", "my-bucket")
    s3.create_bucket(Bucket=bucket)
    for campaign_id, data in (("c1", c1_list()), ("c2", c2_list())):
        s3.put_object(Bucket=bucket, Key=left["object_keys"][campaign_id], Body=data)


def test_campaigns_of_the_previous_version_continue(tmp_path: Path, left: dict[str, Any]) -> None:
    """Given what schema 1 left of a campaign under way and of a paused one, when a web process and two workers of this
    version start at once, then nothing is lost and nothing is sent twice.
    """
    with Stack.open(tmp_path, web=False, RECONCILE_EVERY_S="3", DOMAIN_TPM="slow.test=60000") as stack:
        restore(stack, left)
        # When
        stack.web.start(wait=False)
        stack.add_worker(wait=False)
        stack.add_worker(wait=False)
        stack.until("c1", lambda report: report["status"] == "completed", "the end of the campaign under way")
        assert stack.status("c2")["status"] == "paused"
        stack.resume("c2")
        stack.until_status("c2", "completed")
        # Then
        sent = [arrival for arrival in stack.double.arrivals() if arrival.accepted]
        for campaign_id, rows in ROWS.items():
            accepted = Counter(left["accepted"][campaign_id])
            accepted.update(arrival.row for arrival in sent if arrival.campaign_id == campaign_id)
            unknown = {int(row["row"]) for row in csv_rows(stack.recipients(campaign_id, "unknown"))}
            assert max(accepted.values()) == 1, "sent twice"
            assert set(accepted) | unknown == set(range(1, rows + 1)), "lost"
            in_flight = left["status"]["in_flight"] if campaign_id == "c1" else 0
            report = stack.status(campaign_id)
            assert (report["done"], report["unknown"], report["failed"]) == (rows - in_flight, in_flight, 0)
            assert len(unknown) == in_flight
        client: Any = stack.redis_client()
        assert client.get(keys.SCHEMA) == b"2"
        old = {b"waiting", b"deferred", b"parked", b"runs", b"flight", b"gate", b"skip", b"again", b"ring", b"release"}
        assert {key for key in client.keys("postrider:*") if set(key.split(b":")) & old} == set()
        client.close()
