"""The program as a whole: its commands, usage errors, exit codes and the form of its errors."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.application import app
from cli.connection import Connection
from cli.errors import ApiError, ExitCode, Unreachable
from tests.support.services import ROOT

DOCS = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No setting of whoever runs the tests."""
    for name in ("POSTRIDER_URL", "POSTRIDER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POSTRIDER_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, [*words], input=typed, prog_name="postrider")


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[tuple[Any, ...]]:
    """Have the API give these answers, in turn; an exception is raised. Returns the calls."""
    left, calls = list(answers), []

    def call(_: Connection, *args: Any, **__: Any) -> Any:
        calls.append(args)
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(Connection, "call", call)
    return calls


def commands() -> list[str]:
    parts = [group.typer_instance for group in app.registered_groups if group.typer_instance]
    found = [command for part in parts for command in part.registered_commands if command.callback]
    return [str(command.name or command.callback.__name__) for command in found if command.callback]


def test_every_command_and_exit_code_is_documented() -> None:
    assert len(commands()) >= 17
    assert [name for name in commands() if f"`{name}" not in DOCS] == []
    assert [code for code in ExitCode if f"| {code.value} |" not in DOCS] == []


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_and_all_but_one_json(name: str) -> None:
    found = run(name, "--help")
    assert found.exit_code == 0
    assert ("--json" in found.stdout) is (name != "completion")


@pytest.mark.parametrize(
    "words",
    [("nothing",), ("status",), ("status", "c1", "--nope"), ("rate", "c1", "0"), ("rate", "c1", "fast"),
     ("recipients", "c1", "--state", "sent"), ("upload", "c1", "no-such-file.csv"), ("new", "c1", "--header", "x"),
     ("reconcile", "c1", "--unknown", "forget"), ("--url", "nowhere", "list"), ("cancel", "c1"), ("delete", "c1"),
     ("unsuppress", "a@shop.test"), ("suppress",),
     ("suppressions", "--email", "a@shop.test", "-o", "x")],
)  # fmt: skip
def test_a_wrong_command_line_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    calls = answering(monkeypatch)
    found = run(*words)
    assert found.exit_code == ExitCode.USAGE, found.output
    assert calls == []
    assert "Traceback" not in found.output


@pytest.mark.parametrize(
    ("error", "code"),
    [(ApiError(404, "No campaign.", {}), 3), (ApiError(409, "It is running.", {}), 4),
     (ApiError(422, "tpm is wrong.", {}), 1), (ApiError(503, "Redis is away.", {}), 5),
     (ApiError(520, "Odd.", {}), 1), (Unreachable("No server."), 5), (KeyboardInterrupt(), 130)],
)  # fmt: skip
def test_each_failure_has_its_code_and_one_line(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    answering(monkeypatch, error)
    found = run("status", "c1")
    assert found.exit_code == code
    assert found.stdout == ""
    detail = getattr(error, "detail", None)
    assert found.stderr == (f"postrider: {detail}\n" if detail else "")


def test_errors_are_json_for_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ApiError(409, "Parts missing.", {"missing": [2], "title": "Conflict"}))
    found = run("start", "c1", "--json")
    assert json.loads(found.stderr) == {
        "detail": "Parts missing.", "missing": [2], "title": "Conflict", "status": 409, "exit_code": 4,
    }  # fmt: skip


def test_an_id_never_leaves_its_place_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answering(monkeypatch, {"status": "running"})
    run("start", "../x?y#z")
    assert calls[0][:2] == ("POST", "/campaigns/..%2Fx%3Fy%23z/start")


def test_a_file_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    # Given a file where the directory of begun uploads should be
    (home / "state").write_text("")
    (home / "list.csv").write_bytes(b"x" * 9_000_000)
    plan = {"upload_id": "u", "part_size": 9_000_000, "expires_at": "2999-01-01T00:00:00+00:00", "parts": []}
    answering(monkeypatch, {"status": "draft"}, plan)
    # When a list is uploaded in parts
    found = run("upload", "c1", str(home / "list.csv"))
    # Then the error names the path
    assert found.exit_code == ExitCode.FAILED
    assert "Not a directory" in found.stderr
    assert found.stderr.count("\n") == 1


def test_what_send_has_begun_is_named_when_it_fails(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (home / "list.csv").write_text("email\n")
    answering(monkeypatch, {"status": "draft"}, Unreachable("No server."))
    found = run("send", str(home / "list.csv"), "--name", "c1", "--yes")
    assert found.exit_code == ExitCode.UNREACHABLE
    assert "postrider start c1" in found.stderr


def test_the_package_without_the_server_needs_what_the_server_locks() -> None:
    alone = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())["project"]
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert alone["version"] == whole["version"]
    assert set(alone["dependencies"]) <= set(whole["dependencies"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_for_this_program(shell: str) -> None:
    found = run("completion", shell)
    assert found.exit_code == 0
    assert "_POSTRIDER_COMPLETE" in found.stdout
    assert "postrider" in found.stdout
