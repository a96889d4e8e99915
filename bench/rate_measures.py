"""Computes the measures of a rate: functions over times (seconds since the epoch) and the ledger's window buckets."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

#: The limiter's bucket, in ms, and its window, in buckets: 60 s, plus one bucket that is touched only in part.
BUCKET_MS: Final = 100
WINDOW_BUCKETS: Final = 601


class Finding(NamedTuple):
    """One line of the table: what was measured, what is required, and whether it holds."""

    point: str
    what: str
    measured: str
    wanted: str
    holds: bool


class Sent(NamedTuple):
    """For the plot: emails per second, and the limit in each second, also in emails per second."""

    title: str
    counts: list[int]
    limits: list[float]


class Change(NamedTuple):
    """A limit, set between the times of a request and of its response (ms since the epoch)."""

    asked_ms: int
    answered_ms: int
    tpm: int


def most_within(times: Sequence[float], span_s: float = 60.0) -> int:
    """The most of the sorted times within any interval of this many seconds."""
    most, start = 0, 0
    for end, at in enumerate(times):
        while at - times[start] > span_s:
            start += 1
        most = max(most, end - start + 1)
    return most


def most_in_buckets(buckets: Mapping[int, int], first: int = 0) -> int:
    """The most that any 60 s can have contained, by the counts of buckets of 100 ms, from bucket `first` on.

    An interval of 60 s touches up to 601 buckets; all of them are counted in full, so no interval held more than this.
    """
    return max((in_window(buckets, last) for last in buckets if last >= first), default=0)


def in_window(buckets: Mapping[int, int], last: int) -> int:
    """The counts of the 601 buckets up to `last`."""
    return sum(buckets.get(number, 0) for number in range(last - WINDOW_BUCKETS + 1, last + 1))


def within(times: Sequence[float], start: float, end: float) -> int:
    """How many of the sorted times lie in [start, end)."""
    return bisect_left(times, end) - bisect_left(times, start)


def per_second(times: Sequence[float], start: float, end: float) -> list[int]:
    """Counts of the whole seconds between two moments."""
    counts = Counter(math.floor(at - start) for at in times if start <= at < end)
    return [counts[second] for second in range(math.floor(end - start))]


def most_in_a_second(times: Sequence[float], start: float, end: float) -> int:
    """The most within any one second between two times."""
    return most_within(times[bisect_left(times, start) : bisect_right(times, end)], 1.0)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed: a percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def over_limit(buckets: Mapping[int, int], changes: Sequence[Change]) -> int:
    """The number of buckets with an admission that the limit in force did not allow, over all changes of the limit.

    During a change, either limit may be in force.
    """
    return sum(in_window(buckets, bucket) > _allowed(bucket, changes) for bucket, count in buckets.items() if count)


def _allowed(bucket: int, changes: Sequence[Change]) -> int:
    """The highest limit that may have been in force within a bucket."""
    start, end = bucket * BUCKET_MS, (bucket + 1) * BUCKET_MS
    allowed = 0
    for number, change in enumerate(changes):
        until = changes[number + 1].answered_ms if number + 1 < len(changes) else end
        if change.asked_ms < end and until >= start:
            allowed = max(allowed, change.tpm)
    return allowed


def per_second_of(buckets: Mapping[int, int], start_ms: int, seconds: int) -> list[int]:
    """Admissions of each second from a moment on, by buckets."""
    first = start_ms // BUCKET_MS
    return [sum(buckets.get(first + second * 10 + part, 0) for part in range(10)) for second in range(seconds)]
