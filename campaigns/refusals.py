"""What a Redis that answers, but refuses, says: its own words, and whether it refuses everybody or one campaign alone.

It refuses everybody where the server's state is the cause (no memory, a full disk, a replica, no majority), and that
passes. Any other refusal is of the keys of that call, as where one of them holds a value of another type: the same call
will be refused again, however often it is repeated, and those of other campaigns will not.
"""

from __future__ import annotations

import re
from typing import Final

from redis import ConnectionError as RedisConnectionError, RedisError, ResponseError, TimeoutError as RedisTimeoutError

#: The first words of errors by which a server refuses everybody; NOSCRIPT: a script was forgotten between two calls.
_EVERYBODYS: Final = frozenset(
    (
        *("OOM", "MISCONF", "READONLY", "NOREPLICAS", "LOADING", "BUSY", "UNKILLABLE", "NOSCRIPT"),
        *("CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "MOVED", "ASK", "CROSSSLOT"),
        *("NOAUTH", "NOPERM", "WRONGPASS"),
    )
)
#: What Redis appends to an error of a command in a script.
_IN_SCRIPT: Final = re.compile(r"\s*script: ([0-9a-f]+, )?on \S+:\d+\.?\s*$")
_CODE: Final = re.compile(r"[A-Z]{2,}(?= |$)")
#: The longest that is quoted, in characters.
_LONGEST: Final = 300


def is_of_one_campaign(error: Exception) -> bool:
    """Whether Redis has refused this campaign's keys alone, and will again."""
    return isinstance(error, ResponseError) and _code(error) not in _EVERYBODYS


def words(error: Exception) -> str | None:
    """What Redis itself has said; None where it has not answered at all."""
    if not isinstance(error, RedisError):
        return None
    if isinstance(error, RedisConnectionError | RedisTimeoutError) and not error.status_code:
        return None
    text = _IN_SCRIPT.sub("", " ".join(str(error).split()))
    code = _code(error)
    if code not in {"", "ERR"} and not text.startswith(code):  # redis-py cuts off the codes that it knows
        text = f"{code} {text}"
    return text[:_LONGEST]


def of_one_campaign(error: Exception) -> str:
    """The reason with which a campaign is paused that Redis refuses alone."""
    return f"Redis refuses this campaign: {words(error)}"


def _code(error: Exception) -> str:
    known = getattr(error, "status_code", None)
    if known:
        return str(known)
    found = _CODE.match(str(error))
    return found[0] if found else ""
