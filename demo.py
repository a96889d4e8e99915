"""`make demo`: 2,000 made-up people, while the provider throttles, fails and forgets, and a worker is killed.

It ends with the books: it exits with 0 only if no one was lost and no one got two emails.

Everything runs in a directory of its own, on free ports, and is gone afterwards. No email leaves this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.live import Live

from cli.progress_view import picture
from cli.wording import line, number
from embedded import lock, ports
from embedded.demo_people import PEOPLE, people
from embedded.processes import Child, Program, StartError, Supervisor
from run import House
from settings import load

#: The campaign's id and its rate, in emails per minute.
CAMPAIGN: Final = "demo"
TPM: Final = 6_000
#: A worker is killed once this many emails are done.
KILL_AT: Final = 900
#: How often the status is asked for, and how often a line of it is printed where stdout is no terminal, in seconds.
LOOK_S: Final = 0.25
LINE_S: Final = 5.0
#: The longest time for the whole demo, in seconds.
PATIENCE_S: Final = 170.0
#: What the programs get of the user's environment: nothing that is a setting of Postrider or of AWS.
KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


class WrongBooks(Exception):
    """The demo did not end as it has to; the message says what is wrong."""


class View:
    """The terminal: a live picture with the story above it, or plain lines where stdout is no terminal."""

    def __init__(self) -> None:
        self.console = Console()
        self._live = Live(console=self.console, auto_refresh=False) if sys.stdout.isatty() else None
        self._due_s = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Tell what happens next."""
        self.console.print(f"[bold]>[/] {text}", highlight=False, soft_wrap=True)

    def show(self, status: dict[str, Any]) -> None:
        """Show a status."""
        if self._live:
            self._live.update(picture(CAMPAIGN, status), refresh=True)
        elif time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + LINE_S
            print(line(CAMPAIGN, status, datetime.now().astimezone()), flush=True)  # noqa: T201 - the demo's output


@dataclass
class Demo:
    """One demo. `port`: of the web process; `provider`: the provider's address."""

    house: House
    view: View
    port: int
    provider: str
    started_s: float = field(default_factory=time.monotonic)

    async def play(self) -> None:
        """Play the whole story.

        Raises:
            WrongBooks: the books are wrong, or it took too long.
        """
        self.view.say(f"Watch it at http://localhost:{self.port}/ as well. No email leaves this machine.")
        self._make_campaign()
        async for status in self._statuses():
            if status["status"] == "ready":
                break
        self._api("POST", f"/campaigns/{CAMPAIGN}/start", {"accept_warnings": True})
        self.view.say(f"{number(PEOPLE)} people, at most {number(TPM)} emails per minute, two workers.")
        await self._until_only_unknown()
        await self._decide_unknown()
        self._close_books()

    def _make_campaign(self) -> None:
        content = {
            "from": "Demo <demo@example.com>",
            "subject": "Hello {{ name }}",
            "text": "Dear {{ name }}, this email never leaves your machine.\n\n{{ unsubscribe_url }}\n",
            "tpm": TPM,
        }
        self._api("PUT", f"/campaigns/{CAMPAIGN}", content)
        self._api("POST", f"/campaigns/{CAMPAIGN}/upload?filename=people.csv", people().encode(), "text/csv")

    async def _until_only_unknown(self) -> None:
        """Watch the campaign until each row is done, failed or unknown; kill a worker on the way."""
        told: set[str] = set()
        async for status in self._statuses():
            self._tell_troubles(told)
            if status["done"] >= KILL_AT and "killed" not in told:
                told.add("killed")
                worker = self.house.workers[0]
                self.view.say(f"A worker is killed (kill -9), with {status['in_flight']} emails on their way.")
                _kill(worker)
            if status["status"] == "paused":
                raise WrongBooks(f"the campaign has paused: {status['reason']}")
            if status["status"] == "completed":
                return

    def _tell_troubles(self, told: set[str]) -> None:
        answers = self._books()["answers"]
        for answer, text in (
            ("429", "The provider throttles (429): all workers wait as long as it asks, and no attempt is lost."),
            ("503", "The provider fails (503): Postrider retries these emails later."),
            ("silent", "The provider forgets: it accepts an email, and its answer never comes. That row is unknown."),
        ):
            if answers.get(answer) and answer not in told:
                told.add(answer)
                self.view.say(text)

    async def _decide_unknown(self) -> None:
        """Let the provider's events decide about the unknown rows, and then send those of which it knows nothing."""
        status = self._status()
        self.view.say(f"{status['unknown']} rows are unknown: the provider may have these emails. None is sent again.")
        self._ask_provider("POST", "/_calm")
        webhook = f"http://127.0.0.1:{self.port}/webhooks/sendgrid"
        told = self._ask_provider("POST", "/_tell", {"url": webhook})["events"]
        left = self._status()["unknown"]
        self.view.say(f"The provider's {number(told)} events arrive: it has all of them but {left}.")
        if left:
            self._api("POST", f"/campaigns/{CAMPAIGN}/reconcile", {"unknown": "resend"})
            self.view.say(f"The operator has these {left} sent again, since the provider does not have them.")
        async for status in self._statuses():
            if status["status"] == "completed" and not status["unknown"]:
                return

    def _close_books(self) -> None:
        """Compare what Postrider says with what the provider has.

        Raises:
            WrongBooks
        """
        status, books = self._status(), self._books()
        accepted = {int(row): times for row, times in books["accepted"].items()}
        states = Counter(row["state"] for row in csv.DictReader(io.StringIO(self._recipients())))
        lost = sorted(set(range(1, PEOPLE + 1)) - set(accepted))
        twice = sorted(row for row, times in accepted.items() if times > 1)
        answers = Counter(books["answers"])
        lines = {
            "recipients": PEOPLE,
            "done, says Postrider": status["done"],
            "done, in its list of recipients": states["done"],
            "emails that the provider has": sum(accepted.values()),
            "lost": len(lost),
            "twice": len(twice),
        }
        self.view.say(
            f"The books after {time.monotonic() - self.started_s:.0f} s, {answers['429']} refusals, {answers['503']} "
            f"failures, {answers['silent'] + answers['dropped']} missing answers and a killed worker:"
        )
        for name, count in lines.items():
            self.view.console.print(f"  {name:34}{number(count):>7}", highlight=False)
        right = status["done"] == states["done"] == sum(accepted.values()) == PEOPLE and not status["pending"]
        if lost or twice or not right:
            raise WrongBooks(f"lost: {lost[:10]}, twice: {twice[:10]}, status: {status}")
        self.view.say("[green]No one was lost, and no one got two emails.[/]")

    async def _statuses(self) -> AsyncIterator[dict[str, Any]]:
        """The status, shown, every `LOOK_S`."""
        while True:
            if time.monotonic() - self.started_s > PATIENCE_S:
                raise WrongBooks(f"it takes longer than {PATIENCE_S:g} s: {self._status()}")
            status = self._status()
            self.view.show(status)
            yield status
            await asyncio.sleep(LOOK_S)

    def _status(self) -> dict[str, Any]:
        found: dict[str, Any] = self._api("GET", f"/campaigns/{CAMPAIGN}/status")
        return found

    def _recipients(self) -> str:
        return _ask(f"http://127.0.0.1:{self.port}/campaigns/{CAMPAIGN}/recipients.csv", "GET").decode()

    def _books(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask_provider("GET", "/_books")
        return found

    def _ask_provider(self, method: str, path: str, body: Any = None) -> Any:
        return json.loads(_ask(self.provider + path, method, body))

    def _api(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> Any:
        return json.loads(_ask(f"http://127.0.0.1:{self.port}{path}", method, body, media_type))


def _ask(url: str, method: str, body: Any = None, media_type: str = "application/json") -> bytes:
    """A request to this machine. It blocks the event loop for some milliseconds: nothing else needs it meanwhile."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": media_type}, method=method)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        found: bytes = response.read()
    return found


def _kill(child: Child) -> None:
    """Kill a worker and the process that sends, at once."""
    if child.pid is not None:
        os.killpg(child.pid, signal.SIGKILL)


async def perform(directory: Path, held: int) -> int:
    """Start everything, play the story, and stop everything; return the exit code."""
    supervisor, interrupted = Supervisor(), asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, interrupted.set)
    with View() as view:
        playing = asyncio.create_task(_played(supervisor, view, directory, held))
        waiting = asyncio.create_task(interrupted.wait())
        try:
            await asyncio.wait({playing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                view.say("Interrupted: stopping everything.")
                return 130
            await _until_read(view, playing.result(), waiting)
        except (WrongBooks, StartError, OSError) as error:
            view.say(f"[red]The demo failed:[/] {error}")
            return 1
        finally:
            await asyncio.gather(playing, return_exceptions=True)
            waiting.cancel()
            await supervisor.stop()
    return 0


async def _until_read(view: View, port: int, waiting: asyncio.Task[Any]) -> None:
    """At a terminal, keep the page until Ctrl-C."""
    if sys.stdout.isatty() and sys.stdin.isatty():
        view.say(f"Look around at http://localhost:{port}/ as long as you like; Ctrl-C ends the demo.")
        await waiting


async def _played(supervisor: Supervisor, view: View, directory: Path, held: int) -> int:
    """Start the provider and the house, and play the story; return the port of the web process."""
    provider_port, port = ports.free_port(), ports.free_port()
    provider = f"http://{ports.LOOPBACK}:{provider_port}"
    command = [sys.executable, "-m", "embedded.demo_provider", str(provider_port)]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    [child] = supervisor.start(Program("provider", command, environment, log=directory / "provider.log"))

    async def listens() -> bool:
        return ports.answers(provider_port)

    view.say("Starting Redis, an object store, the web process, two workers and a provider.")
    await child.until(listens)
    environment |= {
        "PORT": str(port),
        "VAR_DIR": str(directory),
        "PYTHONUNBUFFERED": "1",
        "WORKER_PROCESSES": "2",
        "SENDGRID_API_KEY": "demo",
        "SENDGRID_API_URL": provider,
        "SENDGRID_WEBHOOK_PUBLIC_KEY": json.loads(_ask(f"{provider}/_key", "GET"))["public_key"],
        "SEND_TIMEOUT_S": "3",
        "RETRY_MIN_BACKOFF_S": "0.5",
        "RETRY_MAX_BACKOFF_S": "2",
        "RECONCILE_EVERY_S": "5",
    }
    house = House(load(environment), environment, held, supervisor, redis_port=0, s3_port=0, quiet=True)
    await house.start()
    await Demo(house, view, port, provider).play()
    return port


def main() -> int:
    """Run the demo in a directory of its own; return the exit code."""
    os.umask(0o077)
    with (
        tempfile.TemporaryDirectory(prefix="postrider-demo-", ignore_cleanup_errors=True) as made,
        lock.exclusive(Path(made) / "run.lock") as held,
        contextlib.suppress(KeyboardInterrupt),
    ):
        return asyncio.run(perform(Path(made), held))
    return 130


if __name__ == "__main__":
    sys.exit(main())
