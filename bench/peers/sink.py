"""A provider that accepts everything, at some 20 us of CPU per request: it checks nothing and counts recipients.

    python -m bench.peers.sink PORT [LATENCY_MS]

`GET /` answers the counts since the last `POST /` as JSON; the times are seconds since the epoch.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from array import array
from typing import Final, cast

import uvloop

from embedded.ports import LOOPBACK

_TO: Final = re.compile(rb'"to":\[\{"email":"([^"]+)"')
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SEND: Final = b"POST /v3/mail/send "


class Counts:
    """What has arrived: recipients, their times of arrival, requests, and bytes with the HTTP heads."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.addresses: set[bytes] = set()
        self.times = array("d")
        self.requests = self.bytes = 0

    def add(self, request: bytes) -> None:
        """Count a request."""
        found = _TO.findall(request)
        self.addresses.update(found)
        self.times.extend([time.time()] * len(found))
        self.requests += 1
        self.bytes += len(request)

    def report(self) -> dict[str, float]:
        """The counts. `middle_rate`: recipients per second between 10 % and 90 % of them."""
        times, count = self.times, len(self.times)
        report: dict[str, float] = {
            "recipients": count, "distinct": len(self.addresses), "requests": self.requests, "bytes": self.bytes
        }  # fmt: skip
        if count > 10:
            low, high = count // 10, count * 9 // 10
            middle = (high - low) / max(1e-6, times[high] - times[low])
            report |= {"first_s": times[0], "last_s": times[-1], "middle_rate": middle}
        return report


class Connection(asyncio.Protocol):
    """A keep-alive connection."""

    def __init__(self, counts: Counts, latency_s: float) -> None:
        self._counts, self._latency_s = counts, latency_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is no Transport by class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer, 0, head + 2)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < end:
                return
            request, self._buffer = self._buffer[:end], self._buffer[end:]
            self._respond(request)

    def _respond(self, request: bytes) -> None:
        if not request.startswith(_SEND):
            if request.startswith(b"POST"):
                self._counts.reset()
            body = json.dumps(self._counts.report()).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            return
        self._counts.add(request)
        response = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: %016d\r\nContent-Length: 0\r\n\r\n" % self._counts.requests
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, response)
        else:
            self._transport.write(response)


async def serve(port: int, latency_s: float) -> None:
    """Run until SIGTERM."""
    loop, stop, counts = asyncio.get_running_loop(), asyncio.Event(), Counts()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await loop.create_server(lambda: Connection(counts, latency_s), LOOPBACK, port, backlog=4096)
    await stop.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), float((sys.argv[2:] or ["0"])[0]) / 1000))
