"""A double of Amazon SES v2 SendEmail: checks signature and rules of each request, records it, and answers as told.

    with SesDouble.running() as double:             # SES_ENDPOINT_URL=double.url
        double.rules["flaky@*"] = ["InternalServerError", "200"]
        ...
        assert double.violations == []

`python -m tests.support.doubles.ses --port 8026 --latency-ms 50` runs it alone. Source:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import fnmatch
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

START_TIMEOUT_S: Final = 60.0
PATH: Final = "/v2/email/outbound-emails"
REGION: Final = "eu-west-1"
#: The credentials that the double knows: access key id -> secret access key.
KEY_ID: Final = "AKIDEXAMPLE"
SECRET: Final = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

#: The status of each error; every other one has 400.
STATUSES: Final = {
    "TooManyRequestsException": 429,
    "NotFoundException": 404,
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "InvalidSignatureException": 403,
    "UnrecognizedClientException": 403,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIELDS: Final = {"Destination", "Content", "EmailTags", "ConfigurationSetName"}


class Arrival(NamedTuple):
    """One signed request. `accepted`: whether the double accepted the email, whatever it answered then."""

    accepted: bool
    answer: str
    campaign_id: str
    row: int
    to: str
    raw: bytes
    configuration_set: str | None
    key_id: str


@dataclass
class SesDouble:
    """How it answers, and what has arrived.

    Args:
        rules: pattern of an address -> the answers to its requests in turn, the last one for all further ones. An
            answer is `200`, `reset` (the connection breaks), `hang` (no answer), `accept-reset` or `accept-hang` (the
            same, after the email was accepted), a status such as `502`, or an error and its message, such as
            `MessageRejected: Bad content`.
        keys: access key id -> secret access key; a session token is not checked.
    """

    latency_s: float = 0.0
    rules: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=lambda: {KEY_ID: SECRET})
    is_checking: bool = True
    arrivals: list[Arrival] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    connections: int = 0
    requests: int = 0
    url: str = ""
    _asked: dict[str, int] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def running(cls, **fields: Any) -> Iterator[SesDouble]:
        """Start one on a free port, in a thread of this process."""
        double = cls(**fields)
        ready = threading.Event()
        stop = asyncio.Event()
        loop = asyncio.new_event_loop()

        async def serve() -> None:
            server = await double.listen(0)
            ready.set()
            await stop.wait()
            server.close()

        def run() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:  # its end cancels what still hangs
                runner.run(serve())

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert ready.wait(START_TIMEOUT_S)
            yield double
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()

    async def listen(self, port: int) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, backlog=1024, limit=2**16)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    def accepted(self) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if arrival.accepted]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. Return whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests += 1
        answer = self._answer(head[0], headers, body)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        kind = answer.removeprefix("accept-")
        if kind == "hang":
            await asyncio.Event().wait()
        if kind == "reset":
            writer.transport.abort()
            return False
        writer.write(_response(kind, self.requests))
        await writer.drain()
        return True

    def _answer(self, first: str, headers: dict[str, str], body: bytes) -> str:
        if not self.is_checking:
            return "200"
        if first != f"POST {PATH} HTTP/1.1":
            self.violations.append(first)
            return "404"
        key_id = self._signer(headers, body)
        if key_id is None:
            return "InvalidSignatureException: The request signature we calculated does not match"
        request = json.loads(body)
        broken = problems(request)
        self.violations += broken
        if broken:
            return f"BadRequestException: {broken[0]}"
        to = request["Destination"]["ToAddresses"][0]
        answer = self._next(to)
        tags = {tag["Name"]: tag["Value"] for tag in request["EmailTags"]}
        accepted = answer == "200" or answer.startswith("accept-")
        raw = base64.b64decode(request["Content"]["Raw"]["Data"])
        self.arrivals.append(
            Arrival(
                accepted,
                answer,
                tags["campaign_id"],
                int(tags["row"]),
                to,
                raw,
                request.get("ConfigurationSetName"),
                key_id,
            )
        )
        return answer

    def _next(self, to: str) -> str:
        for pattern, answers in self.rules.items():
            if fnmatch.fnmatch(to, pattern):
                asked = self._asked.get(to, 0)
                self._asked[to] = asked + 1
                return answers[min(asked, len(answers) - 1)]
        return "200"

    def _signer(self, headers: dict[str, str], body: bytes) -> str | None:
        """The access key that has signed the request, by botocore's reckoning; None if the signature is wrong."""
        found = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/.*Signature=(\w+)$", headers.get("authorization", ""))
        if found is None or found[1] not in self.keys:
            return None
        token = headers.get("x-amz-security-token")
        auth = SigV4Auth(Credentials(found[1], self.keys[found[1]], token), "ses", REGION)
        signed = {name: headers[name] for name in ("host", "content-type", "x-amz-date")}
        if token:
            signed["x-amz-security-token"] = token
        request = AWSRequest("POST", f"http://{headers['host']}{PATH}", headers=signed, data=body)
        request.context["timestamp"] = headers["x-amz-date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return found[1] if auth.signature(text, request) == found[2] else None


def problems(request: Any) -> list[str]:
    """The rules of SES that a request breaks."""
    raw = base64.b64decode(request["Content"]["Raw"]["Data"], validate=True)
    found = [f"unknown field {name}" for name in request.keys() - _FIELDS]
    found += [f"tag {tag}" for tag in request["EmailTags"] if not all(map(_TAG.fullmatch, (tag["Name"], tag["Value"])))]
    if len(request["Destination"]["ToAddresses"]) != 1 or request["Destination"].keys() != {"ToAddresses"}:
        found.append("not one recipient")
    if not raw.isascii() or any(len(line) > 998 or b"\n" in line or b"\r" in line for line in raw.split(b"\r\n")):
        found.append("not 7-bit lines of at most 998 characters")
    return found


def _response(answer: str, number: int) -> bytes:
    if answer == "200":
        return _http(200, json.dumps({"MessageId": f"double-{number}"}).encode())
    if answer.isdigit():
        return _http(int(answer), b"<html>from a proxy</html>")
    name, _, message = answer.partition(": ")
    more = f"x-amzn-ErrorType: {name}:http://internal.amazon.com/coral/com.amazonaws.ses/\r\n".encode()
    return _http(STATUSES.get(name, 400), json.dumps({"message": message}).encode(), more)


def _http(status: int, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (status, len(body))
    return head + more + b"\r\n" + body


async def _run(port: int, latency_ms: float) -> None:
    double = SesDouble(latency_s=latency_ms / 1000, is_checking=False)
    server = await double.listen(port)
    print(double.url, flush=True)  # noqa: T201 - the process that started this waits for the line
    await server.serve_forever()


def main() -> None:
    """Run one alone, which accepts everything unchecked, for measurements."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(options.port, options.latency_ms))


if __name__ == "__main__":
    main()
