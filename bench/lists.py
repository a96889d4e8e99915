"""The content and the lists of the measurements: 1 kB each of HTML and text, and lists of five columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_WORDS: Final = "Our summer collection is here, and so are the prices that you have been waiting for. " * 11

#: The campaign of every measurement: 1 kB of HTML, 1 kB of text, four values of the recipient in them.
CONTENT: Final[dict[str, Any]] = {
    "from": "News <news@shop.test>",
    "subject": "{{ first_name }}, news from {{ city }}",
    "html": f"<html><body><h1>Dear {{{{ first_name }}}}</h1><p>{_WORDS}</p><p>{{{{ city }}}}</p></body></html>",
    "text": f"Dear {{{{ first_name }}}},\n{_WORDS}\n{{{{ city }}}}\n",
}
HEADER: Final = b"email,first_name,last_name,city,customer_number\r\n"
_NAMES: Final = ("Anna", "José", "Zoë", "Christopher", "Li", "Müller-Lüdenscheidt")
#: Rows of one chunk of a long list.
_ROWS_A_CHUNK: Final = 12_000


def cells(row: int) -> tuple[str, str, str, str, str]:
    """The recipient of a row, with a unique address."""
    name = _NAMES[row % len(_NAMES)]
    return f"u{row}@mail{row % 97}.example.com", name, "Smith", f"Springfield {row % 50}", str(row)


def chunks(rows: int) -> Iterator[bytes]:
    """A list, about 60 bytes per row, in chunks of less than 1 MiB."""
    yield HEADER
    for start in range(0, rows, _ROWS_A_CHUNK):
        stop = min(start + _ROWS_A_CHUNK, rows)
        yield "".join(f"{','.join(cells(row + 1))}\r\n" for row in range(start, stop)).encode()


def small_list(rows: int) -> bytes:
    """A list in one piece."""
    return b"".join(chunks(rows))
