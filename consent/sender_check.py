"""The sender check: SPF, DKIM, DMARC and alignment of a From domain, each with what to put into the DNS."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import msgspec

from consent import dkim, dmarc, spf
from consent.dns_records import DnsUnavailable, TxtRecords
from consent.sender_findings import Finding, SenderProvider, Verdict

T = TypeVar("T")

#: How long a whole check may take, in seconds.
CHECK_S: Final = 10.0

#: What each provider wants; without an entry, nothing is known of the servers.
#: Sources: SendGrid, "Sender Authentication"; Amazon SES, "Authenticating with SPF" and "Easy DKIM".
PROVIDERS: Final = {
    "sendgrid": SenderProvider(
        "SendGrid", "include:sendgrid.net", ("s1", "s2"), "SendGrid shows the records under Sender Authentication"
    ),
    "ses": SenderProvider(
        "Amazon SES", "include:amazonses.com", (), "the SES console shows the three records under Verified identities"
    ),
}
_OWN_SERVER: Final = SenderProvider("Your server")


class SenderReport(msgspec.Struct, frozen=True):
    """The findings for one domain. `verdict` is the worst of them."""

    domain: str
    verdict: Verdict
    spf: Finding
    dkim: Finding
    dmarc: Finding
    alignment: Finding


async def check(records: TxtRecords, domain: str, provider: str, selector: str | None = None) -> SenderReport:
    """Check a domain. Never raises for what the DNS says or does not say.

    Args:
        records: who answers questions.
        domain: of From, in ASCII and lower case.
        provider: a key of `PROVIDERS`; another one is a server about which nothing is known.
        selector: the DKIM selector; None: those of the provider.
    """
    wanted = PROVIDERS.get(provider, _OWN_SERVER)
    spf_found, dkim_found, policies = await asyncio.gather(
        _answered(spf.check(records, domain, wanted)),
        _answered(_dkim(records, domain, wanted, selector)),
        _answered(dmarc.policies(records, domain)),
    )
    key, signing = dkim_found if isinstance(dkim_found, tuple) else (dkim_found, None)
    policy = policies if isinstance(policies, Finding) else dmarc.check(domain, policies)
    unsure = key if key.verdict is Verdict.UNKNOWN else policies if isinstance(policies, Finding) else None
    aligned = unsure or dmarc.alignment(domain, signing, policies if isinstance(policies, list) else [])
    return SenderReport(domain, _worst(spf_found, key, policy, aligned), spf_found, key, policy, aligned)


async def _dkim(
    records: TxtRecords, domain: str, wanted: SenderProvider, selector: str | None
) -> tuple[Finding, str | None]:
    """The finding for the key, and the domain that has it: the From domain, else the one above it."""
    own = await dkim.check(records, domain, wanted, selector)
    if own.verdict is not Verdict.FAIL or own.found is not None:
        return own, None if own.verdict is Verdict.FAIL else domain
    above = domain.partition(".")[2]
    if "." in above:
        found = await dkim.check(records, above, wanted, selector)
        if found.verdict in {Verdict.OK, Verdict.WARN}:
            return found, above
    return own, None


async def _answered(checking: Coroutine[Any, Any, T]) -> T | Finding:
    try:
        async with asyncio.timeout(CHECK_S):
            return await checking
    except (DnsUnavailable, TimeoutError) as error:
        why = str(error) or f"no answer within {CHECK_S:g} s"
        return Finding(Verdict.UNKNOWN, f"The DNS did not answer ({why}): check again later.")


def _worst(*findings: Finding) -> Verdict:
    order = (Verdict.OK, Verdict.UNKNOWN, Verdict.WARN, Verdict.FAIL)
    return max((finding.verdict for finding in findings), key=order.index)
