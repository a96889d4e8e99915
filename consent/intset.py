"""Reads a set of 64-bit integers out of the form in which Redis dumps it.

Source: Redis' `rdb.h` (object type 11, `RDB_TYPE_SET_INTSET`; lengths of strings), `intset.h`. The form has been the
same since Redis 2.6; whatever else a server answers is left to a slower way.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Final

#: The type of an object in a dump: a set of integers.
_INTSET: Final = 11
#: Encoding and number of integers, at the start of the set.
_HEAD: Final = struct.Struct("<II")
_INTEGER_BYTES: Final = 8
#: The version and the checksum at the end of a dump.
_FOOT_BYTES: Final = 10


def integers(dump: bytes) -> array[int] | None:
    """The signed 64-bit integers of a dumped set; None if it is not such a set, or is packed in another way."""
    if len(dump) < 2 or dump[0] != _INTSET:
        return None
    start = _start(dump[1])
    body = dump[start:-_FOOT_BYTES]
    if not start or len(body) < _HEAD.size:
        return None
    bytes_each, count = _HEAD.unpack_from(body)
    if bytes_each != _INTEGER_BYTES or len(body) != _HEAD.size + count * _INTEGER_BYTES:
        return None
    found = array("q", body[_HEAD.size :])
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _start(length: int) -> int:
    """Where a string begins whose length begins with this byte: 6 bits, 14 bits, or 32 bits; 0 for any other form."""
    if length == 0x80:
        return 6
    return {0: 2, 1: 3}.get(length >> 6, 0)
