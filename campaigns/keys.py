"""Builds every Redis key of Postrider; no other module does. `docs/redis-keys.md` describes the content of each.

All keys of one campaign share the hash tag `{id}`, so that a campaign lives on one shard. Dramatiq names its own keys.
This module also builds the three of them that Postrider's scripts use, and a test pins them.
"""

from __future__ import annotations

from functools import cache
from typing import Final
from uuid import uuid4

PREFIX: Final = "postrider"
#: The version of the Redis schema that this file describes.
SCHEMA_VERSION: Final = 2

#: string: the version of the schema. The key has the same name in all versions, so that an older Postrider finds it.
SCHEMA: Final = f"{PREFIX}:layout"
#: zset: campaign id by creation time (ms).
CAMPAIGNS: Final = f"{PREFIX}:campaigns"
#: set: ids of the running campaigns.
RUNNING: Final = f"{PREFIX}:running"
#: zset: ids of the campaigns that are being parsed, by their parser's last heartbeat (ms).
PARSING: Final = f"{PREFIX}:parsing"
#: zset: ids of the scheduled campaigns, by when they begin (ms).
SCHEDULE: Final = f"{PREFIX}:schedule"
#: zset: ids of the campaigns, in any state, that may have rows in flight, by the time of their next check (ms).
CLAIMS: Final = f"{PREFIX}:claims"
#: zset: worker ids by their last heartbeat (ms).
WORKERS: Final = f"{PREFIX}:workers"
#: hash: worker id -> the number of messages that the worker processes concurrently.
SLOTS: Final = f"{PREFIX}:slots"
#: hash: worker id -> the accounts that the worker knows, `,default,news,`.
WORKER_ACCOUNTS: Final = f"{PREFIX}:worker_accounts"
#: string with expiry: the worker that dispatches.
DISPATCHER_LEASE: Final = f"{PREFIX}:dispatcher_lease"
#: hash: the dispatcher's virtual time and pace.
DISPATCHER: Final = f"{PREFIX}:dispatcher"
#: channel: the name of a queue that has received a message (`lua/lib/enqueue.lua` names the channel too).
NOTIFICATIONS: Final = f"{PREFIX}:notify"
#: hash: how far Dramatiq's dead letters have been read.
DEAD_LETTERS: Final = f"{PREFIX}:dead_letters"
#: hash: "kind|why" -> the number of the provider's events of that kind that belong to no row.
UNATTRIBUTED: Final = f"{PREFIX}:unattributed"
#: hash: when each provider's webhook last took events, and how many requests it refused (`lua/note_webhook.lua`).
WEBHOOKS: Final = f"{PREFIX}:webhooks"
#: hash: the suppression list's counters and hash key. Its buckets are sets whose keys begin with this one.
SUPPRESSIONS: Final = f"{PREFIX}:suppressions"
#: list: records of the suppression list that are not in the object store yet.
SUPPRESSIONS_JOURNAL: Final = f"{PREFIX}:suppressions_journal"
#: hash: the mark of a list's unsubscribe links -> campaign id; one entry per campaign with a parsed list.
LINK_MARKS: Final = f"{PREFIX}:link_marks"
#: string with expiry: the web process that has moved the journal lately.
SUPPRESSIONS_LEASE: Final = f"{PREFIX}:suppressions_lease"
#: zset with expiry: the test emails of the last minute, by when they were granted (ms).
TEST_SENDS: Final = f"{PREFIX}:test_sends"
#: list: the history of the installation: what belongs to no single campaign.
HISTORY: Final = f"{PREFIX}:history"
#: hash: the receiver of outgoing events; zset: event id by when it is due (ms); hash: event id -> event;
#: hash: event id -> failed attempts. `lua/lib/history.lua` names the first three too.
EVENTS: Final = f"{PREFIX}:events"
EVENTS_DUE: Final = f"{PREFIX}:events_due"
EVENTS_WAITING: Final = f"{PREFIX}:events_waiting"
EVENTS_ATTEMPTS: Final = f"{PREFIX}:events_attempts"
#: string with expiry: the web process that delivers outgoing events.
EVENTS_LEASE: Final = f"{PREFIX}:events_lease"
#: This key never exists. A write to it changes nothing, and shows whether Redis accepts writes.
PROBE: Final = f"{PREFIX}:probe"
#: string with expiry: the erasure that is under way.
ERASURE_LEASE: Final = f"{PREFIX}:erasure_lease"
#: string with expiry: the janitor's lease.
JANITOR_LEASE: Final = f"{PREFIX}:janitor"


def breaker(scope: str) -> str:
    """hash: an account's circuit breaker. `scope`: see `account_table.scope`, here and below. `lua/lib/accounts.lua`
    builds these four keys too.
    """
    return f"{PREFIX}:breaker:{scope}"


def erasure(address_hash: int) -> str:
    """Hash with expiry: what an erasure of the address with this hash has done so far."""
    return f"{PREFIX}:erasure:{address_hash}"


def failing(scope: str) -> str:
    """zset: rows whose sends the account failed lately (campaign:row), by time (ms)."""
    return f"{PREFIX}:failing:{scope}"


def account(scope: str) -> str:
    """hash: the sliding window of all campaigns of the account together."""
    return f"{PREFIX}:account:{scope}"


def reputation(account: str) -> str:
    """hash: the recipients that the account's provider has reported on lately, by 15 minutes and kind.

    `lua/lib/account_brake.lua` builds this key too.
    """
    return f"{PREFIX}:reputation:{account}"


def domain_prefix(scope: str) -> str:
    """Prefix of one hash per limited domain, with the domain appended: its sliding window and pace while in use."""
    return f"{PREFIX}:domain:{scope}:"


def campaign(campaign_id: str) -> str:
    """hash: the campaign's content, state and list."""
    return f"{PREFIX}:{{{campaign_id}}}:campaign"


def of(campaign_id: str, name: str) -> str:
    """A key of a campaign, by its name in `CAMPAIGN_KEYS`."""
    if name not in CAMPAIGN_KEYS:
        raise KeyError(name)
    return f"{PREFIX}:{{{campaign_id}}}:{name}"


def named(campaign_id: str, names: str) -> dict[str, str]:
    """Keys of a campaign by name, in the form that scripts take. `names`: separated by spaces, "done failed"."""
    prefix = f"{PREFIX}:{{{campaign_id}}}:"
    return {name: prefix + name for name in _checked(names)}


@cache
def _checked(names: str) -> tuple[str, ...]:
    found = tuple(names.split())
    if unknown := set(found) - set(CAMPAIGN_KEYS):
        raise KeyError(*unknown)
    return found


#: The prefix of all objects (not Redis keys) of all campaigns in the object store.
OBJECTS: Final = "campaigns/"


def objects(campaign_id: str) -> str:
    """The prefix of a campaign's objects."""
    return f"{OBJECTS}{campaign_id}/"


def objects_of_list(campaign_id: str, list_version: str) -> str:
    """The prefix of the objects that Postrider derives from a campaign's list."""
    return f"{objects(campaign_id)}{list_version}/"


def new_attachment(campaign_id: str) -> str:
    """A new, unique key for a file that a campaign's emails carry, so that a file never changes while it is sent."""
    return f"{objects(campaign_id)}attachments/{uuid4().hex}"


def rejected_report(campaign_id: str, list_version: str) -> str:
    """The object that lists a list's rejected rows: `row,email,reason`, in row order."""
    return f"{objects_of_list(campaign_id, list_version)}rejected.csv"


def converted_list(campaign_id: str, list_version: str) -> str:
    """The object with a list that was converted to UTF-8 CSV from another encoding or format."""
    return f"{objects_of_list(campaign_id, list_version)}list.csv"


#: The prefix of the suppression list's objects in the object store.
SUPPRESSION_OBJECTS: Final = "suppressions/"


#: The names of the keys that belong to a campaign's list. They are deleted with it.
LIST_KEYS: Final = (
    "done",
    "failed",
    "rejected",
    "refeed",
    "index",
    "ready",
    "requeued",
    "held",
    "batches",
    "in_flight",
    "unknown",
    "reasons",
    "delivered",
    "bounced",
    "complained",
    "unsubscribed",
    "opened",
    "opened_by_machines",
    "clicked",
    "dropped",
    "before_brake",
    "dead",
    "report",
    "breaker",
    "failing",
    "throughput",
)
#: The names of all keys that a campaign can have, so that a deletion finds all of them.
CAMPAIGN_KEYS: Final = ("campaign", "progress", "window", "uploads", "attachments", "history", *LIST_KEYS)


def dramatiq_queue(queue: str) -> str:
    """list: ids of the messages of one of Dramatiq's queues."""
    return f"dramatiq:{queue}"


def dramatiq_messages(queue: str) -> str:
    """hash: message id -> message of one of Dramatiq's queues."""
    return f"dramatiq:{queue}.msgs"


def dramatiq_dead(queue: str) -> str:
    """zset: ids of a queue's dead letters by time (ms); `.msgs` appended: hash of the messages."""
    return f"dramatiq:{queue}.XQ"
