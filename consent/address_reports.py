"""What providers report about addresses: who bounced, complained, unsubscribed or subscribed again, and when.

Reports come late, several times and in any order. The suppression list is the same in the end: a repeated report
changes nothing, and between "unsubscribed" and "subscribed again" the later decision counts, not the later report.
Knows no provider and no campaign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from consent.records import AddressReport, Reason
from consent.restoration import Scripts
from consent.suppressions import BLOCK, FLUSH_RECORDS, Names, Suppressions
from lists import addresses

#: The longest text that is taken for an address, in characters.
_MAX_CHARS: Final = 1_000

_Entry = tuple[int, Reason, str, str, int | None]


class ReportsTaken(NamedTuple):
    """How many entries the reports have added to the list and taken off it, and whether it is time for `flush`."""

    added: int
    resubscribed: int
    flush_due: bool


class AddressReports:
    """Applies reports to the suppression list.

    Args:
        scripts: runs the scripts on the installation's Redis.
        names: of the list's keys.
        suppressions: the list, which makes the hashes.
    """

    def __init__(self, scripts: Scripts, names: Names, suppressions: Suppressions) -> None:
        self._scripts = scripts
        self._keys = {"suppressions": names.suppressions, "suppressions_journal": names.journal}
        self._suppressions = suppressions

    def apply(self, reports: Iterable[AddressReport]) -> ReportsTaken:
        """Apply reports; once this returns, no email is admitted to an address that they stop.

        A report without a valid address changes nothing. One round trip per `BLOCK` addresses.

        Raises:
            redis.RedisError, StoreError: some reports may be applied; applying all of them again is safe.
        """
        found = list(reports)
        folded = addresses.folded([report.address[:_MAX_CHARS] for report in found])
        valid = [(report, address) for report, address in zip(found, folded, strict=True) if address]
        if not valid:
            return ReportsTaken(0, 0, flush_due=False)
        hashes = self._suppressions.hashes([address for _report, address in valid])
        stops: list[_Entry] = []
        again: list[tuple[int, str, int | None]] = []
        for (report, address), number in zip(valid, hashes, strict=True):
            if isinstance(report.what, Reason):
                stops.append((number, report.what, address, "", report.at_ms))
            else:
                again.append((number, address, report.at_ms))
        added, waiting = self._run("suppress", stops)
        resubscribed, waiting_after = self._run("resubscribe", again)
        return ReportsTaken(added, resubscribed, max(waiting, waiting_after) >= FLUSH_RECORDS)

    def _run(self, script: str, entries: Sequence[tuple[object, ...]]) -> tuple[int, int]:
        """Run a script in blocks. Returns how many entries have changed the list, and the length of the journal."""
        changed = waiting = 0
        for at in range(0, len(entries), BLOCK):
            new, waiting = self._scripts(script, self._keys, entries=entries[at : at + BLOCK])
            changed += new
        return changed, waiting
