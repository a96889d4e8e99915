"""The model's independent records of its campaigns, and the invariants that must hold after every step."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from campaigns import keys
from campaigns.event_kinds import EventKind
from campaigns.models import Status
from tests.support.doubles.object_store import MemoryStore
from tests.support.ledger_harness import LedgerHarness

NAMES: Final = ("c1", "c2")
OTHER: Final = {"c1": "c2", "c2": "c1"}
REPORTS: Final = (EventKind.ACCEPTED, EventKind.DELIVERED, EventKind.BOUNCED)
#: The states in which content and list can be replaced, and those in which the campaign has been started.
OPEN: Final = (Status.DRAFT, Status.PARSING, Status.READY, Status.REJECTED)
STARTED: Final = (Status.RUNNING, Status.PAUSED, Status.COMPLETED)


@dataclass
class ListRecord:
    """One list of one campaign.

    Attributes:
        city: whether it has this column.
        accepted: how many times the provider accepted each row.
        again: how many times an operator has decided that the provider may accept the row once more.
        reported: the rows about which the provider has reported, by the kind of report.
    """

    name: str
    rows: int
    city: bool
    accepted: Counter[int] = field(default_factory=Counter)
    again: Counter[int] = field(default_factory=Counter)
    reported: dict[EventKind, set[int]] = field(default_factory=lambda: {kind: set() for kind in REPORTS})


class SlowStore(MemoryStore):
    """An object store that lets other steps happen while a list is read, and while its report is written."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], None]] = []

    def stream(self, key: str) -> Iterator[bytes]:
        data = b"".join(super().stream(key))
        yield data[: len(data) // 2]
        self._something_happens()
        yield data[len(data) // 2 :]

    def put_file(
        self,
        key: str,
        fileobj: IO[bytes],
        on_progress: Callable[[], None] | None = None,
    ) -> None:
        super().put_file(key, fileobj, on_progress)
        if key.endswith("/rejected.csv"):
            self._something_happens()

    def _something_happens(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()


class Checks:
    """Compares what Redis holds with the records.

    Args:
        records: by the list's list_version.
        cities: whether the templates of each campaign name the column `city`.
    """

    def __init__(self, harness: LedgerHarness, records: dict[str, ListRecord], cities: dict[str, bool]) -> None:
        self._harness = harness
        self._redis = harness.redis
        self._records = records
        self._cities = cities

    def status(self, name: str) -> Status | None:
        """The status of a campaign; None if there is none."""
        raw = self._redis.hget(keys.campaign(name), "status")
        return None if raw is None else Status(raw.decode())

    def record(self, name: str) -> ListRecord | None:
        """The record of a campaign's list; None if it has none."""
        return self._records.get((self._redis.hget(keys.campaign(name), "list_version") or b"").decode())

    def unknown(self, name: str) -> set[int]:
        return {int(row) for row in self._redis.zrange(keys.of(name, "unknown"), 0, -1)}

    def holders(self, name: str) -> set[str]:
        """The workers that hold rows in flight."""
        return {claim.decode().partition("|")[0] for claim in self._redis.hvals(keys.of(name, "in_flight"))}

    @contextlib.contextmanager
    def only(self, name: str) -> Iterator[None]:
        """The steps in the block change nothing of the other campaign."""
        before = self._keys(OTHER[name])
        yield
        assert self._keys(OTHER[name]) == before, f"a step of {name}"

    def _keys(self, name: str) -> dict[bytes, bytes]:
        return {key: self._redis.dump(key) for key in self._redis.keys(f"{keys.PREFIX}:{{{name}}}:*")}

    def all(self) -> None:
        """Check what must hold after every step."""
        for record in self._records.values():
            for row, count in record.accepted.items():
                assert count <= 1 + record.again[row], f"row {row} of {record.name} is sent twice"
        for name in NAMES:
            status = self.status(name)
            assert self._is_listed(name) == (
                status is not None,
                status is Status.RUNNING,
                status is Status.PARSING,
            ), f"{name} is {status}"
            if status is None:
                assert self._keys(name) == {}, f"what is left of {name}"
            else:
                self._figures(name, status)

    def _is_listed(self, name: str) -> tuple[bool, bool, bool]:
        """Whether the campaign is among all campaigns, the running ones, and those being parsed."""
        redis = self._redis
        listed = redis.zscore(keys.CAMPAIGNS, name) is not None
        parsing = redis.zscore(keys.PARSING, name) is not None
        return listed, bool(redis.sismember(keys.RUNNING, name)), parsing

    def _figures(self, name: str, status: Status) -> None:
        report, record = self._harness.report(name), self.record(name)
        assert report.done >= 0
        assert report.failed >= 0
        if record is None or status in {Status.DRAFT, Status.PARSING}:
            assert (report.total, report.in_flight, report.unknown) == (0, 0, 0)
            return
        assert report.total in {0, record.rows} if status is Status.CANCELLED else report.total == record.rows
        assert report.delivered == len(record.reported[EventKind.DELIVERED])
        assert report.bounced == len(record.reported[EventKind.BOUNCED])
        if status is Status.COMPLETED:
            assert report.pending == report.unknown
        lacks = self._cities[name] and not record.city
        if status in STARTED:
            assert not lacks, f"{name} was started with a column that its list lacks"
        if status is Status.READY:
            assert ("city" in (report.reason or "")) == lacks, report.reason
