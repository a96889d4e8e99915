"""The servers that tests and `make run` start: the behaviour that the project relies on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
import redis
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from tests.support import services


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


def test_s3_lets_a_browser_upload_a_part_and_read_its_etag(s3_client: S3Client, bucket: str) -> None:
    # Given a presigned address
    s3_client.create_bucket(Bucket=bucket)
    url = s3_client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
    # When a page of another origin asks whether it may upload there
    asked = {"Origin": "http://page.example", "Access-Control-Request-Method": "PUT"}
    with urlopen(Request(url, method="OPTIONS", headers=asked)) as answer:  # noqa: S310 - http, as made above
        # Then it may
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    # And when it uploads
    with urlopen(Request(url, b"x", asked, method="PUT")) as answer:  # noqa: S310
        # Then it can read the ETag
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
        assert answer.headers["ETag"]


def test_s3_refuses_a_wrong_signature(s3_client: S3Client, bucket: str) -> None:
    s3_client.create_bucket(Bucket=bucket)
    url = s3_client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"})
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(url[:-1] + ("0" if url[-1] != "0" else "1"), b"x", method="PUT"))  # noqa: S310


@pytest.mark.usefixtures("s3_endpoint")  # for the credentials
def test_s3_keeps_its_objects_over_a_restart(bucket: str, tmp_path: Path) -> None:
    with services.s3_server(tmp_path) as endpoint:
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="a", Body=b"kept")
        client.close()
    with services.s3_server(tmp_path) as endpoint:
        client = boto3.client("s3", endpoint_url=endpoint)
        assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"kept"
        client.close()


def test_a_server_that_cannot_start_shows_what_it_printed(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="no such thing"),
        services.running(["sh", "-c", "echo no such thing; exit 3"], 1, tmp_path / "log"),
    ):
        pytest.fail("it cannot have started")
