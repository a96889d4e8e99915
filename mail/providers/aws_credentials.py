"""AWS credentials from the usual places, refreshed before they expire. Signs nothing and knows no service.

botocore looks for them as the AWS tools do: environment, shared files, container and instance roles.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import botocore.session
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError

from mail.providers.aws_signature import Keys

#: How long keys that may expire are used before botocore is asked again, in seconds. botocore renews them 10 to 15
#: minutes before they expire.
RECHECK_S: Final = 30.0


class NoCredentials(Exception):
    """There are no credentials in any of the usual places; the message says what to do."""


class CredentialsUnavailable(Exception):
    """The source of the credentials did not answer, or answered with an error. It may answer later."""


class AwsCredentials:
    """The credentials of one sender. Use it in one event loop; any number of callers may wait at once.

    Args:
        keys: permanent credentials; None: those that botocore finds.
        timeout_s: the longest wait for the source of temporary credentials, in seconds.
    """

    def __init__(self, keys: Keys | None, timeout_s: float) -> None:
        self._fixed = keys
        self._timeout_s = timeout_s
        self._found: Credentials | None = None
        self._keys = keys
        self._use_until_s = float("inf") if keys else 0.0
        self._look_up: asyncio.Task[Keys | Exception] | None = None

    async def current(self) -> Keys:
        """The keys to sign with now.

        Raises:
            NoCredentials: there are none.
            CredentialsUnavailable: their source failed, or took longer than `timeout_s`.
        """
        if self._keys is not None and time.monotonic() < self._use_until_s:
            return self._keys
        return await self._ask(again=False)

    async def after_refusal(self, refused: Keys) -> Keys | None:
        """Other keys than those that AWS has refused as expired; None if there are none.

        Raises:
            NoCredentials: there are none any more.
            CredentialsUnavailable: their source failed, or took longer than `timeout_s`.
        """
        keys = self._keys
        for _attempt in range(2):  # the first may join a look-up that began before the refusal
            if keys is None or keys == refused:
                keys = await self._ask(again=True)
        return keys if keys != refused else None

    async def _ask(self, *, again: bool) -> Keys:
        """Ask botocore, in a thread; callers that come meanwhile wait for the same look-up."""
        if self._fixed is not None:
            return self._fixed
        if self._look_up is None or self._look_up.done():
            self._look_up = asyncio.create_task(self._looked_up(again))
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await asyncio.shield(self._look_up)
        except TimeoutError:
            raise CredentialsUnavailable(f"no AWS credentials within {self._timeout_s:g} s") from None
        if isinstance(found, Exception):
            raise found
        return found

    async def _looked_up(self, again: bool) -> Keys | Exception:
        """A failure is a result, since the task may end when no one waits for it any more."""
        try:
            keys = await asyncio.to_thread(self._read, again)
        except NoCredentials as error:
            return error
        except (BotoCoreError, OSError, ValueError) as error:
            return CredentialsUnavailable(f"the AWS credentials cannot be read: {error}")
        may_expire = isinstance(self._found, RefreshableCredentials)
        self._keys = keys
        self._use_until_s = time.monotonic() + RECHECK_S if may_expire else float("inf")
        return keys

    def _read(self, again: bool) -> Keys:
        if self._found is None or again:
            # A new session reads the files anew: a tool may have replaced the credentials in them.
            self._found = botocore.session.Session().get_credentials()
        if self._found is None:
            raise NoCredentials(
                "no AWS credentials were found: set SES_ACCESS_KEY_ID and SES_SECRET_ACCESS_KEY, or the usual AWS_* "
                "variables, a shared credentials file or a role"
            )
        frozen = self._found.get_frozen_credentials()
        return Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token or "")
