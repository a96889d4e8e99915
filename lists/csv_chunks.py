"""Rows as a UTF-8 CSV, in pieces of about 1 MiB. Knows nothing of where the rows come from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from lists.errors import UnusableList

#: The size of a piece, in characters.
PIECE_CHARS: Final = 1024 * 1024
#: The most bytes that a converted file may have: a list of 10,000,000 rows has about a third of that.
MAX_BYTES: Final = 2 * 1024 * 1024 * 1024


def csv_chunks(rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The rows as CSV with commas and CRLF. A row without cells becomes a blank line.

    Raises:
        UnusableList: the CSV would have more than `MAX_BYTES`.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # with LF alone, a cell with CR would not be quoted
    size = 0
    for row in rows:
        writer.writerow(row)
        if text.tell() >= PIECE_CHARS:
            piece = _taken(text)
            size += len(piece)
            if size > MAX_BYTES:
                raise UnusableList(f"As CSV, the file has more than {MAX_BYTES:,} bytes; split it into several lists.")
            yield piece
    if text.tell():
        yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    piece = text.getvalue().encode(errors="replace")
    text.seek(0)
    text.truncate()
    return piece
