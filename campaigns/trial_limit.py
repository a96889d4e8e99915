"""The limit of test emails: 60 within any minute, over the whole installation. Counts nothing else of a campaign."""

from __future__ import annotations

from uuid import uuid4

from redis import Redis

from campaigns import actor, keys
from campaigns.account_table import AccountTable
from campaigns.db.scripts import Scripts
from campaigns.errors import BreakerOpen, TooManyTestEmails


class TrialLimit:
    """Grants test emails. One Redis call decides about each request, so that no two requests share what is left.

    Args:
        redis: a client without response decoding.
        accounts: the accounts whose circuit breakers decide too.
    """

    def __init__(self, redis: Redis, accounts: AccountTable) -> None:
        self._scripts = Scripts(redis)
        self._accounts = accounts

    def admit(self, campaign_id: str, count: int, account: str) -> None:
        """Grant test emails, all or none. They count as sent from now on.

        Args:
            campaign_id: the campaign that the emails are of; its history names them.
            count: how many, at most 60.
            account: the account that sends them.

        Raises:
            TooManyTestEmails: the limit does not allow so many now.
            BreakerOpen: the provider takes no emails at the moment.
            redis.RedisError: Redis is unavailable; nothing is granted.
        """
        of_request = {
            "test_sends": keys.TEST_SENDS,
            "breaker": self._accounts[account].breaker,
            "campaign": keys.campaign(campaign_id),
        }
        answer = self._scripts("admit_test_sends", of_request, request_id=uuid4().hex, count=count, by=actor.current())
        outcome, wait_ms, why = answer[0].decode(), int(answer[1]), answer[2].decode()
        if outcome == "limited":
            raise TooManyTestEmails(wait_ms)
        if outcome == "open":
            raise BreakerOpen(wait_ms, why)
