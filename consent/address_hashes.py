"""Keyed 64-bit hashes of addresses, as Redis and unsubscribe links keep them. Pure; the key comes from outside."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Final

#: The length of a new key, in bytes.
KEY_BYTES: Final = 32
#: The length of keys that earlier versions made. Their lists keep them, and their way of hashing.
_OLDER_KEY_BYTES: Final = 16


def hash_array(key: bytes, folded: Sequence[str]) -> array[int]:
    """The signed 64-bit hashes of addresses. To make many at once takes half of the time of one by one.

    Args:
        key: of the list.
        folded: in the form that `lists.addresses.folded` makes.
    """
    copy, update, digest = _begun(key).copy, hashlib.blake2b.update, hashlib.blake2b.digest
    digests: list[bytes] = []
    keep = digests.append
    for address in map(str.encode, folded):
        begun = copy()
        update(begun, address)
        keep(digest(begun))
    found = array("q", b"".join(digests))
    if sys.byteorder == "little":
        found.byteswap()
    return found


def hasher(key: bytes) -> Callable[[str], int]:
    """A function that makes the hash of one address in its folded form."""
    begun, from_bytes = _begun(key), int.from_bytes

    def hash_of(folded: str) -> int:
        digest = begun.copy()  # half the time of a new one
        digest.update(folded.encode())
        return from_bytes(digest.digest(), "big", signed=True)

    return hash_of


def _begun(key: bytes) -> hashlib.blake2b:
    if len(key) == _OLDER_KEY_BYTES:
        return hashlib.blake2b(digest_size=8, key=key, person=b"suppression")
    # A key in these parameters makes the starting state secret, and costs nothing per address. As `key`, it would be a
    # block of its own to hash before each address: three fifths more time.
    return hashlib.blake2b(digest_size=8, salt=key[: KEY_BYTES // 2], person=key[KEY_BYTES // 2 :])
