"""Postrider's API as a user calls it, over HTTP, and a watch over a campaign's status."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

from embedded.ports import LOOPBACK
from tests.support.waiting import PATIENCE_S, until

CONTENT: Final = {"from": "News <news@shop.test>", "subject": "Hello {{ email }}", "text": "Dear {{ email }}"}
#: How often a watch reads the status, in s.
SAMPLE_S: Final = 0.1


class ApiError(AssertionError):
    """The API returned an error. `status`: the HTTP status; `answer`: the body, decoded if it is JSON."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"{status}: {answer}")
        self.status = status
        self.answer = answer


class Client:
    """One user of the web process that listens on `port`. `token`: the API token, if the API requires one."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self._credentials = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """Send one request; return the status and body, whatever they are. `body`: bytes are sent unchanged, anything
        else as JSON.

        Raises:
            OSError, http.client.HTTPException: there was no response.
        """
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": content_type, **self._credentials}
        return send(method, f"http://{LOOPBACK}:{self.port}{path}", data, headers)[:2]

    def call(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """Send one request; return the decoded response.

        Raises:
            ApiError: the response was an error. Otherwise as `ask`.
        """
        status, raw = self.ask(method, path, body, content_type=content_type)
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = raw
        if status >= 400:
            raise ApiError(status, answer)
        return answer

    def ready(self) -> bool:
        """Whether the web process reaches Redis and S3."""
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def put(self, campaign_id: str, **content: Any) -> None:
        """Create a campaign from `CONTENT` and the given fields."""
        self.call("PUT", f"/campaigns/{campaign_id}", CONTENT | content)

    def upload(self, campaign_id: str, csv: bytes) -> None:
        """Upload a small list in one request."""
        self.call("POST", f"/campaigns/{campaign_id}/upload", csv, content_type="text/csv")

    def upload_in_parts(self, campaign_id: str, csv: bytes, **more: Any) -> int:
        """Upload a list of any size by presigned addresses, in the parts that the API asks for; return the number of
        parts.

        `more`: further fields of `upload/complete`.
        """
        upload = self.call("POST", f"/campaigns/{campaign_id}/upload/init", {"size": len(csv), "filename": "list.csv"})
        parts = []
        for part in upload["parts"]:
            number, start = part["part_number"], (part["part_number"] - 1) * upload["part_size"]
            status, answer, headers = send("PUT", part["url"], csv[start : start + upload["part_size"]], {})
            assert status == 200, answer
            parts.append({"part_number": number, "etag": headers["ETag"]})
        body = {"upload_id": upload["upload_id"], "parts": parts} | more
        assert self.call("POST", f"/campaigns/{campaign_id}/upload/complete", body) == {"status": "parsing"}
        return len(parts)

    def start(self, campaign_id: str) -> str:
        """Start a campaign; return its status then. A campaign that is being parsed starts when parsing ends."""
        return str(self.call("POST", f"/campaigns/{campaign_id}/start")["status"])

    def pause(self, campaign_id: str) -> int:
        """Pause a campaign; return the number of rows in flight."""
        return int(self.call("POST", f"/campaigns/{campaign_id}/pause")["in_flight"])

    def resume(self, campaign_id: str) -> None:
        self.call("POST", f"/campaigns/{campaign_id}/resume")

    def rate(self, campaign_id: str, tpm: int) -> None:
        """Set a campaign's rate, in emails per minute."""
        assert self.call("POST", f"/campaigns/{campaign_id}/rate-limit", {"tpm": tpm}) == {"rate_limit": tpm}

    def reconcile(self, campaign_id: str, **order: Any) -> dict[str, Any]:
        """Have a campaign reconciled, wait for the report and return it."""
        path = f"/campaigns/{campaign_id}/reconcile"
        before = self.ask("GET", path)
        self.call("POST", path, order)
        until(lambda: self.ask("GET", path) != before, "another report")
        report: dict[str, Any] = self.call("GET", path)
        return report

    def status(self, campaign_id: str) -> dict[str, Any]:
        """A campaign's status report."""
        found: dict[str, Any] = self.call("GET", f"/campaigns/{campaign_id}/status")
        return found

    def until(self, campaign_id: str, condition: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until a status report meets a condition; return the report. Calls without a response are repeated."""
        last: dict[str, Any] = {}

        def met() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException, ApiError):
                last.update(self.status(campaign_id))
                return condition(last)
            return False

        try:
            until(met, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {last}") from None
        return last

    def until_status(self, campaign_id: str, *wanted: str) -> dict[str, Any]:
        """Wait until a campaign has one of these statuses; return its status report."""
        return self.until(campaign_id, lambda report: report["status"] in wanted, f"{campaign_id} {wanted}")

    def watch(self, campaign_id: str) -> Watch:
        """A context manager that samples the status meanwhile; call `check()` on it at the end."""
        return Watch(self, campaign_id)

    def recipients(self, campaign_id: str, state: str = "all") -> bytes:
        """`recipients.csv`."""
        status, csv = self.ask("GET", f"/campaigns/{campaign_id}/recipients.csv?state={state}")
        assert status == 200, csv
        return csv


class Watch:
    """Reads a campaign's status ten times per second in a thread and checks each against the invariants.

    `samples`: (seconds by the monotonic clock, status) of each response; `missed`: how often there was none.
    """

    def __init__(self, client: Client, campaign_id: str) -> None:
        self._client = client
        self._campaign_id = campaign_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.samples: list[tuple[float, dict[str, Any]]] = []
        self.broken: list[dict[str, Any]] = []
        self.missed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(PATIENCE_S)

    def check(self) -> None:
        """Raises AssertionError if a status contradicted itself, or if there was none at all."""
        assert not self.broken, f"{len(self.broken)} of {len(self.samples)} do not add up: {self.broken[:3]}"
        assert self.samples

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            try:
                status = self._client.status(self._campaign_id)
            except (OSError, http.client.HTTPException, ApiError):
                self.missed += 1
                continue
            self.samples.append((time.monotonic(), status))
            if not adds_up(status):
                self.broken.append(status)


def adds_up(status: Mapping[str, Any]) -> bool:
    """Whether a status report obeys invariant 1: `done + failed + pending = total`, all of them counts."""
    names = ("done", "failed", "pending", "unknown", "in_flight", "total", "rejected")
    counts: list[int] = [status[name] for name in names]
    done, failed, pending, unknown, in_flight, total, _rejected = counts
    return done + failed + pending == total and pending >= unknown + in_flight and min(counts) >= 0


def send(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Send one HTTP request; return status, body and headers of the response, whatever it is."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_S)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()
