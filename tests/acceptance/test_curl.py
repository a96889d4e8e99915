"""The shell lines of docs/curl.md, unchanged, with `make run` and the outbox. Only the port is another."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.support import mails, make_run
from tests.support.make_run import MakeRun
from tests.support.services import ROOT
from tests.support.waiting import PATIENCE_S, until

#: A failed request ends the block, and its response is shown.
PROLOGUE = 'set -eu; curl() { command curl --fail-with-body --silent --show-error "$@"; echo; }\n'

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[str]:
    found = BLOCK.findall((ROOT / "docs" / "curl.md").read_text())
    assert len(found) >= 9
    return found


def run(block: str, started: MakeRun, directory: Path) -> str:
    script = PROLOGUE + block.replace("localhost:8080", f"localhost:{started.port}")
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_walk_through_sends_every_email_once(tmp_path: Path) -> None:
    answers = []
    with make_run.running(tmp_path) as started:
        started.until_ready()
        for block in blocks():
            answers.append(run(block, started, tmp_path))
            # What a person sees before the next step:
            if "c1/start" in block:
                until(lambda: started.status("c1")["done"], "the first email")
            if "POST" in block and "c1/reconcile" in block:
                until(lambda: "campaign_reconciled" in started.output(), "a report")
        report = started.until_status("c1", "completed")
        assert (report["done"], report["failed"], report["pending"], report["total"]) == (300, 0, 0, 300)
        every_email_is_right(started.var / "outbox")
        assert started.until_status("c2", "ready")["total"] == 300_000
    text = "".join(answers)
    for part in (
        '"status":"paused"',
        '"status":"running"',
        '"rate_limit":6000',
        '"finished_at"',
        '"300","reader300@example.com"',
    ):
        assert part in text, part


def every_email_is_right(outbox: Path) -> None:
    sent = mails.of(outbox, "c1")
    assert sorted(sent) == list(range(1, 301))
    for row, email in sent.items():
        assert email["From"] == "News <news@example.com>"
        assert email["To"].addresses[0].addr_spec == f"reader{row}@example.com"
        assert email["Subject"] == f"Hello Reader {row}"
        assert mails.body(email) == f"Dear Reader {row}, it is spring."


def test_the_fields_of_the_status_shown_are_those_of_a_real_one(tmp_path: Path) -> None:
    shown = re.search(r"^```json\n(.*?)^```$", (ROOT / "docs" / "curl.md").read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    with make_run.running(tmp_path) as started:
        started.until_ready()
        started.send_campaign("c1", rows=1, tpm=60)
        real = started.until_status("c1", "completed")
    assert json.loads(shown[1]).keys() <= real.keys()
