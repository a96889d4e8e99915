"""Checks a domain's SPF record. Source: RFC 7208."""

from __future__ import annotations

import re
from typing import Final

from consent.dns_records import TxtRecords
from consent.sender_findings import DnsRecord, Finding, SenderProvider, Verdict

#: The most DNS questions that one evaluation may cost (RFC 7208, 4.6.4).
MAX_LOOKUPS: Final = 10

_VERSION: Final = re.compile(r"v=spf1( |$)", re.IGNORECASE)
#: Terms that cost a question; `include` and `redirect` lead to another record.
_ASKS: Final = re.compile(r"[+?~-]?(?:(include):|(redirect)=|(?:a|mx|ptr)(?=[:/]|$)|exists:)(.*)", re.IGNORECASE)
_ALLOWS_ALL: Final = re.compile(r"[+?]?all", re.IGNORECASE)


async def check(records: TxtRecords, domain: str, provider: SenderProvider) -> Finding:
    """Whether the domain has one usable SPF record that names the provider.

    Raises:
        DnsUnavailable
    """
    found = await _records(records, domain)
    if not found:
        detail = f"{domain} has no SPF record: add one that names every server that sends for you."
        return Finding(Verdict.FAIL, detail, None, [_suggested(domain, provider, "v=spf1")])
    if len(found) > 1:
        detail = f"{domain} has {len(found)} SPF records, and mailboxes ignore all of them then: merge them into one."
        return Finding(Verdict.FAIL, detail, " | ".join(found))
    return _judged(domain, provider, found[0], await _terms(records, domain))


def _judged(domain: str, provider: SenderProvider, record: str, terms: list[str]) -> Finding:
    if len(terms) > MAX_LOOKUPS:
        detail = f"The SPF record costs more than {MAX_LOOKUPS} DNS questions, and counts as an error then: shorten it."
        return Finding(Verdict.FAIL, detail, record)
    if any(_ALLOWS_ALL.fullmatch(term) for term in record.split()[1:]):
        detail = "The SPF record lets every server send for you: end it with ~all."
        return Finding(Verdict.WARN, detail, record)
    if provider.spf and provider.spf not in terms:
        detail = (
            f"The SPF record does not name {provider.name}. Mailboxes accept the email if DKIM passes, unless the "
            "provider uses your domain as return path: add the provider to be safe."
        )
        kept = re.sub(r"\s+[~?+-]?all\b.*", "", record, flags=re.IGNORECASE)
        return Finding(Verdict.WARN, detail, record, [_suggested(domain, provider, kept)])
    who = f" and names {provider.name}" if provider.spf else "; whether it names your server cannot be checked here"
    return Finding(Verdict.OK, f"{domain} has an SPF record{who}.", record)


def _suggested(domain: str, provider: SenderProvider, start: str) -> DnsRecord:
    return DnsRecord(domain, "TXT", " ".join(filter(None, (start, provider.spf or "ip4:<your server>", "~all"))))


async def _records(records: TxtRecords, domain: str) -> list[str]:
    return [text for text in await records.txt(domain) if _VERSION.match(text)]


async def _terms(records: TxtRecords, domain: str) -> list[str]:
    """The terms that cost a question, also those of included records; at most one more than are allowed."""
    terms: list[str] = []
    waiting = [domain]
    while waiting and len(terms) <= MAX_LOOKUPS:
        for text in await _records(records, waiting.pop()):
            for match in filter(None, map(_ASKS.fullmatch, text.split()[1:])):
                terms.append(match[0].lstrip("+").lower())
                if (match[1] or match[2]) and "%" not in match[3]:
                    waiting.append(match[3])
    return terms[: MAX_LOOKUPS + 1]
