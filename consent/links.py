"""Unsubscribe links: short, opaque, signed, and valid for ever. Knows nothing of HTTP and of what a link does.

A token is AES-SIV (RFC 5297) over 20 bytes: the campaign's mark, the row, and the keyed hash of the address. It shows
nothing of the three, a changed token does not verify, and the same recipient always gets the same token. The hash of
the address is all that the suppression list needs, so a link still works when its campaign is deleted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from typing import Final, NamedTuple
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

#: The path under which links stand.
PATH: Final = "/u/"
#: The length of every token, in characters of base64url without padding.
TOKEN_CHARS: Final = 48
#: The highest row number that a token holds.
MAX_ROW: Final = 2**32 - 1

#: Mark (8 bytes), row (4 bytes), address hash (8 bytes, signed).
_CONTENT: Final = struct.Struct(">8sIq")
_FORM: Final = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_CHARS}}}").fullmatch
#: RFC 8058, section 3.1: the only value that the header may have.
_ONE_CLICK: Final = "List-Unsubscribe=One-Click"


class Link(NamedTuple):
    """What a verified token says.

    Attributes:
        mark: of the campaign, see `mark_of`.
        row: of the recipient in the campaign's list, from 1.
        address_hash: the signed 64-bit hash that the suppression list keeps of the address.
    """

    mark: bytes
    row: int
    address_hash: int


class Links:
    """Makes and verifies tokens. Thread safe.

    Args:
        secret: the key that signs new tokens.
        previous: an older key, whose tokens still verify; None: there is none.
    """

    def __init__(self, secret: str, previous: str | None = None) -> None:
        self._ciphers = [_cipher(key) for key in (secret, previous) if key]

    def token(self, mark: bytes, row: int, address_hash: int) -> str:
        """The token of one recipient: `TOKEN_CHARS` letters, digits, `-` and `_`.

        Args:
            mark: of the campaign, see `mark_of`.
            row: of the recipient, from 1 to `MAX_ROW`.
            address_hash: as `Suppressions.hash_of` makes it.
        """
        sealed = self._ciphers[0].encrypt(_CONTENT.pack(mark, row, address_hash), None)
        return base64.urlsafe_b64encode(sealed).decode("ascii")

    def verify(self, token: str) -> Link | None:
        """What a token says; None: we have not made it. Never raises. The comparison takes constant time."""
        if not _FORM(token):
            return None
        try:
            sealed = base64.urlsafe_b64decode(token)
        except binascii.Error:
            return None
        for cipher in self._ciphers:
            try:
                return Link(*_CONTENT.unpack(cipher.decrypt(sealed, None)))
            except InvalidTag:
                continue
        return None


def mark_of(campaign: str) -> bytes:
    """The 8 bytes that stand for a campaign in its tokens.

    Args:
        campaign: a text that names the campaign, and its list if an id can be used twice.
    """
    return hashlib.blake2b(campaign.encode(), digest_size=8, person=b"campaign").digest()


def url(public_url: str, token: str) -> str:
    """The address of a token's page.

    Args:
        public_url: the server's address, without a slash at its end.
        token: see `Links.token`.
    """
    return f"{public_url}{PATH}{token}"


def unsubscribe_headers(public_url: str, token: str, mailto: str | None = None) -> dict[str, str]:
    """The headers of one email by which a mailbox offers its own unsubscribe button.

    Source: RFC 2369, section 3.2 (List-Unsubscribe); RFC 8058, section 3.1 (List-Unsubscribe-Post).

    Args:
        public_url: the server's address. One-click needs https; mailboxes ignore other addresses.
        token: see `Links.token`.
        mailto: a mailbox that takes unsubscribe requests by email, with the token as their subject; None: there is
            none.
    """
    targets = [f"<{url(public_url, token)}>"]
    if mailto:
        targets.append(f"<mailto:{quote(mailto, safe='@+')}?subject={token}>")
    return {"List-Unsubscribe": ", ".join(targets), "List-Unsubscribe-Post": _ONE_CLICK}


def _cipher(secret: str) -> AESSIV:
    # A key of its own for this purpose, so that no other use of the secret can make a token.
    return AESSIV(hashlib.blake2b(secret.encode(), digest_size=32, person=b"unsubscribe link").digest())
