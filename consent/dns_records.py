"""Asks the DNS for TXT records, through dnspython. Knows nothing of what the records mean."""

from __future__ import annotations

from typing import Final, Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdtypes.txtbase import TXTBase

#: How long one question may take, in seconds, whatever the number of name servers.
TIMEOUT_S: Final = 3.0


class DnsUnavailable(Exception):
    """No name server gave an answer; the message says why."""


class TxtRecords(Protocol):
    """Who answers questions for TXT records."""

    async def txt(self, name: str) -> list[str]:
        """The TXT records of a name, each with its strings joined; none if the name has none or does not exist.

        Raises:
            DnsUnavailable
        """
        ...


class DnsTxtRecords:
    """Asks the name servers of this machine. They are looked up with the first question."""

    def __init__(self) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def txt(self, name: str) -> list[str]:
        """See `TxtRecords.txt`. A CNAME is followed."""
        try:
            self._resolver = self._resolver or dns.asyncresolver.Resolver()
            answer = await self._resolver.resolve(f"{name}.", "TXT", lifetime=TIMEOUT_S)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.resolver.LifetimeTimeout:
            raise DnsUnavailable(f"no answer within {TIMEOUT_S:g} s") from None
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(type(error).__name__) from None
        return [b"".join(record.strings).decode("ascii", "replace") for record in answer if isinstance(record, TXTBase)]
