"""What a check of a sender's domain finds: a status, what is wrong, and what to put into the DNS."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """`ok`: as it should be. `warn`: works, could be better. `fail`: mailboxes will refuse. `unknown`: not known."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class DnsRecord(msgspec.Struct, frozen=True):
    """A record to put into the DNS."""

    name: str
    type: str
    value: str


class Finding(msgspec.Struct, frozen=True):
    """The result of one check.

    Attributes:
        verdict: how it stands.
        detail: what was found, and what to do.
        found: the record, where there is one.
        to_do: what to put into the DNS.
    """

    verdict: Verdict
    detail: str
    found: str | None = None
    to_do: list[DnsRecord] = []


class SenderProvider(msgspec.Struct, frozen=True):
    """What a provider wants in the DNS of a sender's domain.

    Attributes:
        name: as people call it.
        spf: the mechanism that names the provider's servers; "": not known.
        selectors: the DKIM selectors that it uses; empty: not known.
        dkim_hint: where the provider shows its DKIM records.
    """

    name: str
    spf: str = ""
    selectors: tuple[str, ...] = ()
    dkim_hint: str = "your provider shows the record to publish"
