"""Attachments through real processes: stored, read by a worker, and carried by every email."""

from __future__ import annotations

from pathlib import Path

from tests.support import mails
from tests.support.stack import Stack

PDF = bytes(range(256)) * 4000


def test_every_email_carries_the_files_of_its_campaign(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    with Stack.open(tmp_path, EMAIL_PROVIDER="outbox", OUTBOX_DIR=str(outbox)) as stack:
        # Given a campaign with two files, one of which its HTML shows
        stack.put("files", html='<img src="cid:logo.png" alt="">', text="Hi")
        status, _ = stack.ask("PUT", "/campaigns/files/attachments/terms.pdf", PDF, content_type="application/pdf")
        assert status == 201
        stack.ask("PUT", "/campaigns/files/attachments/logo.png", b"PNG", content_type="image/png")
        stack.upload("files", b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(40)))
        # When it is sent
        stack.add_worker(threads=4)
        stack.start("files")
        stack.until_status("files", "completed")
        # Then each email carries both
        sent = mails.of(outbox, "files")
        assert len(sent) == 40
        for email in sent.values():
            assert [(one.get_filename(), one.get_content()) for one in email.iter_attachments()] == [("terms.pdf", PDF)]
            [image] = [part for part in email.walk() if part.get_content_type() == "image/png"]
            assert (image["Content-ID"], image.get_content()) == ("<logo.png>", b"PNG")
        assert stack.ask("DELETE", "/campaigns/files")[0] == 204
