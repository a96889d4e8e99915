"""The suppression list for tests: on any Redis, with the object store as a dictionary."""

from __future__ import annotations

from redis import Redis

from campaigns import keys
from campaigns.db.scripts import Scripts
from consent.suppressions import Names, Suppressions
from storage import MissingObject
from tests.support.doubles.object_store import MemoryStore

NAMES = Names(keys.SUPPRESSIONS, keys.SUPPRESSIONS_JOURNAL, keys.SUPPRESSION_OBJECTS, keys.HISTORY)


def suppressions(redis: Redis, store: MemoryStore) -> Suppressions:
    """A list as each process has one."""
    return Suppressions(Scripts(redis), store, NAMES, MissingObject)
