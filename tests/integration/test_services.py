"""The servers that tests and `make run` start: what the project relies on in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import redis
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from tests import services


@pytest.fixture
def s3_client(s3_endpoint: str) -> Iterator[S3Client]:
    client = boto3.client("s3", endpoint_url=s3_endpoint, config=Config(signature_version="s3v4"))
    yield client
    client.close()


def test_valkey_syncs_every_write_and_evicts_nothing(redis_client: redis.Redis) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction"}
    assert redis_client.config_get(*wanted) == wanted


def test_valkey_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    with services.valkey_server(tmp_path) as url, redis.Redis.from_url(url) as client:
        client.set("kept", "yes")
    with services.valkey_server(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


def test_s3_lets_a_browser_upload_and_read_the_etag(s3_client: S3Client, bucket: str) -> None:
    # Given a bucket and a presigned address
    s3_client.create_bucket(Bucket=bucket)
    answer = s3_client.put_object(Bucket=bucket, Key="a", Body=b"x")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["etag"]


def test_a_server_that_cannot_start_says_what_it_printed(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="no such thing"),
        services.running(["sh", "-c", "echo no such thing; exit 3"], 1, tmp_path / "log"),
    ):
        pytest.fail("it cannot have started")
