"""Classifies the errors with which Redis refuses a command: does it refuse all clients, or one campaign's keys?

Redis refuses all clients because of the server's state (no memory, a full disk, a replica, no majority). Such a refusal
is temporary. Any other refusal concerns the keys of that call, for example a key with a value of another type. Redis
will refuse the same call again, however often it is repeated, and will accept the calls of other campaigns.
"""

from __future__ import annotations

import re
from typing import Final

from redis import ConnectionError as RedisConnectionError, RedisError, ResponseError, TimeoutError as RedisTimeoutError

#: The codes of errors with which a server refuses all clients. NOSCRIPT: Redis forgot a script between two calls.
_SERVER_WIDE: Final = frozenset(
    (
        *("OOM", "MISCONF", "READONLY", "NOREPLICAS", "LOADING", "BUSY", "UNKILLABLE", "NOSCRIPT"),
        *("CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "MOVED", "ASK", "CROSSSLOT"),
        *("NOAUTH", "NOPERM", "WRONGPASS"),
    )
)
#: What Redis appends to an error of a command in a script.
_IN_SCRIPT: Final = re.compile(r"\s*script: ([0-9a-f]+, )?on \S+:\d+\.?\s*$")
_CODE: Final = re.compile(r"[A-Z]{2,}(?= |$)")
#: The longest quotation of an error, in characters.
_LONGEST: Final = 300


def is_of_one_campaign(error: Exception) -> bool:
    """Whether Redis has refused only this campaign's keys, and will refuse them again."""
    return isinstance(error, ResponseError) and _code(error) not in _SERVER_WIDE


def words(error: Exception) -> str | None:
    """The error text from Redis itself; None if Redis did not respond."""
    if not isinstance(error, RedisError):
        return None
    if isinstance(error, RedisConnectionError | RedisTimeoutError) and not error.status_code:
        return None
    text = _IN_SCRIPT.sub("", " ".join(str(error).split()))
    code = _code(error)
    if code not in {"", "ERR"} and not text.startswith(code):  # redis-py removes the codes that it knows
        text = f"{code} {text}"
    return text[:_LONGEST]


def of_one_campaign(error: Exception) -> str:
    """The reason that pauses a campaign whose keys Redis refuses."""
    return f"Redis refuses this campaign: {words(error)}"


def _code(error: Exception) -> str:
    known = getattr(error, "status_code", None)
    if known:
        return str(known)
    found = _CODE.match(str(error))
    return found[0] if found else ""
