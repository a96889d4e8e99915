from __future__ import annotations

import asyncio
import errno
import os
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from mail.message import Mailbox, Message
from mail.outcome import Kind, Outcome
from mail.providers.outbox import Outbox


def message(row: int = 1, text: str = "Hi") -> Message:
    return Message("c1", row, "jane@example.com", Mailbox("", "news@example.org"), None, "Hello", None, text)


def send(outbox: Outbox, sent: Message) -> Outcome:
    return asyncio.run(outbox.send(sent))


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_each_message_is_one_file_and_the_folders_are_made(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "var" / "outbox")
    outcomes = [send(outbox, message(row)) for row in (1, 2)]
    assert [outcome.kind for outcome in outcomes] == [Kind.ACCEPTED, Kind.ACCEPTED]
    assert outcomes[1].provider_message_id == "c1/2.eml"
    assert files(tmp_path) == ["var/outbox/c1/1.eml", "var/outbox/c1/2.eml"]
    parsed = message_from_bytes((tmp_path / "var/outbox/c1/1.eml").read_bytes(), policy=policy.default)
    assert (parsed["To"], parsed["Subject"]) == ("jane@example.com", "Hello")


def test_the_same_row_again_replaces_its_file(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    send(outbox, message(text="first"))
    send(outbox, message(text="second"))
    assert files(tmp_path) == ["c1/1.eml"]
    assert b"second" in (tmp_path / "c1/1.eml").read_bytes()


def test_a_full_disk_is_an_outage_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no space left, When a message is sent, Then it is not accepted and no file is there."""

    def full(_path: Path, _mode: str) -> object:
        descriptor = os.open("/dev/full", os.O_WRONLY)
        (tmp_path / "c1/.1.unfinished").touch()
        return os.fdopen(descriptor, "wb")

    (tmp_path / "c1").mkdir()
    monkeypatch.setattr(Path, "open", full)
    outcome = send(Outbox(tmp_path), message())
    assert outcome == Outcome(Kind.UNREACHABLE, f"the outbox cannot be written: {os.strerror(errno.ENOSPC)}")
    assert files(tmp_path) == ["c1/.1.unfinished"]


def test_a_broken_write_removes_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "rename", broken)
    assert send(Outbox(tmp_path), message()).kind is Kind.UNREACHABLE
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    outcome = send(Outbox(tmp_path / "outbox"), message())
    assert outcome == Outcome(Kind.UNREACHABLE, f"the outbox cannot be written: {os.strerror(errno.ENOTDIR)}")
