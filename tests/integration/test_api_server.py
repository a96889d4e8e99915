"""`uvicorn api:app` as users start it, with real Valkey and S3 servers: start, outages, live status, stop."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api.uploads import direct_upload
from campaigns.catalog import Catalog
from embedded import ports, s3
from storage import ObjectStore
from tests.support import services
from tests.support.waiting import until
from tests.support.web_process import PATIENCE_S, WebProcess, rss_bytes
from worker.list_scan import ListScan

CONTENT = {"from": "News <news@shop.test>", "subject": "Hello {{ name }}", "text": "Hi"}


@contextmanager
def web(tmp_path: Path, redis_url: str, s3_url: str, bucket: str, **environment: str) -> Iterator[WebProcess]:
    port, log = ports.free_port(), tmp_path / "web.log"
    command = [sys.executable, "-m", "uvicorn", "api:app", "--host", "127.0.0.1", "--port", str(port)]
    variables = {
        "REDIS_URL": redis_url,
        "S3_ENDPOINT_URL": s3_url,
        "S3_BUCKET": bucket,
        **s3.client_environment(services.S3_ACCESS_KEY, services.S3_SECRET_KEY),
        **environment,
    }
    with services.running(command, port, log, variables) as process:
        yield WebProcess(port, process, log)


@pytest.fixture
def server(tmp_path: Path, redis_client: Redis, valkey_url: str, s3_endpoint: str, bucket: str) -> Iterator[WebProcess]:
    assert redis_client.ping()
    with web(tmp_path, valkey_url, s3_endpoint, bucket) as found:
        found.wait_for("/readyz", 200)
        yield found


def parse(redis_client: Redis, s3_endpoint: str, bucket: str) -> None:
    """Parse the list as a worker does with the ParseCsv message."""
    campaign = Catalog(redis_client, 1000).get("c1")
    ListScan(redis_client, ObjectStore(bucket, s3_endpoint), threading.Event(), threading.BoundedSemaphore(1)).run(
        campaign
    )


def put_part(url: str, data: bytes) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, data, method="PUT")) as answer:  # noqa: S310
        return str(answer.headers["ETag"])


def test_a_list_in_parts_is_uploaded_started_and_exported(
    server: WebProcess, redis_client: Redis, s3_endpoint: str, bucket: str
) -> None:
    # Given a campaign and a file of two parts
    rows = b"".join(b"Person %07d,p%07d@shop.test\n" % (row, row) for row in range(1, 250_001))
    data = b"name,email\n" + rows + b"Bad,nobody\n"
    assert server.call("PUT", "/campaigns/c1", CONTENT)[0] == 201
    status, plan = server.call("POST", "/campaigns/c1/upload/init", {"size": len(data), "filename": "people.csv"})
    assert (status, len(plan["parts"])) == (201, 2)
    # When the client PUTs the parts to their addresses, and completes the upload once with a part missing and then
    # whole
    parts = [data[start : start + plan["part_size"]] for start in range(0, len(data), plan["part_size"])]
    etags = [put_part(plan["parts"][0]["url"], parts[0])]
    body = {"upload_id": plan["upload_id"]}
    status, problem = server.call("POST", "/campaigns/c1/upload/complete", body)
    assert (status, problem["missing"]) == (409, [2])
    etags.append(put_part(plan["parts"][1]["url"], parts[1]))
    sent = [{"part_number": number, "etag": etag} for number, etag in enumerate(etags, 1)]
    for _ in range(2):
        assert server.call("POST", "/campaigns/c1/upload/complete", {**body, "parts": sent})[0] == 202
    # Then the list can be parsed and the campaign started
    assert redis_client.llen("dramatiq:parse_csv") == 1
    parse(redis_client, s3_endpoint, bucket)
    assert server.call("POST", "/campaigns/c1/start") == (200, {"status": "running"})
    report = server.call("GET", "/campaigns/c1/status")[1]
    assert (report["total"], report["rejected"], report["pending"]) == (250_000, 1, 250_000)
    # And every row is exported, the rejected one in its place
    lines = server.call("GET", "/campaigns/c1/recipients.csv")[1].decode().split("\r\n")
    assert len(lines) == 1 + 250_001 + 1
    assert lines[1] == '"1","p0000001@shop.test","pending",""'
    assert lines[-2] == '"250001","nobody","rejected","invalid_email"'


def test_redis_and_the_store_may_start_after_the_web_process(tmp_path: Path) -> None:
    # Given neither
    redis_port, s3_port = ports.free_port(), ports.free_port()
    s3_url = f"http://{ports.LOOPBACK}:{s3_port}"
    with web(tmp_path, f"redis://{ports.LOOPBACK}:{redis_port}/0", s3_url, "late-bucket") as server:
        # Then the process is up, says that it is not ready, and answers 503
        assert server.call("GET", "/healthz")[0] == 200
        status, problem = server.call("GET", "/readyz")
        assert status == 503
        assert "Redis" in problem["detail"]
        assert "object store" in problem["detail"]
        assert server.call("PUT", "/campaigns/c1", CONTENT)[0] == 503
        assert server.call("GET", "/metrics")[0] == 200
        # When they start, then the process works without a restart, and has made its bucket
        (tmp_path / "valkey").mkdir()
        (tmp_path / "s3").mkdir()
        with services.valkey_server(tmp_path / "valkey", redis_port), services.s3_server(tmp_path / "s3", s3_port):
            server.wait_for("/readyz", 200)
            assert server.call("PUT", "/campaigns/c1", CONTENT)[0] == 201
            upload = server.call(
                "POST", "/campaigns/c1/upload", b"name,email\nA,a@b.test\n", {"Content-Type": "text/csv"}
            )
            assert upload == (202, {"status": "parsing"})
        # And when they stop again, the process says so and continues to run
        assert server.call("GET", "/campaigns/c1/status")[0] == 503
        assert server.process.poll() is None
        events = [line["event"] for line in server.lines()]
        assert events.count("service_ready") == 2
        assert "service_away" in events


def test_a_recent_status_does_not_hide_that_redis_died(tmp_path: Path, s3_endpoint: str, bucket: str) -> None:
    # Given a client that polls
    with services.valkey_server(tmp_path) as url, web(tmp_path, url, s3_endpoint, bucket) as server:
        server.wait_for("/readyz", 200)
        server.call("PUT", "/campaigns/c1", CONTENT)
        for _ in range(5):
            assert server.call("GET", "/campaigns/c1/status")[0] == 200
        # When Redis is killed
        with Redis.from_url(url) as client:
            pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: _has_ended(pid), "the end of Redis")
        # Then the very next response says so
        assert server.call("GET", "/campaigns/c1/status")[0] == 503


def _has_ended(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_the_live_status_follows_changes_and_does_not_hold_up_the_stop(server: WebProcess) -> None:
    server.call("PUT", "/campaigns/c1", CONTENT)
    with closing(server.connection()) as connection:
        connection.request("GET", "/campaigns/c1/events")
        _watch_until_the_end(server, connection.getresponse())


def _watch_until_the_end(server: WebProcess, answer: http.client.HTTPResponse) -> None:
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.readline() == b"retry: 2000\n"
    assert _next_status(answer)["rate_limit"] == 1000
    # When the rate changes, then the listener gets the new status
    server.call("POST", "/campaigns/c1/rate-limit", {"tpm": 60})
    assert _next_status(answer)["rate_limit"] == 60
    # When the server is told to stop, then the stream ends, and the process after it
    server.process.send_signal(signal.SIGTERM)
    assert answer.read().strip() == b""
    assert server.process.wait(PATIENCE_S) in {0, -signal.SIGTERM}
    assert not [line for line in server.lines() if line["level"] in {"error", "critical"}]


def _next_status(answer: http.client.HTTPResponse) -> dict[str, Any]:
    while not (line := answer.readline()).startswith(b"data: "):
        assert line
    found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return found


def test_a_listener_that_disconnects_is_forgotten(server: WebProcess) -> None:
    server.call("PUT", "/campaigns/c1", CONTENT)
    for _ in range(3):
        with closing(server.connection()) as connection:
            connection.request("GET", "/campaigns/c1/events")
            with closing(connection.getresponse()) as answer:
                _next_status(answer)
    until(
        lambda: [line.get("path") for line in server.lines()].count("/campaigns/c1/events") >= 3,
        "a line for each listener that left",
    )


def test_a_list_that_is_too_large_is_refused_while_it_is_being_sent(server: WebProcess) -> None:
    server.call("PUT", "/campaigns/c1", CONTENT)
    # Given a client that sends all of its body before it reads the response
    body = b"x" * (3 * direct_upload.MAX_LIST_BYTES)
    for headers in ({"Content-Type": "text/csv"}, {"Content-Type": "multipart/form-data; boundary=x"}):
        status, problem = server.call("POST", "/campaigns/c1/upload", body, headers)
        # Then it can read the response
        assert status == 413
        assert "upload/init" in problem["detail"]
    assert server.call("GET", "/campaigns/c1")[1]["status"] == "draft"


def test_a_large_upload_needs_little_memory(server: WebProcess) -> None:
    server.call("PUT", "/campaigns/c1", CONTENT)
    before = rss_bytes(server.process.pid)
    body = b"name,email\n".ljust(direct_upload.MAX_LIST_BYTES, b"\n")
    for _ in range(5):
        assert server.call("POST", "/campaigns/c1/upload", body, {"Content-Type": "text/csv"})[0] == 202
    assert rss_bytes(server.process.pid) - before < 30 * 1024 * 1024


def test_the_log_has_one_line_per_request_and_no_secrets(server: WebProcess) -> None:
    server.call("PUT", "/campaigns/c1", CONTENT)
    server.call("GET", "/campaigns/ada@shop.test/status?email=ada@shop.test")
    server.call("POST", "/campaigns/c1/upload", b"name,email\nA,ada@shop.test\n", {"Content-Type": "text/csv"})
    server.call("POST", "/campaigns/c1/upload/init", {"size": 5, "filename": "ada@shop.test.csv"})
    # The line comes after the response.
    until(lambda: server.log.read_text().count('"request_answered"') >= 4, "a line for each request")
    answered = [line for line in server.lines() if line["event"] == "request_answered"]
    assert [(line["method"], line["path"], line["status"]) for line in answered] == [
        ("PUT", "/campaigns/c1", 201),
        ("GET", "/campaigns/*/status", 422),
        ("POST", "/campaigns/c1/upload", 202),
        ("POST", "/campaigns/c1/upload/init", 201),
    ]
    text = server.log.read_text()
    assert "ada" not in text
    assert services.S3_SECRET_KEY not in text
    assert "X-Amz" not in text
    assert "uvicorn.access" not in text


def test_a_wrong_setting_stops_the_start_with_one_line() -> None:
    environment = {**os.environ, "PORT": "eighty"}
    command = [sys.executable, "-m", "uvicorn", "api:app", "--port", str(ports.free_port())]
    done = subprocess.run(
        command, cwd=services.ROOT, env=environment, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode != 0
    assert done.stderr.decode().strip().splitlines()[-1] == "postrider: setting PORT: 'eighty' is not a number"
