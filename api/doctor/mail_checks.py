"""Checks of what sending needs: the providers' credentials, the sender's DNS, events, links and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from api.doctor.finding import DoctorFinding, DoctorVerdict, failed, ok, unknown, warning
from campaigns.errors import InvalidCampaign
from consent import sender_check
from consent.dns_records import TxtRecords
from consent.sender_findings import Finding as DnsFinding, Verdict as DnsVerdict
from mail.addresses import mailbox
from mail.providers import credentials
from settings import ProviderAccount, Settings

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_VERDICTS: Final = {
    DnsVerdict.OK: DoctorVerdict.OK,
    DnsVerdict.WARN: DoctorVerdict.WARNING,
    DnsVerdict.FAIL: DoctorVerdict.FAILED,
    DnsVerdict.UNKNOWN: DoctorVerdict.UNKNOWN,
}


async def provider(account: ProviderAccount, outbox_dir: Path, timeout_s: float) -> DoctorFinding:
    """Whether the provider knows the account."""
    name = f"Provider: {account.provider} (account {account.name})"
    good, found, mend = await credentials.check(account, outbox_dir, timeout_s)
    if good is None:
        return unknown(name, found, mend)
    return ok(name, found) if good else failed(name, found, mend)


async def sender(records: TxtRecords, written: str | None, provider_name: str) -> list[DoctorFinding]:
    """SPF, DKIM, DMARC and alignment of a From. `written`: the From; None: none is known."""
    if not written:
        return [unknown("Sender", "no From is known yet", "Name one: postrider doctor --from news@example.com")]
    try:
        address = mailbox("from", written if "@" in written else f"postmaster@{written}").address
    except InvalidCampaign as error:
        return [failed("Sender", f"{error}", "Write the From as News <news@example.com>.")]
    domain = address.rpartition("@")[2].lower()
    report = await sender_check.check(records, domain, provider_name)
    parts = {"SPF": report.spf, "DKIM": report.dkim, "DMARC": report.dmarc, "alignment": report.alignment}
    return [
        DoctorFinding(f"Sender {domain}: {name}", _VERDICTS[one.verdict], one.detail, _mend(one))
        for name, one in parts.items()
    ]


def _mend(found: DnsFinding) -> str:
    """What to put into the DNS."""
    if found.to_do:
        return "; ".join(f"{record.type} {record.name}: {record.value}" for record in found.to_do)
    return "" if found.verdict is DnsVerdict.OK else "Change it, or ask again; docs/bulk-mail.md explains the records."


def events(settings: Settings) -> Iterator[DoctorFinding]:
    """Whether the providers' events can arrive."""
    providers = {account.provider for account in settings.accounts.values()}
    url = settings.public_url.rstrip("/")
    if "sendgrid" in providers:
        name = "Events: SendGrid"
        if settings.sendgrid_webhook_public_key is None:
            mend = f"Turn SendGrid's signed Event Webhook on for {url}/webhooks/sendgrid, and set its key as "
            yield warning(name, "off: bounces and complaints are not known", f"{mend}SENDGRID_WEBHOOK_PUBLIC_KEY.")
        else:
            yield ok(name, "SENDGRID_WEBHOOK_PUBLIC_KEY is a valid key")
    if "ses" in providers:
        name = "Events: Amazon SES"
        if not settings.ses_topic_arns:
            mend = f"Have SES publish to an SNS topic that calls {url}/webhooks/ses, and set SES_TOPIC_ARN."
            yield warning(name, "off: bounces and complaints are not known", mend)
        else:
            yield ok(name, f"{len(settings.ses_topic_arns)} topics are accepted")


def links(settings: Settings) -> Iterator[DoctorFinding]:
    """Whether unsubscribe links lead here."""
    if settings.secret_key is None:
        mend = "Set SECRET_KEY, the same for the web process and all workers."
        yield warning("Unsubscribe links", "off: SECRET_KEY is not set", mend)
    else:
        yield ok("Unsubscribe links", "SECRET_KEY is set")
    parts = urlsplit(settings.public_url)
    real = any(account.provider != "outbox" for account in settings.accounts.values())
    name, mend = "PUBLIC_URL", "Set PUBLIC_URL to the https address at which recipients reach this server."
    if real and (parts.hostname or "") in _LOCAL:
        yield failed(name, f"{settings.public_url}: recipients cannot follow unsubscribe links", mend)
    elif real and parts.scheme != "https":
        yield warning(name, f"{settings.public_url} has no TLS; mailbox providers want https links", mend)
    else:
        yield ok(name, settings.public_url)
