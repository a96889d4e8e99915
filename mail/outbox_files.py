"""Reads what the local outbox has written: folders, lists of emails, one email. Writes nothing.

Every name is checked before it becomes a path, so that no request leaves the outbox. Reading is bounded: by the number
of files of a folder, by the time of a search, and by the size of an email.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from itertools import islice
from pathlib import Path
from typing import Final

from mail.providers.outbox import TESTS

#: The most files of a folder that are looked at; more are counted no further.
MAX_FILES: Final = 200_000
#: The most folders.
MAX_FOLDERS: Final = 1_000
#: The longest that a search may take, in s.
SEARCH_S: Final = 3.0
#: The most of an email that is read, and the most of its source that is returned, in bytes.
MAX_EMAIL_BYTES: Final = 32 * 1024 * 1024
MAX_SOURCE_BYTES: Final = 256 * 1024
#: How much of a file is read for its headers, in bytes.
HEAD_BYTES: Final = 16 * 1024
#: The form of an email's name: a row's number, or a test email's.
NAME: Final = re.compile(r"\d{1,12}|test-[0-9a-f]{16}")
#: The form of a folder's name: a campaign id.
FOLDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_TEST: Final = "test-"
_ENDING: Final = ".eml"


@dataclass(frozen=True, slots=True)
class Folder:
    """The emails of one campaign. `emails`, `tests`: how many, at most `MAX_FILES`; `last_at`: seconds since 1970."""

    id: str
    emails: int
    tests: int
    last_at: float


@dataclass(frozen=True, slots=True)
class Heading:
    """An email in a list. `row`: of the campaign's list, 0 for a test email; `at`: seconds since 1970."""

    name: str
    row: int
    to: str
    subject: str
    size: int
    at: float


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a folder. `total`: the emails of the folder, or those found so far; `is_complete`: nothing is left."""

    emails: list[Heading]
    total: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that an email carries. `size`: in bytes."""

    filename: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredEmail:
    """One email, as a mail client shows it. `source`: its beginning, as text."""

    headers: list[tuple[str, str]]
    html: str | None
    text: str | None
    attachments: list[Enclosure]
    source: str
    size: int


class OutboxFiles:
    """Reads the outbox in a directory.

    Args:
        directory: `OUTBOX_DIR`; it need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def folders(self) -> list[Folder]:
        """All folders, the one with the newest email first."""
        names = {name for name in _entries(self._directory) if FOLDER.fullmatch(name)}
        names |= {name for name in _entries(self._directory / TESTS) if FOLDER.fullmatch(name)}
        found = [self._folder(name) for name in islice(sorted(names), MAX_FOLDERS)]
        return sorted(found, key=lambda folder: folder.last_at, reverse=True)

    def emails(self, folder: str, offset: int, limit: int, word: str = "") -> Listing:
        """A page of a folder: the test emails first, then the rows from the highest down.

        Args:
            folder: a campaign id.
            offset: how many emails come before the page.
            limit: the most emails of the page.
            word: a part of recipient or subject, in any case; "" for all.
        """
        names = self._names(folder)
        if not word:
            page = [heading for name in names[offset : offset + limit] if (heading := self._heading(folder, name))]
            return Listing(page, len(names), is_complete=True)
        found, is_complete = self._search(folder, names, word.casefold(), offset + limit + 1)
        return Listing(found[offset : offset + limit], len(found), is_complete)

    def email(self, folder: str, name: str) -> StoredEmail | None:
        """One email; None: there is none of that name."""
        file = self._file(folder, name)
        try:
            with file.open("rb") as stream:
                raw = stream.read(MAX_EMAIL_BYTES)
        except OSError:
            return None
        message = BytesParser(policy=policy.default).parsebytes(raw)
        return StoredEmail(
            headers=[(header, str(value)) for header, value in message.items()],
            html=_part(message, "html"),
            text=_part(message, "plain"),
            attachments=[_enclosure(part) for part in message.iter_attachments()],
            source=raw[:MAX_SOURCE_BYTES].decode("utf-8", "replace"),
            size=len(raw),
        )

    def _folder(self, name: str) -> Folder:
        places = (self._directory / name, self._directory / TESTS / name)
        rows, tests = (sum(1 for _ in _emails(place)) for place in places)
        return Folder(name, rows, tests, max(_changed(place) for place in places))

    def _names(self, folder: str) -> list[str]:
        tests = [f"{_TEST}{name}" for name in _emails(self._directory / TESTS / folder)]
        rows = [name for name in _emails(self._directory / folder) if name.isdigit()]
        tests.sort(key=lambda name: _changed(self._file(folder, name)), reverse=True)
        return [name for name in tests if NAME.fullmatch(name)] + sorted(rows, key=int, reverse=True)

    def _file(self, folder: str, name: str) -> Path:
        if not FOLDER.fullmatch(folder) or not NAME.fullmatch(name):
            raise ValueError(name)
        if name.startswith(_TEST):
            return self._directory / TESTS / folder / f"{name.removeprefix(_TEST)}{_ENDING}"
        return self._directory / folder / f"{name}{_ENDING}"

    def _heading(self, folder: str, name: str) -> Heading | None:
        file = self._file(folder, name)
        try:
            with file.open("rb") as stream:
                head, status = stream.read(HEAD_BYTES), os.fstat(stream.fileno())
        except OSError:
            return None  # it was deleted meanwhile
        parsed = BytesHeaderParser(policy=policy.default).parsebytes(head)
        row = int(name) if name.isdigit() else 0
        return Heading(
            name, row, str(parsed["to"] or ""), str(parsed["subject"] or ""), status.st_size, status.st_mtime
        )

    def _search(self, folder: str, names: Iterable[str], word: str, most: int) -> tuple[list[Heading], bool]:
        """The emails that match, and whether all were looked at."""
        found: list[Heading] = []
        ends_at = time.monotonic() + SEARCH_S
        for name in names:
            if len(found) >= most or time.monotonic() > ends_at:
                return found, False
            heading = self._heading(folder, name)
            if heading and (word in heading.to.casefold() or word in heading.subject.casefold()):
                found.append(heading)
        return found, True


def _entries(directory: Path) -> Iterator[str]:
    """The names in a directory, as many as are looked at; none if it does not exist."""
    try:
        with os.scandir(directory) as entries:
            yield from (entry.name for entry in islice(entries, MAX_FILES))
    except (FileNotFoundError, NotADirectoryError):
        return


def _emails(directory: Path) -> Iterator[str]:
    """The names of the emails in a directory, without their ending."""
    return (name.removesuffix(_ENDING) for name in _entries(directory) if name.endswith(_ENDING) and name[0] != ".")


def _changed(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except OSError:
        return 0.0


def _part(message: EmailMessage, kind: str) -> str | None:
    body = message.get_body((kind,))
    if body is None:
        return None
    raw = body.get_payload(decode=True)
    data = raw if isinstance(raw, bytes) else b""
    try:
        return data.decode(body.get_content_charset("utf-8"), "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _enclosure(part: EmailMessage) -> Enclosure:
    raw = part.get_payload(decode=True)
    size = len(raw) if isinstance(raw, bytes) else 0
    return Enclosure(part.get_filename() or "", part.get_content_type(), size)
