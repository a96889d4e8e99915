"""What the outbox has written, read again: folders, pages, a search, one email; and nothing outside of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mail import outbox_files
from mail.attachment import Attachment
from mail.message import NO_ROW, Mailbox, Message
from mail.outbox_files import OutboxFiles
from mail.providers.outbox import Outbox


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An outbox with 12 emails of one campaign, a test email, and a file that it does not show."""
    outbox = Outbox(tmp_path / "outbox")
    for row in range(1, 13):
        write(outbox, row, to=f"r{row}@shop.test", subject=f"Grüße {row}")
    write(outbox, NO_ROW, to="me@shop.test", subject="[Test] Grüße")
    (tmp_path / "secret.eml").write_text("Subject: secret\n\n")
    (tmp_path / "outbox" / "spring" / ".1.99").write_text("unfinished")
    return tmp_path / "outbox"


def write(outbox: Outbox, row: int, to: str, subject: str = "Hello", *, files: Sequence[Attachment] = ()) -> None:
    sender = Mailbox("", "news@shop.test")
    message = Message("spring", row, to, sender, None, subject, "<p>Hej é</p>", "Hej é", attachments=tuple(files))
    asyncio.run(outbox.send(message))


def test_folders_name_the_campaigns_and_count_their_emails(directory: Path) -> None:
    (folder,) = OutboxFiles(directory).folders()
    assert (folder.id, folder.emails, folder.tests) == ("spring", 12, 1)
    assert folder.last_at > 0
    assert OutboxFiles(directory / "nowhere").folders() == []


def test_a_page_has_test_emails_first_and_then_rows_from_the_highest_down(directory: Path) -> None:
    files = OutboxFiles(directory)
    page = files.emails("spring", 0, 3)
    assert (page.total, page.is_complete) == (13, True)
    assert [(one.row, one.to, one.subject) for one in page.emails] == [
        (0, "me@shop.test", "[Test] Grüße"), (12, "r12@shop.test", "Grüße 12"), (11, "r11@shop.test", "Grüße 11"),
    ]  # fmt: skip
    assert [one.row for one in files.emails("spring", 11, 5).emails] == [2, 1]


def test_a_search_looks_at_recipient_and_subject(directory: Path) -> None:
    files = OutboxFiles(directory)
    assert [one.row for one in files.emails("spring", 0, 9, "R11@").emails] == [11]
    assert [one.row for one in files.emails("spring", 0, 9, "grüße 1").emails] == [12, 11, 10, 1]


def test_a_search_that_takes_too_long_says_that_it_is_not_complete(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_files, "SEARCH_S", -1.0)
    found = OutboxFiles(directory).emails("spring", 0, 9, "grüße")
    assert (found.emails, found.is_complete) == ([], False)


def test_an_email_has_its_parts_and_its_source(directory: Path) -> None:
    files = OutboxFiles(directory)
    write(
        Outbox(directory),
        1,
        to="r1@shop.test",
        files=[Attachment("a.txt", "text/plain", inline=False, data=b"12345")],
    )
    email = files.email("spring", "1")
    assert email is not None
    assert dict(email.headers)["To"] == "r1@shop.test"
    assert email.html is not None
    assert "Hej é" in email.html
    assert email.text is not None
    assert email.text.strip() == "Hej é"
    assert [(file.filename, file.size) for file in email.attachments] == [("a.txt", 5)]
    assert email.source.startswith("From:")
    name = files.emails("spring", 0, 1).emails[0].name
    assert name.startswith("test-")
    assert files.email("spring", name) is not None
    assert files.email("spring", "99") is None


@pytest.mark.parametrize("folder", ["..", "_test", ".", "a/b", "", "../outbox/spring"])
def test_no_folder_leads_out_of_the_outbox(directory: Path, folder: str) -> None:
    with pytest.raises(ValueError, match="1"):
        OutboxFiles(directory).email(folder, "1")


@pytest.mark.parametrize("name", ["../../secret", "secret", "test-../../secret", "1.eml", "-1", "test-"])
def test_no_name_leads_out_of_the_outbox(directory: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\A"):
        OutboxFiles(directory).email("spring", name)


def test_a_charset_that_is_unknown_does_not_stop_the_reading(directory: Path) -> None:
    raw = b"To: a@shop.test\nContent-Type: text/plain; charset=klingon\n\nHej \xff\n"
    (directory / "spring" / "77.eml").write_bytes(raw)
    email = OutboxFiles(directory).email("spring", "77")
    assert email is not None
    assert (email.text or "").startswith("Hej")
