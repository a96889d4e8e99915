"""The types of problems (RFC 9457, 3.1.1): a client tells errors apart by them. `docs/problems.md` describes each.

A type never changes its name or its meaning. The sentence in `detail` may change at any time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

#: What the name of a type follows. It is a path of this server, where people read about the type.
PREFIX: Final = "/docs/problems/#"


class ProblemType(StrEnum):
    """The types by name. The docstring of `docs/problems.md` for each is under the same heading."""

    INVALID_REQUEST = "invalid-request"
    INVALID_BODY = "invalid-body"
    INVALID_CONTENT = "invalid-content"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    UNKNOWN_CAMPAIGN = "unknown-campaign"
    UNKNOWN_UPLOAD = "unknown-upload"
    UNKNOWN_ATTACHMENT = "unknown-attachment"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    SLOW_BODY = "slow-body"
    CONFLICT = "conflict"
    WRONG_STATE = "wrong-state"
    WARNINGS_NOT_ACCEPTED = "warnings-not-accepted"
    BRAKE_HOLDS = "brake-holds"
    INCOMPLETE_UPLOAD = "incomplete-upload"
    EXISTS = "exists"
    TOO_LARGE = "too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    TOO_MANY_REQUESTS = "too-many-requests"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    REDIS_UNAVAILABLE = "redis-unavailable"
    REDIS_REFUSES = "redis-refuses"
    STORE_UNAVAILABLE = "store-unavailable"
    STORE_REFUSES = "store-refuses"
    PROVIDER_UNAVAILABLE = "provider-unavailable"


#: The type of a problem that names none, by its status.
OF_STATUS: Final[dict[int, ProblemType]] = {
    401: ProblemType.UNAUTHORIZED,
    403: ProblemType.FORBIDDEN,
    404: ProblemType.NOT_FOUND,
    405: ProblemType.METHOD_NOT_ALLOWED,
    408: ProblemType.SLOW_BODY,
    409: ProblemType.CONFLICT,
    412: ProblemType.EXISTS,
    413: ProblemType.TOO_LARGE,
    415: ProblemType.UNSUPPORTED_MEDIA_TYPE,
    422: ProblemType.INVALID_REQUEST,
    429: ProblemType.TOO_MANY_REQUESTS,
    500: ProblemType.INTERNAL,
    503: ProblemType.UNAVAILABLE,
}


def uri(status: int, kind: ProblemType | None) -> str:
    """The `type` of a problem; about:blank for a status that has none of its own."""
    found = kind or OF_STATUS.get(status)
    return f"{PREFIX}{found}" if found else "about:blank"
