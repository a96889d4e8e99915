"""The emails of the outbox as an email client reads them: with a package whose code Postrider does not use."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path


def of(outbox: Path, campaign_id: str) -> dict[int, EmailMessage]:
    """A campaign's emails by row, none of them with a defect."""
    return {int(file.stem): read(file) for file in (outbox / campaign_id).glob("*.eml")}


def read(file: Path) -> EmailMessage:
    """One email.

    Raises:
        AssertionError: it, or a part of it, has a defect.
    """
    found = BytesParser(policy=policy.default).parsebytes(file.read_bytes())
    assert isinstance(found, EmailMessage)
    assert not any(part.defects for part in found.walk())
    return found


def body(message: EmailMessage, kind: str = "plain") -> str:
    """The text of an email, or with "html" its HTML; lines end in a line feed, with no empty lines at the end."""
    part = message.get_body((kind,))
    assert part is not None, f"no {kind} part"
    text: str = part.get_content()
    return text.replace("\r\n", "\n").rstrip("\n")
