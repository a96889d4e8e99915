"""What one check of the installation has found."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class DoctorVerdict(StrEnum):
    """How it stands, from the best to the worst."""

    OK = "ok"
    #: The check could not find out.
    UNKNOWN = "unknown"
    #: It works, and something should be changed.
    WARNING = "warning"
    #: It does not work, or is not safe.
    FAILED = "failed"


class DoctorFinding(msgspec.Struct, frozen=True):
    """A finding.

    Attributes:
        name: what was checked, such as `Redis: append-only file`.
        verdict: how it stands.
        found: what was found.
        mend: what to do; "" if there is nothing to do.
    """

    name: str
    verdict: DoctorVerdict
    found: str
    mend: str = ""


def ok(name: str, found: str) -> DoctorFinding:
    """A finding without anything to do."""
    return DoctorFinding(name, DoctorVerdict.OK, found)


def unknown(name: str, found: str, mend: str = "") -> DoctorFinding:
    """A finding of a check that could not find out."""
    return DoctorFinding(name, DoctorVerdict.UNKNOWN, found, mend)


def warning(name: str, found: str, mend: str) -> DoctorFinding:
    """A finding of something that works and should be changed."""
    return DoctorFinding(name, DoctorVerdict.WARNING, found, mend)


def failed(name: str, found: str, mend: str) -> DoctorFinding:
    """A finding of something that does not work or is not safe."""
    return DoctorFinding(name, DoctorVerdict.FAILED, found, mend)
