"""What is sent to each row is what stands in it: dry run, parse, preview and delivery agree with the rows as they were
written, in any format, encoding and delimiter, with ragged rows and bad addresses among them.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import fakeredis
from hypothesis import HealthCheck, event, given, settings, strategies as st

from lists.sample import ROWS
from mail.message import Message
from tests.support.app_harness import AppHarness
from tests.support.delivered import delivered
from tests.support.list_agreement import dry_run
from tests.support.spreadsheets import cell, ods, row as ods_row, xlsx

HEADER: Final = ("Full Name", "E-Mail", "City")
TEXT: Final = "{{ full_name }}|{{ e_mail }}|{{ email }}|{{ city }}"
#: Letters by the encodings that have them all; `""`: any encoding of Unicode.
LETTERS: Final = {
    "": "Zoë Łódź Екатерина 江戸川区 ,;|'\"\t😀",
    "cp1252": "Zoë Peña Müller ,;|'\"\t€",
    "cp1251": "Екатерина Соколова ,;|'\"\t№",
    "cp932": "江戸川区 あすか ,;|'\"\t",
    "mac-roman": "Zoë Peña Müller ,;|'\"\t",
}
UNICODE: Final = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


class Written(NamedTuple):
    """A list: its bytes, and the query with which it is uploaded."""

    data: bytes
    query: str = ""


def texts(letters: str) -> st.SearchStrategy[str]:
    """Cells: words, no blanks at the edges, no formula."""
    return st.text(letters, max_size=9).map(lambda text: " ".join(text.split(" ")).strip().removeprefix("="))


@st.composite
def people(draw: st.DrawFn, letters: str, size: int = 12) -> list[list[str]]:
    """Rows of three cells, the address in the second: some without the last cell, some with more cells."""
    rows = []
    for number in range(draw(st.integers(1, size))):
        address = draw(
            st.sampled_from([f"r{number}@shop.test", f"r{number}@shop.test", f"Ann <R{number}@shop.test>", "bad"])
        )
        surplus = draw(st.sampled_from([[], [], [""], ["more"]]))
        city = draw(texts(letters))
        has_city = bool(surplus) or draw(st.sampled_from([True, False]))
        rows.append([draw(texts(letters)), address, *([city, *surplus] if has_city else [])])
    return rows


def as_csv(rows: Sequence[Sequence[str]], encoding: str, delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
    return text.getvalue().encode(encoding)


def as_zip(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("list.csv", data)
    return file.getvalue()


def as_json_lines(rows: Sequence[Sequence[str]], encoding: str) -> bytes:
    objects = (dict(zip(HEADER, row, strict=False)) for row in rows)
    # Columns are those of the first objects: all three stand in the first one.
    first, *others = ({**dict.fromkeys(HEADER, ""), **one} for one in objects)
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in (first, *others)).encode(encoding)


def as_ods(rows: Sequence[Sequence[str]]) -> bytes:
    return ods(("S", "".join(ods_row(*map(cell, cells)) for cells in [HEADER, *rows])))


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[list[str]], Written]:
    """Rows, and the list that has them."""
    encoding = draw(st.sampled_from(list(LETTERS)))
    rows = draw(people(LETTERS[encoding]))
    if encoding:
        data = as_csv(rows, encoding, draw(st.sampled_from(",;\t|")))
        return rows, Written(draw(packing)(data), f"&encoding={encoding}")
    plain = [[cell.replace("\t", " ").replace("  ", " ").strip() for cell in row] for row in rows]
    kind = draw(st.sampled_from(["csv", "csv", "jsonl", "xlsx", "ods"]))
    event(kind)
    if kind == "csv":
        delimiter = draw(st.sampled_from(",;\t|"))
        return rows, Written(draw(packing)(as_csv(rows, draw(st.sampled_from(UNICODE)), delimiter)))
    if kind == "jsonl":
        return rows, Written(draw(packing)(as_json_lines(rows, draw(st.sampled_from(UNICODE)))))
    return plain, Written(xlsx([HEADER, *plain]) if kind == "xlsx" else as_ods(plain))


packing: Final[st.SearchStrategy[Callable[[bytes], bytes]]] = st.sampled_from([bytes, bytes, gzip.compress, as_zip])


def address_of(row: Sequence[str]) -> str | None:
    found = row[1].removeprefix("Ann <").removesuffix(">")
    return found if "@" in found else None


def text_of(row: Sequence[str]) -> str:
    name, _address, city = [*row, ""][:3]
    return f"{name}|{address_of(row)}|{address_of(row)}|{city}"


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(lists())
def test_what_is_sent_is_what_was_written(written: tuple[list[list[str]], Written]) -> None:
    rows, uploaded = written
    recipients = {number: row for number, row in enumerate(rows, 1) if address_of(row)}
    app = AppHarness(fakeredis.FakeRedis())
    app.make(subject="Hello", text=TEXT)
    dry = dry_run(app, uploaded.data, uploaded.query)
    assert (dry["columns"], dry["email_column"]) == (["full_name", "e_mail", "city"], "E-Mail")
    assert (dry["rows"], dry["accepted"]) == (len(rows), len(recipients))
    assert dry["sample"] == [used(row) for row in list(recipients.values())[:ROWS]]
    app.upload(uploaded.data, query=f"?{uploaded.query.removeprefix('&')}")
    campaign = app.parse()
    assert campaign.columns == ("full_name", "e_mail", "city")
    if not recipients:
        return
    previews = {number: app.web.post("/campaigns/c1/preview", {"row": number}).json() for number in recipients}
    sent = delivered(app)
    assert sent.keys() == recipients.keys()
    for number, row in recipients.items():
        message = sent[number]
        assert isinstance(message, Message), message
        assert (message.to, message.text) == (address_of(row), text_of(row))
        assert (previews[number]["to"], previews[number]["text"]) == (message.to, message.text)


def used(row: Sequence[str]) -> dict[str, Any]:
    """A row as the dry run shows it."""
    name, _address, city = [*row, ""][:3]
    return {"full_name": name, "e_mail": address_of(row), "city": city}
