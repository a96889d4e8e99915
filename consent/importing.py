"""Reads addresses for the suppression list out of a CSV, block by block. Knows nothing of the list itself.

The first row that has an address, or the word of an address column, decides where addresses stand. A column `reason`
may name the reason of each row. Any delimiter of `,`, `;` and tab, UTF-8 or UTF-16 with a byte order mark.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Generator
from contextlib import closing
from itertools import chain, islice
from typing import IO, Final, NamedTuple

from consent.records import Reason
from lists import addresses

#: The rows of one block.
BLOCK_ROWS: Final = 5_000
#: How much of the first line is looked at for the delimiter, in characters.
_LINE_CHARS: Final = 64 * 1024
_DELIMITERS: Final = ",;\t"
#: Headers of a column of addresses, without case, blanks, hyphens and underscores.
_EMAIL: Final = frozenset({"email", "emailaddress", "mail", "mailaddress", "address", "adresse", "correo", "courriel"})
_REASON: Final = "reason"


class WrongList(ValueError):
    """The CSV cannot be used; the message says why and what to do."""


class Block(NamedTuple):
    """Addresses of some rows in folded form by reason, and how many rows had no valid address."""

    folded: dict[Reason, list[str]]
    invalid: int


class _Columns(NamedTuple):
    email: int
    reason: int | None
    header: bool


def blocks(file: IO[bytes], default: Reason) -> Generator[Block, None, None]:
    """The addresses of a CSV, `BLOCK_ROWS` rows at a time.

    Args:
        file: the CSV, at its start.
        default: the reason of rows that name none.

    Returns:
        A generator. Close it before the file.

    Raises:
        WrongList: it is not text, has no column of addresses, or names an unknown reason.
    """
    with closing(_rows(file)) as rows:
        first = next((row for row in rows if any(map(str.strip, row))), None)
        if first is None:
            raise WrongList("The CSV is empty; send one address per row.")
        columns = _columns(first)
        left = rows if columns.header else chain([first], rows)
        while block := list(islice(left, BLOCK_ROWS)):
            yield _block(block, columns, default)


def _rows(file: IO[bytes]) -> Generator[list[str], None, None]:
    start = file.read(2)
    file.seek(0)
    encoding = "utf-16" if start in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        line = text.readline(_LINE_CHARS)
        text.seek(0)
        delimiter = max(_DELIMITERS, key=line.count)
        yield from csv.reader(text, delimiter=delimiter)
    except UnicodeError:
        raise WrongList("The CSV is not in UTF-8; save it as CSV UTF-8.") from None
    except csv.Error as error:
        raise WrongList(f"The CSV cannot be read: {error}; check its quotes.") from None
    finally:
        text.detach()  # closing it would close the caller's file


def _columns(first: list[str]) -> _Columns:
    folded = addresses.folded(first)
    found = next((place for place, address in enumerate(folded) if address), None)
    if found is not None:
        return _Columns(found, None, header=False)
    words = ["".join(filter(str.isalnum, cell.casefold())) for cell in first]
    email = next((place for place, word in enumerate(words) if word in _EMAIL), None)
    if email is None:
        shown = ", ".join(cell.strip()[:30] for cell in first[:10])
        raise WrongList(f"No column holds addresses; the first row is: {shown}. Name the column of addresses email.")
    return _Columns(email, words.index(_REASON) if _REASON in words else None, header=True)


def _block(rows: list[list[str]], columns: _Columns, default: Reason) -> Block:
    filled = [row for row in rows if any(map(str.strip, row))]
    cells = [row[columns.email] if columns.email < len(row) else "" for row in filled]
    found: dict[Reason, list[str]] = {}
    folded = addresses.folded(cells)
    for row, address in zip(filled, folded, strict=True):
        if address is not None:
            found.setdefault(_reason(row, columns.reason, default), []).append(address)
    return Block(found, folded.count(None))


def _reason(row: list[str], place: int | None, default: Reason) -> Reason:
    text = row[place].strip().lower() if place is not None and place < len(row) else ""
    if not text:
        return default
    try:
        return Reason(text)
    except ValueError:
        raise WrongList(f"The reason {text[:50]!r} is unknown; use {', '.join(Reason)}.") from None
