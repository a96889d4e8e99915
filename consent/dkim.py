"""Checks a domain's DKIM keys. Source: RFC 6376 (3.6), RFC 8301 for lengths of keys, RFC 8463 for Ed25519."""

from __future__ import annotations

import base64
import re
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from consent.dns_records import TxtRecords
from consent.sender_findings import DnsRecord, Finding, SenderProvider, Verdict

#: RSA keys shorter than this do not count; those shorter than `GOOD_BITS` should be replaced.
MIN_BITS: Final = 1024
GOOD_BITS: Final = 2048

_ED25519_BYTES: Final = 32
_SPACE: Final = re.compile(r"\s+")


async def check(records: TxtRecords, domain: str, provider: SenderProvider, selector: str | None = None) -> Finding:
    """Whether the domain publishes a key for the selector, or for one of those that the provider uses.

    Raises:
        DnsUnavailable
    """
    selectors = (selector,) if selector else provider.selectors
    if not selectors:
        detail = f"{provider.name} has no fixed DKIM selector: give it with ?selector=, it is s= in DKIM-Signature."
        return Finding(Verdict.UNKNOWN, detail)
    for one in selectors:
        for text in await records.txt(f"{one}._domainkey.{domain}"):
            if "p" in (found := tags(text)):
                return _judged(f"{one}._domainkey.{domain}", text, found)
    names = [f"{one}._domainkey.{domain}" for one in selectors]
    detail = f"No DKIM key at {' or '.join(names)}: mailboxes refuse bulk email without one; {provider.dkim_hint}."
    kind = "CNAME" if provider.selectors and not selector else "TXT"
    value = "<as your provider shows it>" if kind == "CNAME" else "v=DKIM1; k=rsa; p=<public key>"
    return Finding(Verdict.FAIL, detail, None, [DnsRecord(name, kind, value) for name in names])


def tags(text: str) -> dict[str, str]:
    """The tags of a record, `v=DKIM1; p=...`, without the blanks around them (RFC 6376, 3.2)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, separator, value in pairs if separator}


def _judged(name: str, text: str, found: dict[str, str]) -> Finding:
    if not _SPACE.sub("", found["p"]):
        return Finding(Verdict.FAIL, f"The DKIM key at {name} has been revoked: publish a new one.", text)
    bits = _bits(found)
    if bits is None:
        return Finding(Verdict.FAIL, f"The DKIM key at {name} cannot be read: copy it again, whole.", text)
    if bits < MIN_BITS:
        detail = f"The DKIM key at {name} has {bits} bits, and mailboxes ignore it: publish one of {GOOD_BITS} bits."
        return Finding(Verdict.FAIL, detail, text)
    if "y" in found.get("t", "").split(":"):
        detail = f"The DKIM key at {name} is marked as a test (t=y), so mailboxes may ignore it: remove t=y."
        return Finding(Verdict.WARN, detail, text)
    if bits < GOOD_BITS:
        detail = f"The DKIM key at {name} has {bits} bits: publish one of {GOOD_BITS} bits."
        return Finding(Verdict.WARN, detail, text)
    return Finding(Verdict.OK, f"There is a DKIM key at {name}.", text)


def _bits(found: dict[str, str]) -> int | None:
    """The length of an RSA key in bits; `GOOD_BITS` for a whole Ed25519 key; None if it cannot be read."""
    try:
        raw = base64.b64decode(_SPACE.sub("", found["p"]), validate=True)
        if found.get("k", "rsa").lower() == "ed25519":
            return GOOD_BITS if len(raw) == _ED25519_BYTES else None
        key = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.key_size if isinstance(key, RSAPublicKey) else None
