"""The unsubscribe link of each recipient of a list: its URL, and both headers. It knows no campaign and no email."""

from __future__ import annotations

from collections.abc import Callable

from consent.links import Links, mark_of, unsubscribe_headers, url
from consent.suppressions import Suppressions

#: Makes the URL and the headers of a recipient from the row (from 1) and the address, in the form to send to.
LinkOf = Callable[[int, str], tuple[str, dict[str, str]]]

#: Stands where the token goes; a character which no URL and no mailbox contains.
_PLACE = "\0"


class RecipientLinks:
    """Makes the links of all lists of an installation. Thread safe.

    Args:
        links: makes the tokens.
        suppressions: makes the hashes of the addresses.
        public_url: the server's address, without a slash at its end.
        mailto: a mailbox that takes unsubscribe requests by email, or None.
    """

    def __init__(self, links: Links, suppressions: Suppressions, public_url: str, mailto: str | None = None) -> None:
        self._links = links
        self._suppressions = suppressions
        self._url = url(public_url, "")
        # Made once: to write them anew would take a third of an email's time for its link.
        headers = unsubscribe_headers(public_url, _PLACE, mailto)
        self._targets = headers.pop("List-Unsubscribe").split(_PLACE)
        self._post = headers

    def of(self, campaign: str) -> LinkOf:
        """The links of one list. This may ask Redis, and blocks; the returned function does neither.

        Args:
            campaign: a text that names the campaign and its list, see `consent.links.mark_of`.

        Raises:
            redis.RedisError: Redis is unavailable.
            StoreError: Redis has no hash key yet, and the store is unavailable.
        """
        mark, hash_of, token_of = mark_of(campaign), self._suppressions.hasher(), self._links.token
        base, targets, post = self._url, self._targets, self._post

        def link_of(row: int, address: str) -> tuple[str, dict[str, str]]:
            token = token_of(mark, row, hash_of(address.lower()))
            return base + token, {"List-Unsubscribe": token.join(targets), **post}

        return link_of
