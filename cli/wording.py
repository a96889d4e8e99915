"""Figures and texts of the API as people read them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

#: A status object of the API.
Status = Mapping[str, Any]

#: The campaign's states from which it sends nothing any more.
ENDED: Final = frozenset({"completed", "cancelled", "rejected"})
#: The counts of a status that are shown only if they are not zero.
_RARE: Final = (
    "unknown", "in_flight", "retries", "rejected", "excluded", "delivered", "bounced", "dropped", "complained",
    "unsubscribed", "opened", "opened_by_machines", "clicked",
)  # fmt: skip
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def plain(text: object) -> str:
    """A text without what could control a terminal: each such character becomes U+FFFD."""
    return "".join(character if character.isprintable() else "\ufffd" for character in str(text))


def number(value: int) -> str:
    """A count with commas: 12,345."""
    return f"{value:,}"


def size(count: int) -> str:
    """A number of bytes in the largest unit in which it is at least 1."""
    for exponent, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**exponent:
            return f"{count / 1024**exponent:.1f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """A duration in its two largest units: `3 min 5 s`."""
    left = round(seconds)
    days, left = divmod(left, _DAY_S)
    hours, left = divmod(left, _HOUR_S)
    minutes, left = divmod(left, _MINUTE_S)
    found = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((place for place, (count, _) in enumerate(found) if count), len(found) - 1)
    return " ".join(f"{count} {unit}" for count, unit in found[first : first + 2] if count) or "0 s"


def time_left(status: Status, now: datetime) -> str:
    """How long the campaign takes yet, and when it is done: `about 4 min left, until 14:20`; empty: not known."""
    eta_s = status.get("eta_s")
    if status["status"] != "running" or eta_s is None:
        return ""
    end = now + timedelta(seconds=eta_s)
    clock = f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"about {duration(eta_s)} left, until {clock}"


def shown_counts(status: Status) -> dict[str, int]:
    """The counts of every campaign, and the rarer ones that are not zero, by their names for people."""
    names = ["done", "failed", "pending", *(name for name in _RARE if status.get(name))]
    return {name.replace("_", " "): status[name] for name in names}


def counts(status: Status) -> str:
    """The same as a text: `done 12, failed 0, pending 88`."""
    return ", ".join(f"{name} {number(count)}" for name, count in shown_counts(status).items())


def rate(status: Status) -> str:
    """The emails of the last minute beside the limit in force."""
    now = status.get("limit_now", status["rate_limit"])
    limit = f"limit {number(status['rate_limit'])} per minute"
    if now != status["rate_limit"]:
        limit += f" (now {number(now)})"
    return f"{number(status.get('sent_last_minute', 0))} sent in the last minute, {limit}"


def line(campaign_id: str, status: Status, now: datetime) -> str:
    """A status in one line."""
    found = [f"{campaign_id} {plain(status['status'])}: {counts(status)} of {number(status['total'])}"]
    if status["status"] == "running":
        found.append(rate(status))
    found += [time_left(status, now), plain(status.get("reason") or "")]
    return "; ".join(part for part in found if part)


def finding_line(finding: Mapping[str, Any]) -> str:
    """A finding about a campaign's content in one line: `warning: text, line 3: ...`."""
    level = {"error": "error", "stops_start": "stops the start", "acknowledge": "to accept"}.get(
        finding["level"], "hint"
    )
    place = finding["field"] or "content"
    if finding.get("line"):
        place += f", line {finding['line']}"
    return f"{level}: {place}: {finding['message']}"


def history_line(entry: Mapping[str, Any]) -> str:
    """An entry of a history in one line."""
    details = ", ".join(f"{name} {value}" for name, value in entry["details"].items())
    words = [f"{entry['at']}  {entry['event'].replace('_', ' ')} by {entry['by']}", details, entry.get("reason") or ""]
    return "; ".join(word for word in words if word)


def reached_all(status: Status) -> bool:
    """Whether a campaign has ended and each of its recipients is done."""
    return bool(status["status"] == "completed" and status["done"] == status["total"])
