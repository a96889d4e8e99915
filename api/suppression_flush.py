"""Moves the suppression list's journal from Redis into the object store, when a request finds that it is time."""

from __future__ import annotations

import structlog
from redis.exceptions import RedisError

from consent.suppressions import Suppressions
from storage import StoreError

log = structlog.get_logger(__name__)


def flush(suppressions: Suppressions) -> None:
    """Move the journal. If the store is away, the journal keeps its records until the next time."""
    try:
        log.info("suppressions_stored", records=suppressions.flush())
    except (RedisError, StoreError) as error:
        log.warning("suppressions_not_stored", error=type(error).__name__)
