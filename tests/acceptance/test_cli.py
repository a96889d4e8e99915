"""The command line as people and scripts use it: its own process, against the real web process, workers and stores."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.services import ROOT, clean_environment
from tests.support.stack import Stack
from tests.support.waiting import PATIENCE_S, until

ROWS: Final = 40
CONTENT: Final = ("--from", "News <news@shop.test>", "--subject", "Hello {{ name }}")
ESCAPE: Final = "\x1b"


class Terminal:
    """One user of the command line, with a home of their own."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self.home = home
        self.environment = clean_environment({
            "POSTRIDER_URL": f"http://127.0.0.1:{stack.port}", "HOME": str(home), "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"), "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120",
        })  # fmt: skip
        (home / "text.txt").write_text("Dear {{ name }}")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "cli", *words]

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command with pipes; check its exit code, and that nothing of it is for a terminal."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        assert ESCAPE not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code).stdout.splitlines()[-1])

    def start(self, *words: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def list_of(self, rows: int, name: str = "people.csv", padding: int = 0) -> str:
        lines = "".join(f"reader{row}@shop.test,Reader {row},{'x' * padding}\n" for row in range(1, rows + 1))
        (self.home / name).write_text("email,name,more\n" + lines)
        return name


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.open(tmp_path_factory.mktemp("stack")) as found:
        found.double.behave(rules=[{"to": "reader7@*", "answers": ["400"]}])
        found.add_worker()
        yield found


@pytest.fixture
def terminal(stack: Stack, tmp_path: Path) -> Terminal:
    return Terminal(stack, tmp_path)


def test_the_command_of_the_repository_works_from_any_directory(tmp_path: Path) -> None:
    # Given a link to the command, in a directory with another `cli`
    (tmp_path / "postrider").symlink_to(ROOT / "postrider")
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "__main__.py").write_text("raise SystemExit(9)")
    # When it is run there
    command = [str(tmp_path / "postrider"), "recipients", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=PATIENCE_S)
    # Then it is this one
    assert done.returncode == 0, done.stderr
    assert b"postrider recipients" in done.stdout


def test_one_command_sends_a_campaign_and_says_who_failed(terminal: Terminal, stack: Stack) -> None:
    # Given a list in which the provider refuses one address
    people = terminal.list_of(ROWS)
    # When it is sent and watched to its end
    words = ("send", people, *CONTENT, "--text", "text.txt", "--tpm", "100000", "--name", "one", "--yes", "--watch")
    done = terminal.run(*words, code=1)
    # Then the lines end with the counts, and the error names the next step
    assert "one completed: done 39, failed 1, pending 0" in done.stdout.splitlines()[-1]
    assert "postrider recipients one --state failed" in done.stderr
    failed = terminal.run("recipients", "one", "--state", "failed").stdout.splitlines()
    assert len(failed) == 2
    assert failed[1].startswith('"7","reader7@shop.test","failed"')
    terminal.run("recipients", "one", "-o", "all.csv")
    assert len((terminal.home / "all.csv").read_text().splitlines()) == ROWS + 1
    assert terminal.json("recipients", "one", "--state", "failed")["row"] == 7
    assert {arrival.row for arrival in stack.double.arrivals() if arrival.accepted} == {*range(1, ROWS + 1)} - {7}
    # And the same id again is refused by the state
    refused = terminal.run("send", people, *CONTENT, "--text", "text.txt", "--name", "one", "--yes", code=4)
    assert "already exists" in refused.stderr


def test_a_large_list_step_by_step(terminal: Terminal) -> None:
    # Given a campaign and a list of three parts
    people = terminal.list_of(20_000, padding=1_000)
    assert terminal.json("new", "big", *CONTENT, "--text", "text.txt", "--tpm", "60")["status"] == "draft"
    # When the list is uploaded
    status = terminal.json("upload", "big", people)
    # Then it is ready, and nothing of the upload is left
    assert (status["status"], status["total"]) == ("ready", 20_000)
    assert list((terminal.home / "state").rglob("*.json")) == []
    # And each control does what it says
    assert terminal.json("start", "big")["status"] == "running"
    assert terminal.json("rate", "big", "120") == {"rate_limit": 120}
    assert terminal.json("pause", "big")["status"] == "paused"
    assert terminal.json("resume", "big")["status"] == "running"
    assert "repaired" in terminal.json("reconcile", "big")
    assert "big running: done" in terminal.run("status", "big").stdout
    assert any(line.startswith("big\trunning") for line in terminal.run("list").stdout.splitlines())
    assert "subject: Hello {{ name }}" in terminal.run("show", "big").stdout
    assert "--yes" in terminal.run("cancel", "big", code=2).stderr
    assert terminal.json("cancel", "big", "--yes")["status"] == "cancelled"
    terminal.run("watch", "big", code=1)
    terminal.run("start", "big", code=4)
    terminal.run("delete", "big", "--yes")
    assert "No campaign has this id" in terminal.run("status", "big", code=3).stderr


def test_a_list_is_checked_before_it_is_uploaded_and_suppressed_people_are_left_out(terminal: Terminal) -> None:
    # Given a campaign, a list with a bad row, and someone who wants no email
    (terminal.home / "people.csv").write_text("email;name\nann@shop.test;Ann\nnobody;X\nbob@shop.test;Bob\n")
    terminal.run("new", "checked", *CONTENT, "--text", "text.txt")
    assert terminal.json("suppress", "bob@shop.test") == {"added": 1, "already": 0}
    assert "bob@shop.test gets no" in terminal.run("suppressions", "--email", "bob@shop.test").stdout
    assert "bob@shop.test" in terminal.run("suppressions").stdout
    # When the list is checked, then nothing of it is kept
    shown = terminal.run("check", "checked", "people.csv").stdout
    assert "invalid_email 1" in shown
    assert "email=ann@shop.test" in shown
    assert terminal.json("status", "checked")["status"] == "draft"
    # And the address can be taken off the list again
    assert terminal.json("unsuppress", "bob@shop.test", "--yes") == {"removed": True}
    assert "is not suppressed" in terminal.run("suppressions", "--email", "bob@shop.test").stdout


def test_an_interrupted_watch_leaves_the_campaign_running(terminal: Terminal, stack: Stack) -> None:
    # Given a slow campaign that someone watches
    people = terminal.list_of(1_000)
    terminal.run("send", people, *CONTENT, "--text", "text.txt", "--tpm", "60", "--name", "slow", "--yes")
    watch = terminal.start("watch", "slow")
    assert watch.stdout is not None
    assert b"slow running" in watch.stdout.readline()
    # When they press Ctrl-C
    watch.send_signal(signal.SIGINT)
    _, told = watch.communicate(timeout=PATIENCE_S)
    # Then the watch ends, says what goes on, and the campaign runs
    assert watch.returncode == 130
    assert b"slow goes on" in told
    assert b"Traceback" not in told
    assert stack.status("slow")["status"] == "running"
    terminal.run("cancel", "slow", "--yes")


def test_a_terminal_gets_a_live_bar(terminal: Terminal) -> None:
    # Given a campaign
    people = terminal.list_of(ROWS)
    terminal.run("send", people, *CONTENT, "--text", "text.txt", "--tpm", "100000", "--name", "tty", "--yes")
    # When it is watched at a terminal
    ours, theirs = pty.openpty()
    watch = terminal.start("watch", "tty", stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    _, told = watch.communicate(timeout=PATIENCE_S)
    # Then a bar is drawn, and the end is 100 %
    assert watch.returncode == 1, told
    assert ESCAPE.encode() in shown
    assert "━".encode() in shown
    assert b"40 of 40  100 %" in shown


def test_a_server_that_comes_back_is_waited_for(terminal: Terminal, stack: Stack) -> None:
    # Given a server that is away
    stack.web.kill()
    assert terminal.run("--patience", "0", "status", "one", code=5).stderr.count("\n") == 1
    asking = terminal.start("--patience", str(PATIENCE_S), "doctor")
    asking.communicate(timeout=PATIENCE_S)
    assert asking.returncode == 5
    waiting = terminal.start("--patience", str(PATIENCE_S), "list")
    assert waiting.stderr is not None
    assert b"Retrying" in waiting.stderr.readline()
    # When it comes back
    stack.web.start()
    until(stack.ready, "readyz")
    # Then the command succeeds
    waiting.communicate(timeout=PATIENCE_S)
    assert waiting.returncode == 0


def test_the_doctor_names_what_a_real_installation_lacks(terminal: Terminal) -> None:
    # Given an installation that sends through a provider from an address that no recipient can reach
    found = terminal.json("doctor", code=1)["checks"]
    # Then that is what it names, and everything else is as it should be
    verdicts = {check["name"]: check["verdict"] for check in found}
    bad = {name for name, verdict in verdicts.items() if verdict == "failed"}
    assert {name for name in bad if not name.startswith("Sender ")} == {"PUBLIC_URL"}, found
    good = {"Server", "Access", "Redis", "Redis: fsync", "Object store: upload in parts", "Object store: CORS",
            "Provider: sendgrid (account default)", "Workers", "Clock: Redis"}  # fmt: skip
    assert {verdicts[name] for name in good} == {"ok"}, found
    assert all(check["mend"] for check in found if check["verdict"] in {"failed", "warning"})


def test_a_campaign_is_looked_at_before_it_starts_and_kept_afterwards(terminal: Terminal) -> None:
    # Given a campaign with a mistake that its list shows
    people = terminal.list_of(3)
    terminal.run("new", "looked", *CONTENT, "--text", "text.txt", "--set", "reply_to=me@shop.test")
    (terminal.home / "wrong.txt").write_text("Dear {{ nmae }}")
    terminal.run("new", "wrong", *CONTENT, "--text", "wrong.txt")
    terminal.run("upload", "wrong", people)
    assert "nmae" in terminal.run("check", "wrong", code=1).stdout
    # When a good one is checked, previewed, and tried
    assert "accepted: 3 of 3 rows" in terminal.run("check", "looked", people).stdout
    terminal.run("upload", "looked", people)
    shown = terminal.run("preview", "looked", "--row", "2").stdout
    assert "Dear Reader 2" in shown
    assert "To: reader2@shop.test" in shown
    terminal.run("test-send", "looked", "me@shop.test")
    terminal.run("start", "looked", "--accept-warnings")
    terminal.run("watch", "looked")
    # Then its records can be kept
    files = terminal.json("export", "looked")["files"]
    assert {"campaign.json", "recipients.csv", "status.json"} <= set(files)
    assert len((terminal.home / "looked" / "recipients.csv").read_text().splitlines()) == 4
    assert terminal.json("accounts")[0]["name"] == "default"
    assert "the server accepts it" in terminal.run("token").stdout
