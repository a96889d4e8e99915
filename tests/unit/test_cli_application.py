"""The program as a whole: its commands, usage errors, exit codes and the form of its errors."""

from __future__ import annotations

import json
import re
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


def written() -> list[str]:
    """The command lines that the documentation shows, in code blocks and in backquotes."""
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    found = re.findall(r"(?:^|`)(?:\./)?postrider ((?:[a-z][a-z-]*)(?: [^`\n|]*)?)", text, re.MULTILINE)
    return sorted({line.replace("...", "").strip() for line in found})


@pytest.mark.parametrize("line", written())
def test_what_the_documentation_shows_exists(line: str) -> None:
    name, *words = line.split()
    assert name in commands(), line
    shown = run(name, "--help").stdout
    assert [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in shown] == []


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
     ("suppressions", "--email", "a@shop.test", "-o", "x"), ("preview", "c1", "--row", "1", "--column", "a=b"),
     ("preview", "c1", "--column", "a"), ("new", "c1", "--set", "tpm"), ("token", "lose"), ("history", "--limit", "0")],
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


FINDING = {"level": "stops_start", "field": "text", "line": 3, "message": "there is no column nmae."}


def test_a_check_fails_if_the_campaign_could_not_start(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    answering(monkeypatch, {"warnings": [FINDING]})
    found = run("check", "c1")
    assert found.exit_code == ExitCode.FAILED
    assert "stops the start: text, line 3: there is no column nmae." in found.stdout
    # And a list without a recipient, too
    (home / "list.csv").write_text("email\n")
    dry_run = {
        "format": "csv", "encoding": "utf-8", "delimiter": ",", "columns": ["email"], "email_column": "email",
        "rows": 0, "accepted": 0, "rejected": 0, "excluded": 0, "reasons": {}, "sample": [], "warnings": [],
    }  # fmt: skip
    answering(monkeypatch, {"warnings": []}, dry_run)
    found = run("check", "c1", str(home / "list.csv"), "--json")
    assert found.exit_code == ExitCode.FAILED
    assert json.loads(found.stdout)["list"]["accepted"] == 0


def test_fields_of_a_campaign_are_set_as_json_or_text(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answering(monkeypatch, {"status": "draft"})
    words = ("--set", "inline_css=true", "--set", 'where=country == "NO"', "--set", 'exclude=["a"]', "--tpm", "5")
    assert run("new", "c1", *words).exit_code == 0
    assert calls[0][2] == {"inline_css": True, "where": 'country == "NO"', "exclude": ["a"], "tpm": 5}


def test_a_preview_shows_the_email_and_writes_its_html(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    email = {"to": "ann@shop.test", "subject": "Hi", "headers": {"X-A": "b"}, "text": "Dear Ann", "html": "<p>Ann</p>",
             "size": 900, "warnings": [FINDING]}  # fmt: skip
    calls = answering(monkeypatch, email, email)
    found = run("preview", "c1", "--column", "name=Ann", "--html", str(home / "a.html"))
    assert found.stdout.splitlines()[:5] == ["To: ann@shop.test", "Subject: Hi", "X-A: b", "", "Dear Ann"]
    assert (home / "a.html").read_text() == "<p>Ann</p>"
    assert calls[0] == ("POST", "/campaigns/c1/preview", {"columns": {"name": "Ann"}})
    run("preview", "c1", "--row", "7")
    assert calls[1][2] == {"row": 7}


def test_a_test_email_that_is_not_accepted_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [{"to": "a@shop.test", "outcome": "accepted", "reason": None},
               {"to": "b@shop.test", "outcome": "rejected", "reason": "400 no"}]  # fmt: skip
    calls = answering(monkeypatch, {"results": results})
    found = run("test-send", "c1", "a@shop.test", "b@shop.test")
    assert found.exit_code == ExitCode.FAILED
    assert "b@shop.test: rejected, 400 no" in found.stdout
    assert calls[0][2] == {"to": ["a@shop.test", "b@shop.test"]}


def test_a_history_is_read_over_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"number": 1, "at": "2026-11-24T08:30:00Z", "event": "rate_changed", "by": "token", "reason": None,
             "details": {"from": 60, "to": 600}}  # fmt: skip
    pages = [{"history": [entry] * 200, "next": "/campaigns/c1/history?before=5"}, {"history": [entry], "next": None}]
    calls = answering(monkeypatch, *pages)
    found = run("history", "c1", "--limit", "500")
    lines = found.stdout.splitlines()
    assert len(lines) == 201
    assert lines[0] == "2026-11-24T08:30:00Z  rate changed by token; from 60, to 600"
    assert calls[1][1] == "/campaigns/c1/history?before=5"


def test_a_person_is_looked_up_over_all_campaigns(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"at": "2026-11-24", "what": "bounced", "note": "550"}
    row = {"row": 7, "state": "failed", "reason": "550 no"}
    pages: list[dict[str, Any]] = [
        {"email": "a@shop.test", "suppression": {"entries": []}, "campaigns": [{"id": name, "recipients": [row]}],
         "unsearched": [], "next": following}
        for name, following in (("one", "/recipients?email=a&after=1"), ("two", None))
    ]  # fmt: skip
    pages[1]["suppression"] = {"entries": [entry]}
    calls = answering(monkeypatch, *pages)
    found = run("person", "a+b@shop.test")
    assert found.stdout.splitlines() == [
        "one  row 7  failed  550 no", "two  row 7  failed  550 no", "suppression list: 2026-11-24  bounced  550",
    ]  # fmt: skip
    assert [call[1] for call in calls] == ["/recipients?email=a%2Bb%40shop.test", "/recipients?email=a&after=1"]


def test_an_erasure_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answering(monkeypatch, {"campaigns": 3})
    assert run("erase", "a@shop.test").exit_code == ExitCode.USAGE
    assert calls == []
    assert run("erase", "a@shop.test", "--yes").stdout == "a@shop.test is erased from 3 campaigns.\n"


def test_accounts_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"name": "default", "provider": "smtp", "tpm": None, "sent_last_minute": 1200, "breaker": "open",
               "reason": "421 busy"}  # fmt: skip
    answering(monkeypatch, [account])
    assert run("accounts").stdout == "default\tsmtp\tnone\t1,200\topen\t421 busy\n"


def test_an_export_keeps_everything_and_overwrites_nothing(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    status = {"status": "draft", "has_list": False}
    none = ApiError(404, "There is none.", {})
    answering(monkeypatch, status, {"id": "c1"}, none, {"history": [], "next": None}, status)
    found = run("export", "c1", "-o", str(home / "out"), "--json")
    assert json.loads(found.stdout)["files"] == ["campaign.json", "history.json", "status.json"]
    assert json.loads((home / "out" / "campaign.json").read_text()) == {"id": "c1"}
    assert run("export", "c1", "-o", str(home / "out")).exit_code == ExitCode.USAGE


def test_a_token_is_stored_once_the_server_accepts_it(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    # Given a server that refuses the first token and accepts the second one
    answering(monkeypatch, ApiError(401, "Wrong token.", {}), {"campaigns": []}, {"campaigns": []})
    refused = run("token", "set", typed="wrong\n")
    assert refused.exit_code == ExitCode.FAILED
    assert not (home / "config.toml").exists()
    # When the second one is stored
    assert run("--url", "http://mail.test", "token", "set", typed="s3cret-token\n").exit_code == 0
    # Then only this user can read the file, and the command shows the end of it alone
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600
    shown = run("token")
    assert shown.exit_code == 0
    assert "...oken from" in shown.stdout
    assert "s3cret" not in shown.stdout
    assert run("token", "forget").exit_code == 0
    assert "token" not in tomllib.loads((home / "config.toml").read_text())
    assert tomllib.loads((home / "config.toml").read_text())["url"] == "http://mail.test"


def test_new_tokens_are_long_and_differ() -> None:
    made = {run("token", "new").stdout.strip() for _ in range(3)}
    assert len(made) == 3
    assert all(len(one) >= 40 for one in made)


def test_the_doctor_says_how_to_mend_each_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.commands.server._clock", lambda _connection: None)
    findings = [{"name": "Workers", "verdict": "failed", "found": "none is alive", "mend": "Start workers."},
                {"name": "Redis", "verdict": "ok", "found": "reachable", "mend": ""}]  # fmt: skip
    answering(monkeypatch, [], {"verdict": "failed", "findings": findings})
    found = run("doctor")
    assert found.exit_code == ExitCode.FAILED
    assert "failed   Workers: none is alive\n         Start workers.\n" in found.stdout
    assert "ok       Redis: reachable\n" in found.stdout
    assert "Failed: Workers." in found.stderr


def test_the_doctor_of_a_client_that_is_not_let_in_still_asks_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.commands.server._clock", lambda _connection: None)
    answering(monkeypatch, ApiError(401, "Give a token.", {}), {"status": "ok"})
    found = run("doctor", "--json")
    assert found.exit_code == ExitCode.FAILED
    checks = {one["name"]: one["verdict"] for one in json.loads(found.stdout)["checks"]}
    assert checks == {"Server": "ok", "Access": "failed", "Redis and object store": "ok"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_for_this_program(shell: str) -> None:
    found = run("completion", shell)
    assert found.exit_code == 0
    assert "_POSTRIDER_COMPLETE" in found.stdout
    assert "postrider" in found.stdout
