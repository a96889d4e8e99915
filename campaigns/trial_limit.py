"""The limit of test emails: 60 within any minute, over the whole installation. Counts nothing else of a campaign."""

from __future__ import annotations

from uuid import uuid4

from redis import Redis

from campaigns import actor, keys
from campaigns.db.scripts import Scripts
from campaigns.errors import BreakerOpen, TooManyTestEmails


class TrialLimit:
    """Grants test emails. One Redis call decides about each request, so that no two requests share what is left.

    Args:
        redis: a client without response decoding.
        provider: the provider whose circuit breaker decides too.
    """

    def __init__(self, redis: Redis, provider: str) -> None:
        self._scripts = Scripts(redis)
        self._keys = {"test_sends": keys.TEST_SENDS, "breaker": keys.breaker(provider)}

    def admit(self, campaign_id: str, count: int) -> None:
        """Grant test emails, all or none. They count as sent from now on.

        Args:
            campaign_id: the campaign that the emails are of; its history names them.
            count: how many, at most 60.

        Raises:
            TooManyTestEmails: the limit does not allow so many now.
            BreakerOpen: the provider takes no emails at the moment.
            redis.RedisError: Redis is unavailable; nothing is granted.
        """
        answer = self._scripts(
            "admit_test_sends",
            {**self._keys, "campaign": keys.campaign(campaign_id)},
            request_id=uuid4().hex,
            count=count,
            by=actor.current(),
        )
        outcome, wait_ms, why = answer[0].decode(), int(answer[1]), answer[2].decode()
        if outcome == "limited":
            raise TooManyTestEmails(wait_ms)
        if outcome == "open":
            raise BreakerOpen(wait_ms, why)
