"""The provider of `make demo`: takes requests of SendGrid's v3 API, throttles, fails and forgets, and keeps books.

It sends no email. What it does depends on the number of requests, so that each demo is alike:

- after `THROTTLES_AFTER` requests it refuses all of them for a while (429);
- after `FAILS_AFTER` requests it fails many of them for a while (503);
- all the time it forgets some: it accepts the email and never answers, or breaks the connection and accepts nothing.

Control: `GET /_books`, `POST /_calm` (no more trouble) and `POST /_tell` with `{"url"}`: send the events of all
accepted emails there, signed as SendGrid signs them. `GET /_key` is the public key.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
import time
import urllib.request
from collections import Counter
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from embedded.ports import LOOPBACK

THROTTLES_AFTER: Final = 400
THROTTLES_S: Final = 3.0
FAILS_AFTER: Final = 1300
FAILS_S: Final = 4.0
#: Of the requests while it fails, one in so many is served.
SERVED_ONE_IN: Final = 3
#: One request in so many is accepted without an answer; one in so many is dropped and not accepted.
SILENT_ONE_IN: Final = 101
DROPPED_ONE_IN: Final = 131
LATENCY_S: Final = 0.03
#: Events per request of the webhook.
EVENTS: Final = 500

_PHRASES: Final = {200: "OK", 202: "Accepted", 404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}


class Provider:
    """The account: its books, its trouble and its webhook's key."""

    def __init__(self) -> None:
        self.accepted: Counter[int] = Counter()
        self.answers: Counter[str] = Counter()
        self.requests = 0
        self.calm = False
        self._began: dict[str, float] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._campaign_id = ""

    @property
    def public_key(self) -> str:
        """The webhook's verification key, as SendGrid shows it."""
        key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(key).decode()

    def answer(self, payload: dict[str, Any]) -> str:
        """What becomes of a request: a status, `silent` or `dropped`."""
        self.requests += 1
        found = "202" if self.calm else self._trouble()
        self.answers[found] += 1
        if found in {"202", "silent"}:
            for one in payload["personalizations"]:
                ids = one.get("custom_args") or payload["custom_args"]
                self._campaign_id = ids["campaign_id"]
                self.accepted[int(ids["row"])] += 1
        return found

    def _trouble(self) -> str:
        if self._lasts("throttles", THROTTLES_AFTER, THROTTLES_S):
            return "429"
        if self._lasts("fails", FAILS_AFTER, FAILS_S) and self.requests % SERVED_ONE_IN:
            return "503"
        if not self.requests % SILENT_ONE_IN:
            return "silent"
        return "202" if self.requests % DROPPED_ONE_IN else "dropped"

    def _lasts(self, trouble: str, after: int, for_s: float) -> bool:
        """Whether a trouble that begins with a request lasts yet."""
        if self.requests < after:
            return False
        began = self._began.setdefault(trouble, time.monotonic())
        return time.monotonic() - began < for_s

    def books(self) -> dict[str, Any]:
        """What it has accepted, by row, and how it has answered."""
        return {"accepted": {str(row): times for row, times in self.accepted.items()}, "answers": dict(self.answers)}

    def tell(self, url: str) -> int:
        """Send an event of each accepted email; return their number."""
        rows = sorted(self.accepted)
        for start in range(0, len(rows), EVENTS):
            self._send(url, [self._event(row) for row in rows[start : start + EVENTS]])
        return len(rows)

    def _event(self, row: int) -> dict[str, Any]:
        now = int(time.time())
        ids = {"campaign_id": self._campaign_id, "row": str(row), "sg_event_id": f"event-{row}"}
        return {"event": "delivered", "email": "someone@example.com", "timestamp": now, **ids}

    def _send(self, url: str, events: list[dict[str, Any]]) -> None:
        body = json.dumps(events).encode()
        stamp = str(int(time.time()))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        }
        urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30).close()  # noqa: S310


async def _serve(provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: requests in turn."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            lengths = [line[15:] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            if target == "/v3/mail/send":
                found = provider.answer(json.loads(body))
                await asyncio.sleep(LATENCY_S)
                if found == "dropped":
                    return
                if found == "silent":
                    await asyncio.sleep(3600)
                _write(writer, int(found), b"")
            else:
                _write(writer, 200, await _controlled(provider, method, target, body))
            await writer.drain()


async def _controlled(provider: Provider, method: str, target: str, body: bytes) -> bytes:
    match method, target:
        case "GET", "/_books":
            return json.dumps(provider.books()).encode()
        case "GET", "/_key":
            return json.dumps({"public_key": provider.public_key}).encode()
        case "POST", "/_calm":
            provider.calm = True
        case "POST", "/_tell":
            count = await asyncio.to_thread(provider.tell, json.loads(body)["url"])
            return json.dumps({"events": count}).encode()
    return b"{}"


def _write(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    wait = "Retry-After: 1\r\n" if status == 429 else ""
    head = f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Length: {len(body)}\r\nX-Message-Id: demo\r\n{wait}\r\n"
    writer.write(head.encode() + body)


async def main(port: int) -> None:
    """Serve until the process ends."""
    provider = Provider()
    server = await asyncio.start_server(lambda reader, writer: _serve(provider, reader, writer), LOOPBACK, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
