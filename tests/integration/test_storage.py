"""The object store with a real S3 server, and with one that misbehaves."""

from __future__ import annotations

import io
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import storage
from embedded import ports
from storage import BadParts, MissingObject, MissingUpload, ObjectStore, Part, StoreError, StoreUnavailable

KEY = "campaigns/c1/abc/list.csv"


@pytest.fixture
def store(s3_endpoint: str, bucket: str) -> ObjectStore:
    made = ObjectStore(bucket, s3_endpoint)
    made.ensure_bucket()
    return made


def put_part(store: ObjectStore, upload_id: str, number: int, data: bytes) -> str:
    """Send a part as a client does, by its presigned address; return the ETag as it came."""
    address = store.presign_part(KEY, upload_id, number, 60)
    with urllib.request.urlopen(urllib.request.Request(address, data, method="PUT")) as answer:  # noqa: S310
        return str(answer.headers["ETag"])


def put(store: ObjectStore, key: str, data: bytes) -> None:
    store.put_file(key, io.BytesIO(data))


def test_a_missing_bucket_is_made_once(s3_endpoint: str, bucket: str) -> None:
    store = ObjectStore(bucket, s3_endpoint)
    with pytest.raises(StoreUnavailable, match="bucket"):
        store.ping()
    store.ensure_bucket()
    store.ensure_bucket()
    store.ping()


def test_an_upload_in_parts_becomes_an_object(store: ObjectStore) -> None:
    upload_id = store.create_upload(KEY)
    second = put_part(store, upload_id, 2, b"world")
    first = put_part(store, upload_id, 1, b"hello ")
    parts = store.list_parts(KEY, upload_id)
    assert parts == [Part(1, first.strip('"'), 6), Part(2, second.strip('"'), 5)]
    assert store.size(KEY) is None
    store.complete_upload(KEY, upload_id, parts[::-1])
    assert store.read(KEY, 0, 11) == b"hello world"
    # And there is no such upload any more
    for again in (lambda: store.list_parts(KEY, upload_id), lambda: store.complete_upload(KEY, upload_id, parts)):
        with pytest.raises(MissingUpload):
            again()


def test_parts_that_do_not_fit_leave_the_upload_open(store: ObjectStore) -> None:
    upload_id = store.create_upload(KEY)
    put_part(store, upload_id, 1, b"hello")
    with pytest.raises(BadParts):
        store.complete_upload(KEY, upload_id, [Part(1, "0" * 32, 5)])
    with pytest.raises(BadParts):
        store.complete_upload(KEY, upload_id, [*store.list_parts(KEY, upload_id), Part(2, "0" * 32, 5)])
    store.complete_upload(KEY, upload_id, store.list_parts(KEY, upload_id))
    assert store.size(KEY) == 5


def test_an_upload_can_be_aborted_again_and_again(store: ObjectStore) -> None:
    upload_id = store.create_upload(KEY)
    put_part(store, upload_id, 1, b"hello")
    store.abort_upload(KEY, upload_id)
    store.abort_upload(KEY, upload_id)
    with pytest.raises(MissingUpload):
        store.list_parts(KEY, upload_id)


def test_uploads_under_way_are_listed_by_prefix(store: ObjectStore) -> None:
    upload_id = store.create_upload(KEY)
    store.create_upload("other/x")
    (found,) = store.list_uploads("campaigns/")
    assert (found.key, found.upload_id) == (KEY, upload_id)
    assert abs(datetime.now(UTC) - found.started_at) < timedelta(minutes=1)


def test_an_address_is_signed_for_the_public_address_of_the_store(s3_endpoint: str, bucket: str) -> None:
    store = ObjectStore(bucket, s3_endpoint, "https://files.example.com:8443")
    address = store.presign_part(KEY, "an-upload", 7, 3600)
    assert address.startswith(f"https://files.example.com:8443/{bucket}/{KEY}?")
    assert "partNumber=7" in address
    assert "X-Amz-Expires=3600" in address
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in address


def test_an_address_is_valid_only_for_its_part(store: ObjectStore) -> None:
    upload_id = store.create_upload(KEY)
    address = store.presign_part(KEY, upload_id, 1, 60).replace("partNumber=1", "partNumber=2")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(address, b"x", method="PUT"))  # noqa: S310


@pytest.mark.parametrize("size", [0, 1, storage.OWN_PART_BYTES + 5])
def test_a_file_comes_back_unchanged(store: ObjectStore, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    put(store, KEY, data)
    assert store.size(KEY) == size
    assert b"".join(store.stream(KEY)) == data
    assert max((len(chunk) for chunk in store.stream(KEY)), default=0) <= storage.CHUNK_BYTES
    assert store.list_uploads("") == []


def test_any_range_can_be_read(store: ObjectStore) -> None:
    put(store, KEY, b"0123456789")
    assert store.read(KEY, 2, 5) == b"234"
    assert store.read(KEY, 9, 10) == b"9"
    assert store.read(KEY, 5, 5) == b""
    with pytest.raises(StoreError, match="ends before"):
        store.read(KEY, 5, 11)
    with pytest.raises(StoreError, match="ends before"):
        store.read(KEY, 10, 11)


def test_a_missing_object_is_reported_as_missing(store: ObjectStore) -> None:
    assert store.size(KEY) is None
    with pytest.raises(MissingObject):
        store.read(KEY, 0, 1)
    with pytest.raises(MissingObject):
        next(store.stream(KEY))


def test_an_object_is_copied_inside_the_store(store: ObjectStore) -> None:
    put(store, KEY, b"hello")
    store.copy(KEY, "campaigns/c2/a copy")
    store.delete([KEY])
    assert store.read("campaigns/c2/a copy", 0, 5) == b"hello"
    with pytest.raises(MissingObject):
        store.copy(KEY, "campaigns/c2/other")


def test_objects_are_listed_by_prefix_and_removed(store: ObjectStore) -> None:
    for key in ("campaigns/c1/a", "campaigns/c1/b", "campaigns/c10/a"):
        put(store, key, b"x")
    (first, second) = store.list_objects("campaigns/c1/")
    assert (first.key, second.key) == ("campaigns/c1/a", "campaigns/c1/b")
    store.delete(["campaigns/c1/a", "campaigns/c1/nothing"])
    store.delete(["campaigns/c1/b"])
    assert [item.key for item in store.list_objects("")] == ["campaigns/c10/a"]


def test_wrong_credentials_are_refused_and_the_error_shows_no_secret(
    s3_endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    with pytest.raises(StoreError, match="refuses") as refused:
        ObjectStore(bucket, s3_endpoint).ensure_bucket()
    assert "not-the-secret" not in str(refused.value)


def test_missing_credentials_are_reported(s3_endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(StoreError, match="AWS_ACCESS_KEY_ID"):
        ObjectStore(bucket, s3_endpoint).ping()


def test_a_server_that_is_away_is_unavailable(s3_endpoint: str, bucket: str) -> None:  # noqa: ARG001 - its credentials
    store = ObjectStore(bucket, f"http://127.0.0.1:{ports.free_port()}")
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        store.ping()


class Unruly(BaseHTTPRequestHandler):
    """Responds as its server's script says: a list of (status, promised length, body) per request."""

    def _answer(self) -> None:
        server: UnrulyServer = self.server  # type: ignore[assignment]
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.asked.append((self.command, self.headers.get("Range", "")))
        status, length, body = server.script.pop(0) if server.script else (500, 0, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_PUT = _answer  # noqa: N815

    def log_message(self, *_args: object) -> None:
        """No test reads this log."""


class UnrulyServer(ThreadingHTTPServer):
    """`asked`: method and Range header of each request."""

    def __init__(self, script: list[tuple[int, int, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), Unruly)
        self.script = script
        self.asked: list[tuple[str, str]] = []

    @property
    def store(self) -> ObjectStore:
        return ObjectStore("bucket", f"http://127.0.0.1:{self.server_port}")


@contextmanager
def unruly(*script: tuple[int, int, bytes]) -> Iterator[UnrulyServer]:
    with UnrulyServer(list(script)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.usefixtures("s3_endpoint")  # for its credentials
class TestTrouble:
    def test_a_broken_download_continues_where_it_broke(self) -> None:
        # Given a server that breaks off twice
        with unruly((200, 10, b"0123"), (206, 6, b"45"), (206, 4, b"6789")) as server:
            # Then the stream is complete nevertheless
            assert b"".join(server.store.stream(KEY)) == b"0123456789"
            assert server.asked == [("GET", ""), ("GET", "bytes=4-"), ("GET", "bytes=6-")]

    def test_a_broken_range_is_read_again_to_its_end(self) -> None:
        with unruly((206, 5, b"23"), (206, 3, b"456")) as server:
            assert server.store.read(KEY, 2, 7) == b"23456"
            assert server.asked == [("GET", "bytes=2-6"), ("GET", "bytes=4-6")]

    def test_a_download_without_any_progress_is_given_up(self) -> None:
        with unruly(*[(200, 10, b"")] * 50) as server:
            with pytest.raises(StoreUnavailable):
                b"".join(server.store.stream(KEY))
            assert len(server.asked) == storage.MAX_RESUMES

    def test_an_error_in_a_200_is_an_error(self) -> None:
        # Given a complete that is answered with 200 and fails while its body is written (S3's API reference)
        body = b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>Try again.</Message></Error>'
        with unruly(*[(200, len(body), body)] * 3) as server:
            with pytest.raises(StoreUnavailable, match="InternalError"):
                server.store.complete_upload(KEY, "an-upload", [Part(1, "0" * 32, 5)])
            assert 1 <= len(server.asked) <= 3

    def test_a_server_in_trouble_is_called_a_bounded_number_of_times(self) -> None:
        with unruly(*[(503, 0, b"")] * 50) as server:
            with pytest.raises(StoreUnavailable):
                server.store.size(KEY)
            assert len(server.asked) == 3

    def test_a_server_that_recovers_is_not_an_error(self) -> None:
        with unruly((503, 0, b""), (200, 0, b"")) as server:
            server.store.ping()


@pytest.mark.parametrize("size", [100, 20 * 1024 * 1024])
def test_storing_a_file_reports_progress_and_can_be_stopped(store: ObjectStore, size: int) -> None:
    """Given a file of one part or of several, then the caller gets progress while it is sent, and an exception there
    stops it. A file that is sent with one request may be stored nevertheless.
    """
    told: list[None] = []
    store.put_file(KEY, io.BytesIO(b"x" * size), on_progress=lambda: told.append(None))
    assert (store.size(KEY), bool(told)) == (size, True)
    store.delete([KEY])

    def stop() -> None:
        raise InterruptedError

    with pytest.raises((InterruptedError, StoreError)):
        store.put_file(KEY, io.BytesIO(b"x" * size), on_progress=stop)
    assert store.size(KEY) in ({None, size} if size == 100 else {None})
