"""Which campaign an unsubscribe link belongs to. A link carries no id, but the mark of its list (`consent.links`).

Redis has one entry per campaign with a parsed list: `parse_finish.lua` writes it, `delete_campaign.lua` removes it.
"""

from __future__ import annotations

from redis import Redis

from campaigns import keys
from campaigns.db.typed_redis import typed
from consent.links import mark_of


def list_name(campaign_id: str, list_version: str) -> str:
    """The text of which a list's links carry the mark, see `consent.links.mark_of`."""
    return f"{campaign_id}/{list_version}"


def mark_text(campaign_id: str, list_version: str) -> str:
    """The mark of a list's links as Redis has it: 16 hexadecimal digits."""
    return mark_of(list_name(campaign_id, list_version)).hex()


class LinkMarks:
    """Finds campaigns on one Redis.

    Args:
        redis: a client without response decoding.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)

    def campaign_of(self, mark: bytes) -> str | None:
        """The id of the campaign whose list has this mark.

        Returns:
            The id. None: the campaign is gone or has another list, or an earlier version parsed its list.

        Raises:
            redis.RedisError
        """
        text = mark.hex()
        found = self._redis.hget(keys.LINK_MARKS, text)
        if found is None:
            return None
        campaign_id = found.decode()
        # An earlier version deletes a campaign without its entry, and the id may be another campaign's by now.
        in_use = self._redis.hget(keys.campaign(campaign_id), "link_mark")
        return campaign_id if in_use == text.encode() else None
