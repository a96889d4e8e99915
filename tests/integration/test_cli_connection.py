"""The command line's HTTP against a server that answers as the test says: retries, redirects, uploads in parts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pytest
from typer.testing import CliRunner

from cli import list_upload, live_status, part_sender
from cli.application import app
from cli.connection import TIMEOUT_S, Connection
from cli.errors import ApiError, CommandError, ExitCode, Unreachable
from cli.list_upload import ListUpload
from cli.part_sender import PartRefused
from cli.partial_uploads import PartialUploads
from cli.profile import Profile
from cli.upload_bar import UploadBar
from tests.support.services import ROOT, clean_environment
from tests.support.waiting import PATIENCE_S, until

TOKEN: Final = "secret-token"
PART: Final = 10
LIST: Final = b"email\na@shop.test\nb@shop.test\n"  # 30 bytes: three parts


class Seen(NamedTuple):
    """A request that has arrived."""

    method: str
    path: str
    body: bytes
    token: str | None


class Answer(NamedTuple):
    """A response. `status` 0: the connection breaks instead. `short`: this number of bytes is
    missing at its end. `cut`: it has no length, and its last chunk is missing (RFC 9112, 7.1).
    """

    status: int = 200
    body: Any = b"{}"
    headers: Mapping[str, str] = MappingProxyType({})
    short: int = 0
    cut: bool = False


class Server:
    """A server on a free port. `answers`: what gives the response to a request; `seen`: every request."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: Callable[[Seen], Answer] = lambda _: Answer()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                if self.raw_requestline and self.parse_request():
                    self._answer()
                self.close_connection = True

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen = Seen(self.command, self.path, body, self.headers.get("Authorization"))
                outer.seen.append(seen)
                answer = outer.answers(seen)
                if not answer.status:
                    return
                raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.cut:
                    self.send_header("Transfer-Encoding", "chunked")
                    raw = b"%x\r\n%s\r\n" % (len(raw), raw)
                else:
                    self.send_header("Content-Length", str(len(raw) + answer.short))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(PATIENCE_S)

    def in_turn(self, *answers: Answer) -> None:
        """Give these answers one after the other, then `Answer()`."""
        left = list(answers)
        self.answers = lambda _: left.pop(0) if left else Answer()


class Client:
    """A connection whose waits take no time."""

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        self.notes: list[str] = []
        self.waits_s: list[float] = []
        self.connection = Connection(Profile(url, TOKEN), patience_s, self.notes.append, self.waits_s.append)

    def call(self, *args: Any, **more: Any) -> Any:
        return self.connection.call(*args, **more)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url)


# Requests


def test_a_request_is_repeated_until_the_server_is_back(server: Server, client: Client) -> None:
    cut = Answer(200, b"{}", {}, 9)
    busy = Answer(503, {"detail": "Redis cannot be reached."}, {"Retry-After": "3"})
    server.in_turn(Answer(0), cut, busy, busy, Answer(200, {"status": "running"}))
    assert client.call("POST", "/campaigns/c1/start") == {"status": "running"}
    assert len(server.seen) == 5
    assert client.waits_s == [0.5, 1.0, 3.0, 3.0]
    assert len(client.notes) == 1
    assert {seen.token for seen in server.seen} == {f"Bearer {TOKEN}"}


def test_the_patience_ends_with_the_servers_own_words(server: Server) -> None:
    server.answers = lambda _: Answer(503, {"detail": "Redis cannot be reached."})
    with pytest.raises(ApiError, match="Redis cannot be reached") as caught:
        Client(server.url, patience_s=0).call("GET", "/campaigns")
    assert caught.value.code is ExitCode.UNREACHABLE


def test_a_request_for_a_new_campaign_only_is_not_repeated_after_it_may_have_arrived(
    server: Server, client: Client
) -> None:
    server.in_turn(Answer(0))
    with pytest.raises(Unreachable):
        client.call("PUT", "/campaigns/c1", {}, repeatable=False)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, ExitCode.NOT_THERE), (409, ExitCode.REFUSED_BY_STATE), (412, ExitCode.REFUSED_BY_STATE),
     (422, ExitCode.FAILED), (401, ExitCode.FAILED), (500, ExitCode.FAILED)],
)  # fmt: skip
def test_a_problem_is_raised_at_once_with_its_exit_code(
    server: Server, client: Client, status: int, code: ExitCode
) -> None:
    server.answers = lambda _: Answer(status, {"detail": "No.", "missing": [2]})
    with pytest.raises(ApiError, match="No") as caught:
        client.call("GET", "/campaigns/c1")
    assert caught.value.problem() == {"detail": "No.", "missing": [2], "status": status, "exit_code": int(code)}
    assert len(server.seen) == 1


def test_the_token_follows_no_redirect(server: Server, client: Client) -> None:
    other = Server()
    server.answers = lambda _: Answer(302, b"", {"Location": f"{other.url}/x"})
    with pytest.raises(ApiError, match="redirects to"):
        client.call("GET", "/campaigns")
    assert other.seen == []
    other.close()


@pytest.mark.parametrize("status", [200, 404, 599])
def test_a_page_of_something_else_is_no_answer(server: Server, client: Client, status: int) -> None:
    server.answers = lambda _: Answer(status, b"<html>hello</html>")
    with pytest.raises(CommandError, match=r"no Postrider server|check POSTRIDER_URL"):
        client.call("GET", "/campaigns")


# A stream


def test_a_broken_stream_is_opened_again_until_the_campaign_has_ended(server: Server, client: Client) -> None:
    def event(status: str) -> bytes:
        return b": still here\n\nid: 1\ndata: " + json.dumps({"status": status}).encode() + b"\n\n"

    server.in_turn(Answer(0), Answer(200, event("running"), cut=True), Answer(200, event("completed")))
    seen = [status["status"] for status in live_status.statuses(client.connection, "c1")]
    assert seen == ["running", "completed"]
    assert len(server.seen) == 3


# A download


@pytest.mark.parametrize("short", [0, 7])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_download_that_breaks_off_is_an_error_and_leaves_no_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool, short: int
) -> None:
    monkeypatch.setenv("POSTRIDER_CONFIG", str(tmp_path / "none.toml"))
    rows = b'row,email,state,reason\r\n"1","a@shop.test","done",""\r\n'
    server.in_turn(Answer(200, rows, short=short, cut=not short), Answer(200, rows))
    words = ["--url", server.url, "recipients", "c1", "-o", str(tmp_path / "out"), *(["--json"] if as_json else [])]
    broken = CliRunner().invoke(app, words)
    assert broken.exit_code == ExitCode.UNREACHABLE
    assert "broke off" in broken.stderr
    assert list(tmp_path.iterdir()) == []
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (tmp_path / "out").read_bytes().count(b"a@shop.test") == 1


# Uploads in parts


class Store:
    """The API and the object store for uploads in parts; `refuse` maps a part number to the responses it gets first."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.parts: dict[str, dict[int, bytes]] = {}
        self.refuse: dict[int, list[Answer]] = {}
        self.completing: list[Answer] = []
        self.completed: list[dict[str, Any]] = []
        self.gone: set[str] = set()
        server.answers = self.answer

    def answer(self, seen: Seen) -> Answer:
        if seen.method == "PUT":
            upload_id, number = seen.path.split("/")[2:]
            return self._put(upload_id, int(number), seen.body)
        if seen.path.endswith("/init"):
            return self._init()
        if seen.path.endswith("/complete"):
            self.completed.append(json.loads(seen.body))
            return self.completing.pop(0) if self.completing else Answer(202, {"status": "parsing"})
        if "/uploads/" in seen.path:
            return self._state(seen.path.rpartition("/")[2])
        return Answer(200, {"status": "draft"})

    def _init(self) -> Answer:
        upload_id = f"u{len(self.parts)}"
        self.parts[upload_id] = {}
        urls = [{"part_number": n, "url": f"{self.server.url}/part/{upload_id}/{n}"} for n in (1, 2, 3)]
        plan = {"upload_id": upload_id, "part_size": PART, "parts": urls, "expires_at": "2999-01-01T00:00:00+00:00"}
        return Answer(201, plan)

    def _state(self, upload_id: str) -> Answer:
        """What has arrived, and fresh addresses of the other parts; 404: the upload is gone."""
        if upload_id not in self.parts or upload_id in self.gone:
            return Answer(404, {"detail": "No such upload."})
        arrived = self.parts[upload_id]
        parts = [
            {"part_number": n, "received": True, "size": len(arrived[n])}
            if n in arrived
            else {"part_number": n, "received": False, "url": f"{self.server.url}/fresh/{upload_id}/{n}"}
            for n in (1, 2, 3)
        ]
        return Answer(200, {"part_size": PART, "expires_at": "2999-01-01T00:00:00+00:00", "parts": parts})

    def _put(self, upload_id: str, number: int, body: bytes) -> Answer:
        if self.refuse.get(number):
            return self.refuse[number].pop(0)
        self.parts[upload_id][number] = body
        return Answer(200, b"", {"ETag": f'"{upload_id}-{number}"'})

    def put_numbers(self) -> list[int]:
        return [int(seen.path.rpartition("/")[2]) for seen in self.server.seen if seen.method == "PUT"]


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(list_upload, "DIRECT_BYTES", 0)
    monkeypatch.setattr(part_sender, "PARALLEL", 1)  # so that the parts go in their order
    return Store(server)


def upload(url: str, directory: Path, patience_s: float = 0.0) -> Client:
    file, client = directory / "list.csv", Client(url, patience_s)
    if not file.exists():
        file.write_bytes(LIST)
    with UploadBar("list.csv", len(LIST)) as bar:
        uploads = PartialUploads(directory / "state")
        ListUpload(client.connection, uploads, "c1", file, options={"email_column": "mail"}, bar=bar).run()
    return client


def test_parts_go_to_their_addresses_without_the_token(server: Server, store: Store, tmp_path: Path) -> None:
    upload(server.url, tmp_path)
    assert store.parts == {"u0": {1: LIST[:10], 2: LIST[10:20], 3: LIST[20:]}}
    assert {seen.token for seen in server.seen if seen.method == "PUT"} == {None}
    parts = [{"part_number": n, "etag": f'"u0-{n}"'} for n in (1, 2, 3)]
    assert store.completed == [{"upload_id": "u0", "parts": parts, "email_column": "mail"}]
    assert list((tmp_path / "state").iterdir()) == []


def test_an_interrupted_upload_continues_with_the_parts_that_are_missing(
    server: Server, store: Store, tmp_path: Path
) -> None:
    # Given an upload whose second part did not get through
    store.refuse[2] = [Answer(500, b"<Error><Code>InternalError</Code></Error>")]
    with pytest.raises(Unreachable, match="part 2 \\(500 InternalError\\)"):
        upload(server.url, tmp_path)
    kept = next((tmp_path / "state").iterdir())
    assert kept.stat().st_mode & 0o077 == 0
    # When the same command runs again
    client = upload(server.url, tmp_path)
    # Then only the missing parts are sent
    assert store.put_numbers() == [1, 2, 2, 3]
    assert list(store.parts) == ["u0"]
    assert "1 of 3 parts" in client.notes[0]
    # And they go to fresh addresses, so that an upload continues also after a day
    assert [seen.path.split("/")[1] for seen in server.seen if seen.method == "PUT"] == ["part"] * 2 + ["fresh"] * 2


def test_a_part_that_another_machine_has_sent_is_not_sent_again(server: Server, store: Store, tmp_path: Path) -> None:
    # Given an upload that has begun here, and a part of it that arrived without this machine knowing its ETag
    store.refuse[2] = [Answer(500)]
    with pytest.raises(Unreachable):
        upload(server.url, tmp_path)
    store.parts["u0"][3] = LIST[20:]
    # When it continues
    upload(server.url, tmp_path)
    # Then only what is missing is sent, and the server is left to ask the store for the ETags
    assert store.put_numbers() == [1, 2, 2]
    assert "parts" not in store.completed[0]


def test_an_upload_that_is_gone_begins_again(server: Server, store: Store, tmp_path: Path) -> None:
    store.refuse[2] = [Answer(500)]
    with pytest.raises(Unreachable):
        upload(server.url, tmp_path)
    store.gone.add("u0")
    upload(server.url, tmp_path)
    assert sorted(store.parts["u1"]) == [1, 2, 3]


def test_a_part_that_gets_no_response_is_sent_again(server: Server, store: Store, tmp_path: Path) -> None:
    store.refuse[2] = [Answer(0)]
    upload(server.url, tmp_path, PATIENCE_S)
    assert store.put_numbers() == [1, 2, 2, 3]


def test_a_changed_file_is_another_upload(server: Server, store: Store, tmp_path: Path) -> None:
    store.refuse[3] = [Answer(500)]
    with pytest.raises(Unreachable):
        upload(server.url, tmp_path)
    (tmp_path / "list.csv").write_bytes(LIST.replace(b"a@", b"aa@")[:-1])
    upload(server.url, tmp_path)
    assert sorted(store.parts["u1"]) == [1, 2, 3]


def test_an_upload_that_the_store_does_not_know_begins_again(server: Server, store: Store, tmp_path: Path) -> None:
    store.refuse[1] = [Answer(403, b"<Error><Code>AccessDenied</Code></Error>")]
    client = upload(server.url, tmp_path)
    assert sorted(store.parts["u1"]) == [1, 2, 3]
    assert "403 AccessDenied" in client.notes[0]


def test_a_store_that_refuses_every_part_is_not_asked_for_ever(server: Server, store: Store, tmp_path: Path) -> None:
    store.refuse[1] = [Answer(403) for _ in range(9)]
    with pytest.raises(PartRefused):
        upload(server.url, tmp_path)
    assert store.put_numbers() == [1, 1, 1]


def test_parts_that_the_server_misses_are_sent_again(server: Server, store: Store, tmp_path: Path) -> None:
    store.completing = [Answer(409, {"detail": "Parts missing: 2.", "missing": [2], "wrong": [3]})]
    upload(server.url, tmp_path)
    assert store.put_numbers() == [1, 2, 3, 2, 3]
    assert len(store.completed) == 2


def test_a_campaign_that_has_started_ends_the_upload(server: Server, store: Store, tmp_path: Path) -> None:
    store.completing = [Answer(409, {"detail": "The campaign is running."})]
    with pytest.raises(ApiError, match="running"):
        upload(server.url, tmp_path)
    assert len(store.completed) == 1


def test_ctrl_c_ends_an_upload_at_once_and_says_how_to_continue(server: Server, tmp_path: Path) -> None:
    """Even while the object store does not respond."""
    # Given an upload of three parts of 4 MiB, to a store that holds the second one back
    hang, part = threading.Event(), 4 * 1024 * 1024
    (tmp_path / "list.csv").write_bytes(b"x" * 3 * part)
    store = Store(server)

    def answer(seen: Seen) -> Answer:
        if seen.method == "PUT" and seen.path.endswith("/2") and not hang.is_set():
            hang.wait(PATIENCE_S)
            return Answer(0)
        found = store.answer(seen)
        return found._replace(body=found.body | {"part_size": part}) if seen.path.endswith("/init") else found

    server.answers = answer
    environment = clean_environment({
        "POSTRIDER_URL": server.url, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
    })  # fmt: skip
    command = [sys.executable, "-P", "-m", "cli", "upload", "c1", "list.csv", "--no-wait"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )

    def two_are_kept() -> bool:
        kept = [json.loads(file.read_text()) for file in (tmp_path / "state").rglob("*.json")]
        return bool(kept) and len(kept[0]["etags"]) == 2

    until(two_are_kept, "two parts")
    # When the user presses Ctrl-C
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=TIMEOUT_S / 2)  # sooner than the program itself gives the store up
    hang.set()
    # Then the program ends, and the next one sends the rest
    assert process.returncode == ExitCode.INTERRUPTED, told
    assert b"the same command continues it" in told
    assert b"Traceback" not in told
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=PATIENCE_S)
    assert b"2 of 3 parts" in done.stderr
