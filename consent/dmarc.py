"""Checks a domain's DMARC policy and whether DKIM aligns with it.

Source: RFC 7489; the search for the policy walks up the tree of names, as its successor (DMARCbis) has it, since that
needs no list of public suffixes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consent.dkim import tags
from consent.dns_records import TxtRecords
from consent.sender_findings import DnsRecord, Finding, Verdict

#: The most names that the walk asks.
MAX_NAMES: Final = 8
_POLICIES: Final = frozenset({"none", "quarantine", "reject"})


class Policy(NamedTuple):
    """A policy record: the domain that publishes it, its text and its tags."""

    domain: str
    text: str
    tags: dict[str, str]

    @property
    def strict_dkim(self) -> bool:
        """Whether the signing domain has to be the From domain itself, not one above or below it."""
        return self.tags.get("adkim", "r").lower() == "s"

    def requested(self, domain: str) -> str:
        """What the policy asks mailboxes to do with email from a domain that fails."""
        policy = self.tags.get("p", "").lower()
        return policy if domain == self.domain else self.tags.get("sp", policy).lower()


async def policies(records: TxtRecords, domain: str) -> list[Policy]:
    """The policies of the closest domain that has any: one, if all is well.

    Raises:
        DnsUnavailable
    """
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1))[:MAX_NAMES]:
        name = ".".join(labels[start:])
        texts = await records.txt(f"_dmarc.{name}")
        found = [Policy(name, text, tags(text)) for text in texts if tags(text).get("v") == "DMARC1"]
        if found:
            return found
    return []


def check(domain: str, found: list[Policy]) -> Finding:
    """Whether the domain has a policy that mailboxes can use."""
    suggested = [DnsRecord(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}")]
    if not found:
        detail = f"{domain} has no DMARC policy: Gmail, Yahoo and Outlook want one, p=none at least."
        return Finding(Verdict.FAIL, detail, None, suggested)
    if len(found) > 1:
        detail = f"{found[0].domain} has {len(found)} DMARC records, and mailboxes ignore all of them then: keep one."
        return Finding(Verdict.FAIL, detail, " | ".join(policy.text for policy in found))
    [policy] = found
    requested = policy.requested(domain)
    if requested not in _POLICIES:
        detail = f"The DMARC record has no valid policy (p={requested or 'missing'}): use none, quarantine or reject."
        return Finding(Verdict.FAIL, detail, policy.text, suggested)
    if requested == "none":
        detail = (
            "The DMARC policy is none, which is enough for bulk email. Once the reports show that all your email "
            "passes, p=quarantine keeps others from using your domain."
        )
        return Finding(Verdict.OK, detail, policy.text)
    return Finding(Verdict.OK, f"The DMARC policy is {requested}: email that does not align is lost.", policy.text)


def alignment(domain: str, signing_domain: str | None, found: list[Policy]) -> Finding:
    """Whether a passing DKIM signature makes DMARC pass.

    Args:
        domain: of From.
        signing_domain: the domain with a usable DKIM key; None: there is none.
        found: the policies.
    """
    if signing_domain is None:
        detail = "Without a DKIM key of your domain, DMARC passes only if the return path is in your domain: fix DKIM."
        return Finding(Verdict.FAIL, detail)
    if len(found) == 1 and found[0].strict_dkim and signing_domain != domain:
        detail = (
            f"The DKIM key belongs to {signing_domain}, and the DMARC policy (adkim=s) accepts keys of {domain} alone: "
            f"publish the key below {domain}, or change adkim to r."
        )
        return Finding(Verdict.FAIL, detail, found[0].text)
    return Finding(Verdict.OK, f"Email that is signed with d={signing_domain} aligns with From.")
