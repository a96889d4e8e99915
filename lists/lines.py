"""Splits the bytes of a CSV into lines: encoding, line ends, exact sizes. Knows nothing of fields, quotes or addresses.

For every encoding, lines come out as UTF-8 bytes with their line ends, and `raw_size` gives their size in bytes of the
file. A line that is not valid UTF-8 stays as it is; `decoded` reads it as cp1252.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain
from typing import Final, NamedTuple

UTF_8: Final = "utf-8"
UTF_16_LE: Final = "utf-16-le"
UTF_16_BE: Final = "utf-16-be"

#: The number of bytes from which the encoding is recognised.
HEAD_BYTES: Final = 64

_MARKS: Final = ((codecs.BOM_UTF8, UTF_8), (codecs.BOM_UTF16_LE, UTF_16_LE), (codecs.BOM_UTF16_BE, UTF_16_BE))

#: The characters of the bytes 0x80 to 0x9F in cp1252; the five that it leaves undefined stay Latin-1.
_CP1252: Final = {code: char for code in range(0x80, 0xA0) if (char := bytes([code]).decode("cp1252", "ignore"))}


_END_OF_FILE: Final = "\x1a"


class Limits(NamedTuple):
    """The most that `Lines.take` takes: a number of lines, and their size in bytes of UTF-8."""

    lines: int
    size: int


#: The limits of an ordinary block, and so of an ordinary slice of the index.
BLOCK: Final = Limits(lines=1000, size=256 * 1024)
#: The limits of a record, and so of the largest block. A quote that is not closed within them is a stray quote.
RECORD: Final = Limits(lines=1000, size=1024 * 1024)


class Block(NamedTuple):
    """Lines taken together. `final`: no line that could continue their last record follows."""

    lines: list[bytes]
    data: bytes
    final: bool


class Overlong(NamedTuple):
    """A skipped line that is longer than a record may be: its size in bytes of the file."""

    size: int


def opened(chunks: Iterable[bytes]) -> tuple[str, int, Iterator[bytes]]:
    """Recognise the encoding of a file by its byte order mark or by the NULs of its first characters.

    Returns:
        The encoding, the number of bytes of its byte order mark, and the file's bytes after the mark.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    encoding, mark = _encoding(head[:HEAD_BYTES])
    return encoding, mark, chain((head[mark:],), source)


def _encoding(head: bytes) -> tuple[str, int]:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    # In UTF-16, the high byte of a Latin character is NUL; a low byte is rarely NUL.
    first, second = head[0::2].count(0), head[1::2].count(0)
    if second * 4 >= len(head) and second > first * 4:
        return UTF_16_LE, 0
    if first * 4 >= len(head) and first > second * 4:
        return UTF_16_BE, 0
    return UTF_8, 0


def raw_size(data: bytes, encoding: str) -> int:
    """The size of lines in a file of this encoding, in bytes; `data` are the lines as UTF-8."""
    if encoding == UTF_8:
        return len(data)
    return len(data.decode().encode(UTF_16_LE))


def decoded(lines: list[bytes]) -> list[str]:
    """Lines as text, each with a line end. A line that is not UTF-8 is read as cp1252, so that no byte stops a file.

    Ctrl-Z at the end of the file, with which DOS programs mark it, is dropped.
    """
    try:
        texts = list(map(bytes.decode, lines))
    except UnicodeDecodeError:
        texts = [_decoded_line(line) for line in lines]
    if texts and not texts[-1].endswith(("\n", "\r")):
        texts[-1] = texts[-1].rstrip(_END_OF_FILE) + "\n"
    return texts


def _decoded_line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1").translate(_CP1252)


class Lines:
    """The lines of a file, taken block by block.

    A block is as long as the limits allow and does not depend on how the file was cut into chunks, so that the same
    file always gives the same blocks. An over-long line ends a block; `overlong` skips it.
    """

    def __init__(self, chunks: Iterable[bytes], encoding: str) -> None:
        self._batches = _batches(_utf_8(chunks, encoding), encoding)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._overlong: Overlong | None = None
        self._stopped = False

    def take(self, limits: Limits) -> Block:
        """Take as many lines as fit into `limits`: at least one, unless the file ends or the next line is over-long."""
        self._fill(limits)
        lines = self._pending[: limits.lines]
        data = b"".join(lines)
        if len(data) > limits.size:
            lines = _fitting(lines, limits.size)
            data = b"".join(lines)
        del self._pending[: len(lines)]
        self._pending_bytes -= len(data)
        return Block(lines, data, final=self._stopped and not self._pending)

    def put_back(self, lines: list[bytes]) -> None:
        """Put taken lines back, to take them again."""
        self._pending[:0] = lines
        self._pending_bytes += sum(map(len, lines))

    def overlong(self) -> Overlong | None:
        """After a final block, skip the over-long line that ended it; None at the end of the file."""
        passed, self._overlong = self._overlong, None
        self._stopped = passed is None
        return passed

    def _fill(self, limits: Limits) -> None:
        while not self._stopped and len(self._pending) < limits.lines and self._pending_bytes < limits.size:
            batch = next(self._batches, None)
            if isinstance(batch, list):
                self._pending += batch
                self._pending_bytes += sum(map(len, batch))
            else:
                self._overlong = batch
                self._stopped = True


def _fitting(lines: list[bytes], size: int) -> list[bytes]:
    count = sum(1 for total in accumulate(map(len, lines)) if total <= size)
    return lines[: max(count, 1)]


def _utf_8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The file as UTF-8. A lone surrogate becomes `?`, also one code unit; half a character at the end is dropped."""
    if encoding == UTF_8:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(errors="replace")


def _batches(chunks: Iterable[bytes], encoding: str) -> Iterator[list[bytes] | Overlong]:
    """The complete lines of each chunk; the last line may lack its end. Keeps less than one record and one chunk."""
    held = b""
    passed = 0  # size so far of an over-long line whose end has not arrived, in bytes of the file
    for chunk in chunks:
        lines = (held + chunk).splitlines(keepends=True)
        # A CR at the end is held as well, since an LF may follow.
        held = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if passed and lines:
            yield Overlong(passed + raw_size(lines.pop(0), encoding))
            passed = 0
        yield from _parted(lines, encoding)
        if (passed or len(held) > RECORD.size) and not held.endswith(b"\r"):
            passed += raw_size(held, encoding)
            held = b""
    if passed:
        yield Overlong(passed + raw_size(held, encoding))
    elif held:
        yield from _parted([held], encoding)


def _parted(lines: list[bytes], encoding: str) -> Iterator[list[bytes] | Overlong]:
    """The lines, split at over-long ones."""
    if not lines or max(map(len, lines)) <= RECORD.size:
        yield lines
        return
    ordinary: list[bytes] = []
    for line in lines:
        if len(line) <= RECORD.size:
            ordinary.append(line)
            continue
        yield ordinary
        yield Overlong(raw_size(line, encoding))
        ordinary = []
    yield ordinary
