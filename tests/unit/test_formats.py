"""Whatever arrives as a list: what is recognised, what passes through as it is, and what is converted and warned of."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator

import pytest

from lists import formats
from lists.encodings import HEAD_BYTES, SURE
from lists.errors import UnusableList
from lists.formats import Recognised, recognised
from tests.support import spreadsheets
from tests.support.lists import parse, rows_of

PEOPLE = "email,name\r\nivan@x.test,Иван Петров\r\nanna@x.test,Анна Кузнецова\r\nolga@x.test,Ольга Смирнова\r\n"


def pieces(data: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, size: int = 1 << 20, encoding: str | None = None) -> tuple[bytes, Recognised]:
    with recognised(pieces(data, size), encoding=encoding) as found:
        return b"".join(found.chunks), found


def codes(found: Recognised) -> list[str]:
    return [warning.code for warning in found.warnings]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_what_the_scan_reads_passes_as_it_is(encoding: str, size: int) -> None:
    data = PEOPLE.encode(encoding)
    out, found = read(data, size)
    assert out == data
    assert (found.format, found.converted, found.confidence, found.warnings) == ("csv", False, 1.0, [])
    assert found.samples == ["Иван Петров", "Анна Кузнецова", "Ольга Смирнова"]
    assert found.encoding == parse(data)[0].dialect.encoding


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "iso8859-5", "cp866", "utf-32", "utf-32-le", "utf-32-be"])
def test_what_it_does_not_read_is_converted(encoding: str, size: int) -> None:
    """Given another encoding / Then the scan of what comes out has the people as they were written."""
    out, found = read(PEOPLE.encode(encoding), size)
    assert found.converted
    assert out == PEOPLE.encode()
    result, rejected = parse(out)
    assert rejected == {}
    assert rows_of(out, result)[0] == ["ivan@x.test", "Иван Петров"]
    assert found.samples[0] == "Иван Петров"


def test_an_encoding_that_is_not_certain_is_a_warning_with_samples() -> None:
    _, found = read("email,name\na@x.test,Zoé\n".encode("mac-roman"))
    assert codes(found) == ["encoding_guessed"]
    assert found.confidence < SURE
    assert found.samples[0] in found.warnings[0].message
    assert found.encoding in found.warnings[0].message
    assert "`encoding`" in found.warnings[0].message


def test_the_callers_encoding_wins() -> None:
    out, found = read("email,name\na@x.test,Zoé\n".encode("mac-roman"), encoding="macintosh")
    assert out.decode() == "email,name\na@x.test,Zoé\n"
    assert (found.encoding, found.confidence, found.warnings) == ("mac-roman", 1.0, [])


def test_the_callers_encoding_is_wrong() -> None:
    """Given bytes that the encoding does not have / Then they are replaced, counted and warned of."""
    out, found = read("email,name\na@x.test,Zoë Müller\n".encode("cp1252"), encoding="shift_jis")
    assert out.startswith(b"email,name\na@x.test,Zo")
    assert codes(found) == ["bytes_replaced"]
    assert "shift_jis" in found.warnings[0].message


def test_an_encoding_that_nobody_knows() -> None:
    with pytest.raises(UnusableList, match="'klingon'"):
        read(b"email\na@x.test\n", encoding="klingon")


@pytest.mark.parametrize("encoding", [None, "", " "])
def test_no_encoding_named(encoding: str | None) -> None:
    assert read(b"email\na@x.test\n", encoding=encoding)[1].encoding == "utf-8"


def test_utf_8_named_for_utf_8() -> None:
    out, found = read(PEOPLE.encode("utf-8-sig"), encoding="UTF8")
    assert (out, found.converted) == (PEOPLE.encode("utf-8-sig"), False)


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_single_lines_in_another_encoding(size: int) -> None:
    """Given UTF-8 with two lines in cp1252 / Then it passes as it is, and a warning counts them."""
    data = "".join(f"u{n}@x.test,Zoë\n" for n in range(200)).encode() + "a@x.test,José\nb@x.test,Noël\n".encode(
        "cp1252"
    )
    out, found = read(b"email,name\n" + data, size)
    assert out == b"email,name\n" + data
    assert (found.encoding, found.converted) == ("utf-8", False)
    assert codes(found) == ["not_utf_8"]
    assert "About 2 lines" in found.warnings[0].message


def test_a_character_across_two_chunks_is_no_bad_line() -> None:
    data = b"email,name\na@x.test,Zo" + "ë".encode()
    assert [read(data + b"\n", size)[1].warnings for size in (1, 2, 23)] == [[], [], []]


@pytest.mark.parametrize(
    "rest", [[b"x\n"], [b"x\n", b"\xab\n"], []], ids=["before ASCII", "around ASCII", "at the end"]
)
def test_a_character_that_is_cut_is_a_bad_line(rest: list[bytes]) -> None:
    good = b"email,name\n" + "a@x.test,Zoë\n".encode() * 9
    with recognised([good + b"c@x.test,Zo\xc3", *rest]) as found:
        assert list(found.chunks)
    assert codes(found) == ["not_utf_8"]


def test_half_a_character_at_the_end_is_replaced() -> None:
    out, found = read("email,name\na@x.test,田中".encode("cp932")[:-1], encoding="cp932")
    assert out.decode() == "email,name\na@x.test,田\ufffd"
    assert codes(found) == ["bytes_replaced"]


def test_other_characters_that_come_late() -> None:
    """Given 4 MiB of ASCII, then Russian names in cp1251 / Then a warning says what they look like."""
    head = b"email,name\n" + b"user@x.test,Ann\n" * (HEAD_BYTES // 16 + 1)
    _, found = read(head + PEOPLE.encode("cp1251"))
    assert (found.encoding, found.converted) == ("utf-8", False)
    assert codes(found) == ["encoding_guessed"]
    assert "cp1251" in found.warnings[0].message


def test_samples_that_come_late() -> None:
    """Given more than 1 MiB of ASCII before the first other character / Then there are samples all the same."""
    data = b"email,name\n" + b"user@x.test,Ann\n" * (1 << 17) + PEOPLE.encode()
    assert read(data)[1].samples[0] == "Иван Петров"


def test_a_sheet_of_a_file_without_sheets() -> None:
    with pytest.raises(UnusableList, match="no sheet 'People'; leave `sheet` out"):
        recognised([b"email\na@x.test\n"], sheet="People")


def test_an_empty_file() -> None:
    assert read(b"")[0] == b""


def test_temporary_files_are_closed() -> None:
    """Given a workbook that is read in part, and one that is refused / Then no temporary file stays open."""
    found = recognised([spreadsheets.xlsx([["email"], ["a@x.test"]])])
    found.close()
    with pytest.raises(ValueError, match="closed"):
        next(found.chunks)
    with pytest.raises(UnusableList):
        recognised([spreadsheets.xlsx([["email"]])], sheet="none")


@pytest.mark.parametrize("name", ["gzip csv", "zip csv", "gzip jsonl", "zip jsonl", "jsonl", "xlsx", "ods", "csv"])
def test_every_format_gives_the_same_rows(name: str) -> None:
    """Given one list in every format / Then the scan finds the same columns and rows."""
    table = [["email", "name"], ["ivan@x.test", "Иван Петров"], ["anna@x.test", "Анна"]]
    csv = "".join(",".join(row) + "\n" for row in table).encode()
    jsonl = "".join(f'{{"email": "{email}", "name": "{person}"}}\n' for email, person in table[1:]).encode()
    cells = (spreadsheets.row(*map(spreadsheets.cell, row)) for row in table)
    data = {
        "csv": csv,
        "jsonl": jsonl,
        "gzip csv": gzip.compress(csv),
        "gzip jsonl": gzip.compress(jsonl),
        "zip csv": zip_of(csv),
        "zip jsonl": zip_of(jsonl),
        "xlsx": spreadsheets.xlsx(table),
        "ods": spreadsheets.ods(("S", "".join(cells))),
    }[name]
    out, found = read(data, 100)
    result, rejected = parse(out)
    assert found.format == name
    assert (result.dialect.columns, rows_of(out, result), rejected) == (("email", "name"), table[1:], {})


def zip_of(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("people", data)
    return file.getvalue()


def test_the_head_is_all_that_is_held() -> None:
    """Given a long list / Then no more than the first 4 MiB have been read when it is recognised."""
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for chunk in pieces(b"user@x.test,Ann\n" * (1 << 20)):
            taken += len(chunk)
            yield chunk

    with recognised(counted()) as found:
        assert taken == HEAD_BYTES
        assert sum(map(len, found.chunks)) == 16 << 20


def test_formats_have_names_for_people() -> None:
    assert {formats.CSV, formats.JSON_LINES, formats.XLSX, formats.ODS} == {"csv", "jsonl", "xlsx", "ods"}
