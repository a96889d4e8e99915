"""A list of recipients like an export from a shop or a spreadsheet, and the expected result for each of its rows.

The expected result follows from how a row was made; this module uses no code of Postrider.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

HEADER: Final = ("Kunden-Nr.", " E-Mail ", "Vorname", "Nachname", "Ort", "Notiz", "Historie")
#: For `email_column`.
EMAIL_COLUMN: Final = "e-mail"

FIRST_NAMES: Final = ("Zoë", "Jürgen", "Søren", "María José", "Łukasz", "O'Neil", "Anna", 'Bob "Bo"', "İrem")
LAST_NAMES: Final = (
    "Müller",
    "Núñez",
    "D\u2019Angelo",
    "Smith & Sons",
    "Nguyễn",
    "van der Berg",
    "Å. <Ström>",
    "Kowalski",
)
CITIES: Final = ("Köln", "São Paulo", "Malmö", "Zürich; Altstadt", "Paris, 3e", "Kraków", "", "  ")
NOTES: Final = (
    "",
    "prefers mornings",
    "call first;\nthen write",
    'said "never again"\nand came back\n',
    "50 % off, as agreed",
    "=SUM(A1:A9)",
    "{{ 7 * 7 }}",
)
BAD: Final = ("", "unknown", "anna@", "@shop.test", "anna@shop", "an na@shop.test", "a@b@shop.test", "anna@shop..test")
#: A domain beyond ASCII, and its form on the wire (RFC 5891).
WIDE_DOMAIN: Final = ("bücher.shop.test", "xn--bcher-kva.shop.test")

#: The number of rows of each kind per thousand; the rest are ordinary.
SHARES: Final = {"duplicate": 15, "bad": 10, "ragged": 4, "padded": 10, "wide": 5, "trailing": 5}


@dataclass(frozen=True)
class Person:
    """A row that can be sent to. `address`: as it goes to the provider. `cells`: by column."""

    address: str
    cells: Mapping[str, str]


@dataclass
class Export:
    """The file; `people`: row -> its recipient; `rejected`: row -> (the text in place of an address, reason)."""

    csv: bytes = b""
    people: dict[int, Person] = field(default_factory=dict)
    rejected: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.people) + len(self.rejected)


def export(
    rows: int,
    *,
    special: Mapping[int, str] | None = None,
    delimiter: str = ";",
    encoding: str = "utf-8-sig",
    row_bytes: int = 0,
    seed: int = 1,
) -> Export:
    """Make an export.

    Args:
        rows: the number of rows, without header and blank lines.
        special: row -> local part of its address, for rows that a test wants to recognise; they are ordinary otherwise.
        delimiter: between the cells.
        encoding: a codec's name; a character that it lacks becomes a question mark, in file and expected result.
        row_bytes: the last column is filled with history until a row has about this size.
        seed: the same gives the same file.
    """
    return _Writer(random.Random(seed), delimiter, encoding, row_bytes).write(rows, special or {})


class _Writer:
    def __init__(self, chance: random.Random, delimiter: str, encoding: str, row_bytes: int) -> None:
        self._random = chance
        self._delimiter = delimiter
        self._encoding = encoding
        self._row_bytes = row_bytes
        self._export = Export()
        self._addresses: list[tuple[int, str]] = []

    def write(self, rows: int, special: Mapping[int, str]) -> Export:
        lines = [self._line(HEADER)]
        for row in range(1, rows + 1):
            kind = "ordinary" if row in special else self._kind()
            lines.append(self._line(self._cells(row, kind, special.get(row))))
            if row % 997 == 0:
                lines.append("\r\n")  # a blank line is not a row
        self._export.csv = "".join(lines).encode(self._encoding, "replace")
        return self._export

    def _kind(self) -> str:
        kinds = list(SHARES)
        weights = [*SHARES.values(), 1000 - sum(SHARES.values())]
        kind = self._random.choices([*kinds, "ordinary"], weights)[0]
        return "ordinary" if kind == "duplicate" and not self._addresses else kind

    def _cells(self, row: int, kind: str, local: str | None) -> list[str]:
        chosen = {name: self._representable(self._random.choice(words)) for name, words in _WORDS.items()}
        if kind in {"bad", "ragged"}:
            # Whether a broken record continues on the next line cannot be known, so its number would be a guess.
            chosen["notiz"] = chosen["notiz"].replace("\n", " ")
        address = f"{local or f'reader.{row}'}@{self._random.choice(('shop.test', 'Mail.Example.COM'))}"
        sent, written = self._address(row, kind, address)
        cells = [f"K-{row:06}", written, chosen["vorname"], chosen["nachname"], chosen["ort"], chosen["notiz"], ""]
        cells[-1] = "".join(self._history(self._row_bytes - sum(map(len, cells))))
        if kind == "ragged":
            cells = cells[:4] if row % 2 else [*cells, "one", "two"]
            chosen |= {"ort": "", "notiz": ""} if row % 2 else {}
        elif kind == "trailing":
            cells += ["", ""]
        if sent is not None:
            self._export.people[row] = Person(sent, chosen | {"kunden_nr": f"K-{row:06}"})
            self._addresses.append((row, sent))
        return cells

    def _address(self, row: int, kind: str, address: str) -> tuple[str | None, str]:
        """The address as the provider sees it (None: never), and as it is in the file."""
        local, _, domain = address.partition("@")
        sent = f"{local}@{domain.lower()}"
        match kind:
            case "bad":
                bad = self._random.choice(BAD)
                shown = f"'{bad}" if bad.startswith("@") else bad
                self._export.rejected[row] = (shown, "invalid_email")
                return None, bad
            case "duplicate":
                first_row, first = self._random.choice(self._addresses)
                self._export.rejected[row] = (first.lower(), f"duplicate:{first_row}")
                return None, first.upper() if row % 2 else first.title()
            case "padded":
                return sent, f"  {address}\t"
            case "wide":
                return f"{local}@{WIDE_DOMAIN[1]}", f"{local}@{WIDE_DOMAIN[0]}"
        return sent, address

    def _history(self, size: int) -> Iterator[str]:
        while size > 0:
            entry = f"2026-0{self._random.randint(1, 9)}-11 order {self._random.randint(10_000, 99_999)}; "
            size -= len(entry)
            yield entry

    def _representable(self, text: str) -> str:
        return text.encode(self._encoding, "replace").decode(self._encoding)

    def _line(self, cells: list[str] | tuple[str, ...]) -> str:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerow(cells)
        return text.getvalue()


_WORDS: Final = {"vorname": FIRST_NAMES, "nachname": LAST_NAMES, "ort": CITIES, "notiz": NOTES}
