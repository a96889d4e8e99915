"""A double of SendGrid's v3 mail/send: checks each request by the official rules, records it, and responds as told.

By hand:

    python -m tests.support.doubles.sendgrid --port 8025 --latency-ms 50
    curl localhost:8025/_stats
    curl localhost:8025/_behaviour -d '{"statuses": {"429": 0.3, "503": 0.1}, "retry_after_s": 2}'

In a test, as a separate process that ends with the `with` block or with the test's process:

    with SendGridDouble.running(latency_ms=5) as double:
        ...                                     # SENDGRID_API_URL=double.url
        assert double.stats()["violations"] == 0
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import select
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.support.doubles.certificate import Certificate
from tests.support.doubles.sendgrid_arrivals import Arrivals
from tests.support.doubles.sendgrid_behaviour import Behaviour
from tests.support.doubles.sendgrid_server import FLUSH_EVERY_S, Server

ROOT: Final = Path(__file__).parents[3]
START_TIMEOUT_S: Final = 20.0


class Arrival(NamedTuple):
    """One valid request. `accepted`: whether the double accepted the message, whatever it answered then.

    `time_s` is seconds since the epoch, `digest` what `sendgrid_server.digest` makes of text and html, `payload` the
    whole body if the double keeps content.
    """

    seq: int
    time_s: float
    accepted: bool
    answer: str
    campaign_id: str
    row: int
    to: str
    subject: str
    digest: str
    payload: dict[str, Any] | None


class SendGridDouble:
    """A double that runs in another process."""

    def __init__(self, url: str, control: str) -> None:
        #: For `SENDGRID_API_URL`.
        self.url = url
        self.control = control

    @classmethod
    @contextlib.contextmanager
    def running(
        cls,
        *,
        port: int = 0,
        latency_ms: float = 0.0,
        key: str | None = None,
        keep_content: bool = False,
        tls_dir: Path | None = None,
    ) -> Iterator[SendGridDouble]:
        """Start one and wait until it listens. With `tls_dir`, which then holds `ca.pem`, it speaks TLS."""
        command = [sys.executable, "-m", "tests.support.doubles.sendgrid", "--until-eof", "--port", str(port)]
        command += ["--latency-ms", str(latency_ms), *(["--key", key] if key else [])]
        command += [*(["--keep-content"] if keep_content else []), *(["--tls", str(tls_dir)] if tls_dir else [])]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout
            if not select.select([process.stdout], [], [], START_TIMEOUT_S)[0]:
                raise TimeoutError("the SendGrid double did not start")
            yield cls(**json.loads(process.stdout.readline()))
        finally:
            with process:
                process.terminate()

    def behave(self, **fields: Any) -> dict[str, Any]:
        """Change how it responds from now on; the fields are those of `Behaviour`."""
        answer: dict[str, Any] = self._ask("/_behaviour", fields)
        return answer

    def stats(self) -> dict[str, Any]:
        """Counts of everything since the start or the last `reset`."""
        answer: dict[str, Any] = self._ask("/_stats")
        return answer

    def violations(self) -> list[dict[str, Any]]:
        """The first 1000 requests that broke a rule, with the rules and the start of the body."""
        answer: list[dict[str, Any]] = self._ask("/_violations")
        return answer

    def arrivals(self, since: int = 0) -> list[Arrival]:
        """All valid requests, accepted or not, from number `since` on.

        Requests that come while it reads are left out: a reader that is slower than the sender would never end.
        """
        found: list[Arrival] = []
        total = since + 1
        while since < total and (rows := (page := self._ask(f"/_arrivals?since={since}"))["rows"]):
            total = page["total"] if not found else total
            found += (Arrival(*row) for row in rows)
            since = page["next"]
        return found

    def reset(self) -> None:
        """Forget all arrivals and counts; the behaviour stays."""
        self._ask("/_reset", {})

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(self.control + path, None if body is None else json.dumps(body).encode())  # noqa: S310 - the double's own address
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None


async def serve(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT, or also until the end of stdin if requested."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.until_eof:
        # The process that started this writes nothing, so that anything readable is the end of the input.
        loop.add_reader(sys.stdin, stop.set)
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(Certificate.make(options.tls).chain)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(options.log.open("ab")) if options.log else None
        arrivals = Arrivals(log, options.keep_content)
        server = Server(Behaviour(latency_ms=options.latency_ms), arrivals, options.key)
        port = await server.listen(options.host, options.port, tls)
        control = await server.listen_for_control(options.host, options.control_port)
        scheme = "https" if tls else "http"
        ready = {"url": f"{scheme}://{options.host}:{port}", "control": f"http://{options.host}:{control}"}
        print(json.dumps(ready), flush=True)  # noqa: T201 - the process that started this waits for the line
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FLUSH_EVERY_S)
            arrivals.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.doubles.sendgrid", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one; the first line of output names it")
    parser.add_argument("--control-port", type=int, default=0, help="answers /_... even while --port is closed")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--key", help="answer 401 to every other API key")
    parser.add_argument("--log", type=Path, help="append every arrival to this file, one JSON array per line")
    parser.add_argument("--keep-content", action="store_true", help="keep whole requests, not only a digest")
    parser.add_argument("--tls", type=Path, metavar="DIR", help="speak TLS; a client has to trust DIR/ca.pem")
    parser.add_argument("--until-eof", action="store_true", help="end when the standard input ends")
    options = parser.parse_args()
    try:
        import uvloop  # noqa: PLC0415 - the double also runs without it, at half the speed

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        runner.run(serve(options))


if __name__ == "__main__":
    main()
