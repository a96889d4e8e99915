"""The command line as a package of its own: it works where nothing of the server is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.support.services import ROOT, clean_environment


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the package, and links to the packages that it declares, and to those that these need."""
    directory = tmp_path_factory.mktemp("package")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT / "cli", check=True, capture_output=True, timeout=120)
    [wheel] = directory.glob("*.whl")
    found = directory / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(found)
    [metadata] = found.glob("postrider_cli*.dist-info/METADATA")
    for name in _needed(re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(), re.MULTILINE)):
        for path in {file.parts[0] for file in distribution(name).files or () if ".." not in file.parts}:
            target = found / path
            if not target.exists():
                target.symlink_to(Path(str(distribution(name).locate_file(path))))
    return found


def _needed(requirements: list[str]) -> set[str]:
    """The distributions of these requirements, and all that they need here."""
    found: set[str] = set()
    left = list(requirements)
    while left:
        requirement = left.pop()
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is None or "extra ==" in requirement or name[0] in found:
            continue
        try:
            left += distribution(name[0]).requires or []
        except PackageNotFoundError:  # a requirement of another platform or Python
            continue
        found.add(name[0])
    return found


def run(site: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program, with no other package at hand."""
    environment = clean_environment({"PYTHONPATH": str(site), "HOME": str(home), "COLUMNS": "200"})
    code = "import sys; from cli.application import main; sys.argv[0] = 'postrider'; main()"
    return subprocess.run(
        [os.path.realpath(sys.executable), "-S", "-c", code, *words],
        cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_it_has_every_command(site: Path, tmp_path: Path) -> None:
    shown = run(site, tmp_path, "--help")
    assert shown.returncode == 0, shown.stderr
    assert {"send", "watch", "doctor", "export", "token"} <= set(shown.stdout.split())


def test_it_reports_a_server_that_is_away(site: Path, tmp_path: Path) -> None:
    shown = run(site, tmp_path, "--url", "http://127.0.0.1:9", "--patience", "0", "list")
    assert (shown.returncode, shown.stdout) == (5, ""), shown.stderr
    assert "Traceback" not in shown.stderr


def test_nothing_of_the_server_is_in_it(site: Path) -> None:
    names = {path.name for path in site.iterdir()}
    assert "cli" in names
    assert not names & {"api", "campaigns", "redis", "dramatiq", "boto3", "starlette", "structlog"}
    assert (site / "cli" / "commands" / "tokens.py").exists()
    [entry] = site.glob("postrider_cli*.dist-info/entry_points.txt")
    assert "postrider = cli.application:main" in entry.read_text()
