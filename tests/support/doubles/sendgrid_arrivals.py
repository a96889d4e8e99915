"""The arrivals at the SendGrid double, kept small: one encoded line per request."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, BinaryIO, Final

import msgspec

#: The fields of one arrival, in the order of its JSON array.
FIELDS: Final = ("seq", "time_s", "accepted", "answer", "campaign_id", "row", "to", "subject", "digest", "payload")
#: The most arrivals in one response of the control interface.
PAGE: Final = 50_000

_encode: Final = msgspec.json.Encoder().encode


def digest(text: str | None, html: str | None) -> str:
    """The digest that an arrival keeps instead of its content."""
    return hashlib.blake2b(f"{text or ''}\0{html or ''}".encode(), digest_size=8).hexdigest()


class Arrivals:
    """Every request that named a campaign and a row, as encoded lines; in memory and, if requested, in a file."""

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
        """Keep one; its number is also its X-Message-Id's."""
        campaign_id, row = payload["custom_args"]["campaign_id"], int(payload["custom_args"]["row"])
        parts = {part["type"]: part["value"] for part in payload["content"]}
        to, seq = payload["personalizations"][0]["to"][0]["email"], len(self.lines)
        content = digest(parts.get("text/plain"), parts.get("text/html"))
        kept = payload if self._keep_content else None
        line = _encode((
            seq, round(time.time(), 4), accepted, answer, campaign_id, row, to, payload["subject"], content, kept
        ))  # fmt: skip
        self.lines.append(line)
        if self._log:
            self._log.write(line + b"\n")
        if accepted:
            self.accepted += 1
            taken = hash((campaign_id, row))
            self.duplicates += taken in self._taken
            self._taken.add(taken)
        return seq

    def page(self, since: int) -> bytes:
        rows = self.lines[since : since + PAGE]
        head = json.dumps({"fields": FIELDS, "next": since + len(rows), "total": len(self.lines)})[:-1].encode()
        return head + b', "rows": [' + b",".join(rows) + b"]}"

    def flush(self) -> None:
        if self._log:
            self._log.flush()
