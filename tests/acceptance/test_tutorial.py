"""The tutorial, word by word: its commands are run, and print what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.support import make_run
from tests.support.make_run import MakeRun
from tests.support.services import ROOT, clean_environment
from tests.support.waiting import PATIENCE_S

#: A block of shell lines, and the output that follows it, if the tutorial shows it.
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def run(block: str, started: MakeRun, directory: Path) -> str:
    environment = clean_environment({
        "POSTRIDER_URL": f"http://localhost:{started.port}", "HOME": str(directory), "COLUMNS": "120",
        "PATH": os.environ["PATH"],
    })  # fmt: skip
    script = "set -eu\n" + block.replace("var/outbox", str(started.var / "outbox"))
    done = subprocess.run(
        ["/bin/bash", "-c", script], cwd=directory, env=environment, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_line_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text())
    assert len(blocks) >= 10
    (tmp_path / "postrider").symlink_to(ROOT / "postrider")
    printed = []
    with make_run.running(tmp_path) as started:
        started.until_ready()
        for block, output in blocks:
            printed.append(run(block, started, tmp_path))
            assert not output or printed[-1] == output, block
    text = "".join(printed)
    for words in (
        "accepted: 300 of 301 rows",
        "Dear Reader 7,",
        "spring is paused",
        "spring completed: done 300, failed 0, pending 0",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ):
        assert words in text, words
