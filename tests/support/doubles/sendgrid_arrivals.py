"""The arrivals at the SendGrid double, kept small: one encoded line per recipient of a request."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, BinaryIO, Final

import msgspec

from tests.support.doubles.sendgrid_personalizations import emails

#: The fields of one arrival, in the order of its JSON array.
FIELDS: Final = ("seq", "time_s", "accepted", "answer", "campaign_id", "row", "to", "subject", "digest", "payload")
#: The most arrivals in one response of the control interface.
PAGE: Final = 50_000

_encode: Final = msgspec.json.Encoder().encode


def digest(text: str | None, html: str | None) -> str:
    """The digest that an arrival keeps instead of its content."""
    return hashlib.blake2b(f"{text or ''}\0{html or ''}".encode(), digest_size=8).hexdigest()


class Arrivals:
    """Every recipient of a valid request, as encoded lines; in memory and, if requested, in a file."""

    def __init__(self, log: BinaryIO | None, keep_content: bool) -> None:
        self._log = log
        self._keep_content = keep_content
        self.clear()

    def clear(self) -> None:
        self.lines: list[bytes] = []
        self.accepted = 0
        self.duplicates = 0
        self._taken: set[int] = set()

    def add(self, payload: Any, answer: str, accepted: bool) -> int:
        """Keep a request, one arrival per recipient; the first one's number is also its X-Message-Id's."""
        first = len(self.lines)
        kept = payload if self._keep_content else None
        for email in emails(payload):
            content = digest(email.parts.get("text/plain"), email.parts.get("text/html"))
            line = _encode((
                len(self.lines), round(time.time(), 4), accepted, answer, email.campaign_id, email.row, email.to,
                email.subject, content, kept,
            ))  # fmt: skip
            self.lines.append(line)
            if self._log:
                self._log.write(line + b"\n")
            if accepted:
                self._accept(hash((email.campaign_id, email.row)))
        return first

    def _accept(self, taken: int) -> None:
        self.accepted += 1
        self.duplicates += taken in self._taken
        self._taken.add(taken)

    def page(self, since: int) -> bytes:
        rows = self.lines[since : since + PAGE]
        head = json.dumps({"fields": FIELDS, "next": since + len(rows), "total": len(self.lines)})[:-1].encode()
        return head + b', "rows": [' + b",".join(rows) + b"]}"

    def flush(self) -> None:
        if self._log:
            self._log.flush()
