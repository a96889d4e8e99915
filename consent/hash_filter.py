"""A bitmap that rules out most hashes as members of a set, in memory, without asking anyone.

It never rules out a member. It takes a small share of other hashes for members, and the caller has to check those.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from itertools import compress
from operator import and_, itemgetter
from typing import Final

#: The smallest and the largest bitmap, in bytes: 64 KiB, and 16 MiB with 13 bits per entry for 10,000,000 entries.
MIN_BYTES: Final = 2**16
MAX_BYTES: Final = 2**24
#: In between, the bits per entry, so that 3 % of other hashes at most look like members. Small bitmaps stay in the
#: processor's caches.
BITS_PER_ENTRY: Final = 32

_HASH_BYTES: Final = 8
_PLACE_BYTES: Final = 4
#: A byte of the hash -> the bit that it names.
_BIT: Final = bytes(1 << (byte & 7) for byte in range(256))


class HashFilter:
    """The bitmap. Hashes are arrays of signed 64-bit integers.

    It works on whole arrays, because a step of Python per hash would cost as much as to parse the row.

    Args:
        entries: about how many hashes will be added.
    """

    def __init__(self, entries: int) -> None:
        size = MIN_BYTES
        while size < MAX_BYTES and size * 8 < entries * BITS_PER_ENTRY:
            size *= 2
        self._bitmap = bytearray(size)
        self._mask = bytes(byte & (size - 1 >> 16) for byte in range(256))

    def __len__(self) -> int:
        """Its size in bytes."""
        return len(self._bitmap)

    def add(self, hashes: array[int]) -> None:
        """Add hashes."""
        bitmap = self._bitmap
        for place, bit in zip(*self._places(hashes), strict=True):
            bitmap[place] |= bit

    def candidates(self, hashes: array[int]) -> list[int]:
        """The positions of the hashes that may have been added; the others have not."""
        if len(hashes) < 2:
            return list(range(len(hashes)))  # `itemgetter` of one place makes no tuple
        places, bits = self._places(hashes)
        found = itemgetter(*places)(self._bitmap)
        return list(compress(range(len(hashes)), map(and_, found, bits)))

    def _places(self, hashes: array[int]) -> tuple[Iterable[int], Iterable[int]]:
        """For each hash, the byte of the bitmap that its lowest three bytes name, and the bit that the fourth names."""
        if sys.byteorder == "big":
            hashes = hashes[:]
            hashes.byteswap()
        data = hashes.tobytes()
        places = bytearray(_PLACE_BYTES * len(hashes))
        places[0::_PLACE_BYTES] = data[0::_HASH_BYTES]
        places[1::_PLACE_BYTES] = data[1::_HASH_BYTES]
        places[2::_PLACE_BYTES] = data[2::_HASH_BYTES].translate(self._mask)
        words = array("I", bytes(places))
        if sys.byteorder == "big":
            words.byteswap()
        return words, data[3::_HASH_BYTES].translate(_BIT)
